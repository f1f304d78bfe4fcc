import type { Clock } from '../../platform/clock.ts';
import { hashToken } from '../../platform/token.ts';
import type { Db } from '../db/schema.ts';
import type { AccessTokens } from './access-token.ts';
import { recordAct } from './audit.store.ts';
import { findBillingUser, insertPendingUser, type BillingPerson } from './billing-user.store.ts';
import type { From } from './caller.ts';
import { findLoginRequestByKey, type LoginRequest } from './login-request.store.ts';
import { findPlace, type Place } from './place.ts';
import { isDeactivated, refusal, wayBack, type Refusal } from './standing.ts';

export type OpenedConfirmation = { result: 'proven'; token: string; place: Place } | Refusal;

interface Using {
  clock: Clock;
  tokens: AccessTokens;
}

/**
 * Steps 7 and 8, also for a mail scanner, as often as anybody likes: whoever gets this answer holds what proves the
 * address, and has proven nothing until the confirm page is posted with it (SECURITY.md 17).
 */
export async function openConfirmation(db: Db, using: Using, key: string, from: From): Promise<OpenedConfirmation> {
  const request = await findLoginRequestByKey(db, hashToken(key));
  if (request === undefined) return refusal('unknown');
  const place = await findPlace(db, request);
  if (place === undefined) return refusal('unknown');
  const person: BillingPerson = request.realmId === null ? { serverId: request.serverId, email: request.email } : { realmId: request.realmId, userUuid: request.userUuid ?? '' };
  const refused = await judge(db, using, request, place, person);
  if (refused !== undefined) {
    const [at, details] = [using.clock.now(), { reason: refused.reason, step: 'confirmation' }];
    await recordAct(db, { at, act: 'refused', actor: { kind: 'person', id: request.userUuid ?? undefined }, serverId: request.serverId, realmId: request.realmId ?? undefined, ...from, details });
    return refused;
  }
  await db.transaction().execute(async (trx) => {
    const at = using.clock.now();
    if (!(await insertPendingUser(trx, person, { email: request.email, fullName: request.fullName, joinedAt: at }))) return;
    await recordAct(trx, { at, act: 'link_opened', actor: { kind: 'person', id: request.userUuid ?? undefined }, serverId: request.serverId, realmId: request.realmId ?? undefined, ...from });
  });
  const token = await using.tokens.mint({
    serverId: request.serverId,
    keyGeneration: request.keyGeneration,
    realm: request.realmId === null || request.userUuid === null ? undefined : { id: request.realmId, user: { uuid: request.userUuid, email: request.email, fullName: request.fullName } },
    uriScheme: request.uriScheme,
    nextPage: request.nextPage,
    proof: request.id,
  });
  return { result: 'proven', token, place };
}

async function judge(db: Db, using: Using, request: LoginRequest & { expiresAt: Date }, place: Place, person: BillingPerson): Promise<Refusal | undefined> {
  const back = wayBack(place, request.uriScheme, request.nextPage);
  if (isDeactivated(place) || (await findBillingUser(db, person))?.state === 'deactivated') return refusal('deactivated');
  if (request.revoked || request.keyGeneration !== place.server.keyGeneration) return refusal('revoked', back);
  if (request.completed) return refusal('spent', back);
  return request.expiresAt <= using.clock.now() ? refusal('expired', back) : undefined;
}
