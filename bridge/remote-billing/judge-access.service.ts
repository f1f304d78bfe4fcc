import type { Clock } from '../../platform/clock.ts';
import type { Db, Trx } from '../db/schema.ts';
import type { Access, AccessTokens } from './access-token.ts';
import { recordAct } from './audit.store.ts';
import { findBillingSession } from './billing-session.store.ts';
import { findBillingUser, type BillingPerson, type BillingUser } from './billing-user.store.ts';
import type { From } from './caller.ts';
import { findLoginRequest, type LoginRequest } from './login-request.store.ts';
import { findPlace, type Place } from './place.ts';
import { isDeactivated, refusal, wayBack, type Refusal, type RefusalReason } from './standing.ts';

export interface Judged {
  result: 'good';
  access: Access;
  place: Place;
  /** Whose address the token proves. */
  request: LoginRequest | undefined;
  /** Unknown for a whole server as long as no address is proven. */
  person: BillingPerson | undefined;
  user: BillingUser | undefined;
}

interface Using {
  clock: Clock;
  tokens: AccessTokens;
}

/** Whether a token may still lead on, at any step. A refusal of a token of ours is kept; what is none says nothing about anybody. */
export async function judgeToken(db: Db, using: Using, token: string, step: string, from: From): Promise<Judged | Refusal> {
  const read = await using.tokens.read(token);
  if (read.result === 'unknown') return refusal('unknown');
  const judged = read.result === 'expired' ? await expired(db, read.access) : await judgeAccess(db, read.access);
  if (judged.result === 'refused') await recordRefusal(db, using, read.access, judged.reason, step, from);
  return judged;
}

async function expired(db: Db, access: Access): Promise<Refusal> {
  const place = await findPlace(db, placeOf(access));
  return refusal('expired', place && wayBack(place, access.uriScheme, access.nextPage));
}

/** For tokens that are in time. */
export async function judgeAccess(db: Db | Trx, access: Access, find = findPlace as (db: Db & Trx, of: ReturnType<typeof placeOf>) => Promise<Place | undefined>): Promise<Judged | Refusal> {
  const place = await find(db as Db & Trx, placeOf(access));
  if (place === undefined) return refusal('unknown');
  const refuse = (reason: RefusalReason) => refusal(reason, wayBack(place, access.uriScheme, access.nextPage));
  if (isDeactivated(place)) return refusal('deactivated');
  if (place.server.keyGeneration !== access.keyGeneration) return refuse('revoked');
  const request = access.proof === undefined ? undefined : await findLoginRequest(db, access.proof);
  if (access.proof !== undefined && request === undefined) return refuse('unknown');
  if (request?.revoked) return refuse('revoked');
  if (request?.completed || (await findBillingSession(db, { tokenId: access.tokenId })) !== undefined) return refuse('spent');
  const person = personOf(access, request);
  const user = person && (await findBillingUser(db, person));
  if (user?.state === 'deactivated') return refusal('deactivated');
  return { result: 'good', access, place, request, person, user };
}

export function personOf(access: Access, request: LoginRequest | undefined): BillingPerson | undefined {
  if (access.realm !== undefined) return { realmId: access.realm.id, userUuid: access.realm.user.uuid };
  return request && { serverId: access.serverId, email: request.email };
}

export function placeOf(access: Access): { serverId: string; realmId: string | null } {
  return { serverId: access.serverId, realmId: access.realm?.id ?? null };
}

export async function recordRefusal(db: Db | Trx, using: Pick<Using, 'clock'>, access: Access, reason: string, step: string, from: From): Promise<void> {
  await recordAct(db, {
    at: using.clock.now(),
    act: 'refused',
    actor: { kind: 'person', id: access.realm?.user.uuid },
    serverId: access.serverId,
    realmId: access.realm?.id,
    ...from,
    details: { reason, step },
  });
}
