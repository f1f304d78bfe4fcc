import type { Clock } from '../../platform/clock.ts';
import type { Db, Trx } from '../db/schema.ts';
import { recordAct } from './audit.store.ts';
import { endBillingSessions } from './billing-session.store.ts';
import { readBillingSession, type LiveSession } from './billing-session.service.ts';
import { deactivateBillingUser, listBillingUsers, type BillingUser } from './billing-user.store.ts';
import type { From } from './caller.ts';
import { idsOf, lockPlace, type Place } from './place.ts';
import type { Refusal } from './standing.ts';

type NotLive = { result: 'over'; loginUrl: string | undefined } | Refusal;

export type ListedUsers = { result: 'users'; users: readonly BillingUser[]; you: string } | NotLive;
export type DeactivatedUser = { result: 'deactivated' | 'last_one' | 'unknown' } | NotLive;

/** Who may sign in for the same place. All have equal rights. */
export async function listUsers(db: Db, sessionId: string): Promise<ListedUsers> {
  const live = await demandLive(db, sessionId);
  if (live.result !== 'live') return live;
  return { result: 'users', users: await listBillingUsers(db, usersOf(live.place)), you: live.user.id };
}

/** One of them can't sign in any more, from now on; not the last. */
export async function deactivateUser(db: Db, using: { clock: Clock }, { sessionId, userId }: { sessionId: string; userId: string }, from: From): Promise<DeactivatedUser> {
  const live = await demandLive(db, sessionId);
  if (live.result !== 'live') return live;
  return db.transaction().execute(async (trx) => {
    await lockPlace(trx, idsOf(live.place));
    const standing = await standingUsers(trx, live.place);
    if (!standing.some(({ id }) => id === userId)) return { result: 'unknown' };
    // Somebody who was deactivated meanwhile deactivates nobody.
    if (!standing.some(({ id }) => id === live.user.id)) return { result: 'over', loginUrl: undefined };
    const entry = { at: using.clock.now(), actor: { kind: 'user', id: live.user.id } as const, serverId: live.place.server.id, realmId: live.place.realm?.id, userId, ...from };
    if (standing.length === 1) {
      await recordAct(trx, { ...entry, act: 'refused', details: { reason: 'last one', step: 'users/deactivate' } });
      return { result: 'last_one' };
    }
    await deactivateBillingUser(trx, userId);
    await endBillingSessions(trx, { userId }, new Date());
    await recordAct(trx, { ...entry, act: 'user_deactivated' });
    return { result: 'deactivated' };
  });
}

async function demandLive(db: Db, sessionId: string): Promise<LiveSession | NotLive> {
  const read = await readBillingSession(db, sessionId);
  return read.result === 'unknown' ? { result: 'over', loginUrl: undefined } : read;
}

/** Who could sign in now. Asked under the lock of the place, so that somebody is always left. */
export async function standingUsers(trx: Trx, place: Place): Promise<readonly BillingUser[]> {
  return (await listBillingUsers(trx, usersOf(place))).filter(({ state }) => state === 'confirmed');
}

function usersOf({ server, realm }: Place): { realmId: string } | { serverId: string } {
  return realm === undefined ? { serverId: server.id } : { realmId: realm.id };
}
