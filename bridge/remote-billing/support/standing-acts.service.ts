import type { Clock } from '../../../platform/clock.ts';
import { AppError } from '../../../platform/problem.ts';
import type { Db, Trx } from '../../db/schema.ts';
import { recordAct, type BillingAct } from '../audit.store.ts';
import { endBillingSessions } from '../billing-session.store.ts';
import { findBillingUserById, setBillingUserState } from '../billing-user.store.ts';
import { standingUsers } from '../billing-users.service.ts';
import { giveUpServer } from '../deactivate-server.service.ts';
import { lockPlace, type Place } from '../place.ts';
import { hasPricedPlan } from '../plans/plan.store.ts';
import { findRealm, setRegistrationDeactivated } from '../realm.store.ts';
import { findServer, findServerForUpdate, reactivateServer } from '../server.store.ts';
import { notPossible, nothingThere, type StaffFrom } from './staff.ts';

interface Using {
  clock: Clock;
}

/** Whether a server, a realm or a person may go on. Who may not is signed out at once. */
export async function setStanding(db: Db, using: Using, { kind, uuid, active }: { kind: 'server' | 'realm' | 'user'; uuid: string; active: boolean }, staff: StaffFrom): Promise<void> {
  if (kind === 'server') return active ? reactivate(db, using, uuid, staff) : deactivate(db, using, uuid, staff);
  await db.transaction().execute((trx) => (kind === 'realm' ? setRealm : setUser)(trx, using, uuid, active, staff));
}

async function deactivate(db: Db, using: Using, id: string, { actor, ...from }: StaffFrom): Promise<void> {
  const server = await findServer(db, id);
  if (server === undefined) throw nothingThere();
  if (server.deactivated) throw already('deactivated');
  await giveUpServer(db, using, id, actor, from);
}

async function reactivate(db: Db, using: Using, id: string, staff: StaffFrom): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const server = await findServerForUpdate(trx, id);
    if (server === undefined) throw nothingThere();
    if (!server.deactivated) throw already('active');
    if (!(await reactivateServer(trx, id))) throw new AppError('hostname_taken', `Another server is registered as ${server.hostname} now: deactivate that one first, or leave it.`);
    await record(trx, using, staff, 'server_reactivated', { serverId: id });
  });
}

async function setRealm(trx: Trx, using: Using, id: string, active: boolean, staff: StaffFrom): Promise<void> {
  const { realm } = await lockPlaceOf(trx, id, null);
  if (realm === undefined) throw nothingThere();
  if (realm.registrationDeactivated !== active) throw already(active ? 'active' : 'deactivated');
  if (!active && (await hasPricedPlan(trx, { serverId: realm.serverId, realmId: id }))) throw new AppError('paid_plan_runs', 'This realm pays, or is to pay: end its plan first, or take back what is scheduled.');
  await setRegistrationDeactivated(trx, id, active ? null : using.clock.now());
  if (!active) await endBillingSessions(trx, { realmId: id }, new Date());
  await record(trx, using, staff, active ? 'realm_reactivated' : 'realm_deactivated', { serverId: realm.serverId, realmId: id });
}

async function setUser(trx: Trx, using: Using, id: string, active: boolean, staff: StaffFrom): Promise<void> {
  const found = await findBillingUserById(trx, id);
  if (found === undefined) throw nothingThere();
  const place = await lockPlaceOf(trx, found.realmId, found.serverId);
  const user = (await findBillingUserById(trx, id)) ?? found;
  if ((user.state === 'deactivated') !== active) throw already(active ? 'active' : 'deactivated');
  if (!active && user.state === 'confirmed' && (await standingUsers(trx, place)).length === 1) throw lastOne();
  // Who never confirmed an address has not done so by being taken back (SECURITY.md 17).
  await setBillingUserState(trx, id, active ? (user.lastLogin === null ? 'pending' : 'confirmed') : 'deactivated');
  if (!active) await endBillingSessions(trx, { userId: id }, new Date());
  await record(trx, using, staff, active ? 'user_reactivated' : 'user_deactivated', { serverId: place.server.id, realmId: place.realm?.id, userId: id });
}

async function lockPlaceOf(trx: Trx, realmId: string | null, serverId: string | null): Promise<Place> {
  const owner = serverId ?? (realmId === null ? undefined : (await findRealm(trx, realmId))?.serverId);
  const place = owner === undefined ? undefined : await lockPlace(trx, { serverId: owner, realmId });
  if (place === undefined) throw nothingThere();
  return place;
}

/** Mails about the plan would reach nobody. Somebody new is let in by their server, or by its key. */
function lastOne(): AppError {
  return notPossible('Nobody else may sign in here: let somebody else confirm an address first, or deactivate the realm or the server.');
}

function already(state: 'active' | 'deactivated'): AppError {
  return notPossible(`It is ${state} already: read it again.`);
}

async function record(trx: Trx, using: Using, staff: StaffFrom, act: BillingAct, of: { serverId?: string | undefined; realmId?: string | undefined; userId?: string }): Promise<void> {
  await recordAct(trx, { at: using.clock.now(), act, ...staff, ...of });
}
