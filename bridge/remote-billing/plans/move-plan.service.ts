import type { Clock } from '../../../platform/clock.ts';
import type { Db, Trx } from '../../db/schema.ts';
import { findActiveRealms } from '../active-realms.ts';
import { recordAct } from '../audit.store.ts';
import type { From } from '../caller.ts';
import type { Place } from '../place.ts';
import type { RemoteRealm } from '../realm.store.ts';
import { deleteEmptyAccount, findAccount, giveAccountToRealm, lockAccountById, showPlan } from './account.store.ts';
import { findPlan } from './plan.store.ts';
import { findPendingSponsorship } from './sponsorship.store.ts';

/**
 * A plan is a realm's or the whole server's, not both. At a realm's login the server's plan moves to it where it is the
 * only active one. False: it can't, and support must help.
 */
export async function settlePlans(trx: Trx, using: { clock: Clock }, place: Place, from: From, nextPage: string | null): Promise<boolean> {
  return place.realm === undefined ? nextPage === 'deactivate' || !(await anyRealmHasPlan(trx, place)) : moveToRealm(trx, using, { ...place, realm: place.realm }, from);
}

async function moveToRealm(trx: Trx, using: { clock: Clock }, { server, realm }: Place & { realm: RemoteRealm }, from: From): Promise<boolean> {
  const found = await findAccount(trx, { serverId: server.id });
  if (found === undefined) return true;
  // Somebody else's login may be moving it.
  const account = await lockAccountById(trx, found.id);
  const plan = account.serverId === null ? undefined : await findPlan(trx, account.id, 'active');
  if (plan === undefined) return true;
  const active = (await findActiveRealms(trx, server)).map(({ id }) => id);
  if (active.length !== 1 || active[0] !== realm.id || (await findPendingSponsorship(trx, account.id)) !== undefined) return false;
  const own = await findAccount(trx, { realmId: realm.id });
  if (own !== undefined && !(await deleteEmptyAccount(trx, own.id, account.id))) return false;
  await giveAccountToRealm(trx, account.id, realm.id);
  await showPlan(trx, { realmId: realm.id, serverId: null }, plan.type);
  await showPlan(trx, { realmId: null, serverId: server.id }, 'free');
  await recordAct(trx, { at: using.clock.now(), act: 'plan_moved', actor: { kind: 'system' }, serverId: server.id, realmId: realm.id, ...from, details: { plan: plan.type } });
  return true;
}

async function anyRealmHasPlan(db: Db | Trx, place: Place): Promise<boolean> {
  return (await findActiveRealms(db, place.server)).some(({ planType }) => planType !== 'free');
}
