import type { Clock } from '../../platform/clock.ts';
import type { BillingPage } from '../db/remote-billing.schema.ts';
import type { Db, Trx } from '../db/schema.ts';
import { recordAct } from './audit.store.ts';
import { endBillingSessions, findBillingSession, type BillingSession } from './billing-session.store.ts';
import { findBillingUserById, type BillingUser } from './billing-user.store.ts';
import type { From } from './caller.ts';
import { findPlace, type Place } from './place.ts';
import { isDeactivated, refusal, wayBack, type Refusal } from './standing.ts';

export interface LiveSession {
  result: 'live';
  session: BillingSession;
  user: BillingUser;
  place: Place;
}

export type ReadSession = LiveSession | { result: 'over'; loginUrl: string | undefined } | { result: 'unknown' } | Refusal;

/** Whether a session is alive, for one realm or server: of any other it says nothing. `page` is where the way back leads at last. */
export async function readBillingSession(db: Db | Trx, sessionId: string, wanted?: { kind: 'realm' | 'server'; uuid: string; page: BillingPage | null }): Promise<ReadSession> {
  const session = await findBillingSession(db, { id: sessionId });
  if (session === undefined || (wanted !== undefined && !isFor(session, wanted))) return { result: 'unknown' };
  const [user, place] = [await findBillingUserById(db, session.userId), await findPlace(db, session)];
  if (user === undefined || place === undefined) return { result: 'unknown' };
  if (isDeactivated(place) || user.state === 'deactivated') return refusal('deactivated');
  if (session.ended || session.endsAt <= new Date()) return { result: 'over', loginUrl: wayBack(place, session.uriScheme, wanted?.page ?? null) };
  return { result: 'live', session, user, place };
}

function isFor(session: BillingSession, { kind, uuid }: { kind: 'realm' | 'server'; uuid: string }): boolean {
  return kind === 'realm' ? session.realmId === uuid : session.realmId === null && session.serverId === uuid;
}

/** Signs out; a session that is over or unknown is none. */
export async function endBillingSession(db: Db, using: { clock: Clock }, sessionId: string, from: From): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const session = await findBillingSession(trx, { id: sessionId });
    if (session === undefined || !(await endBillingSessions(trx, { id: sessionId }, new Date()))) return;
    await recordAct(trx, {
      at: using.clock.now(),
      act: 'logout',
      actor: { kind: 'user', id: session.userId },
      serverId: session.serverId,
      realmId: session.realmId ?? undefined,
      userId: session.userId,
      ...from,
    });
  });
}
