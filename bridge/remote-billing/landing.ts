import type { BillingPage, PlanType } from '../db/remote-billing.schema.ts';
import type { Db, Trx } from '../db/schema.ts';
import type { Place } from './place.ts';
import { findAccount } from './plans/account.store.ts';
import { findPlan } from './plans/plan.store.ts';
import { findRealm } from './realm.store.ts';
import { findServer } from './server.store.ts';

const LANDINGS: Readonly<Record<PlanType, BillingPage>> = { free: 'plans', community: 'sponsorship', basic: 'billing', business: 'billing', legacy: 'billing' };

/** Step 10: the page that was asked for, else by plan. Read anew: this very login may have moved one here. */
export async function landingPage(db: Db | Trx, nextPage: BillingPage | null, { server, realm }: Place): Promise<BillingPage> {
  if (nextPage !== null) return nextPage;
  const planType = (realm === undefined ? await findServer(db, server.id) : await findRealm(db, realm.id))?.planType ?? 'free';
  if (planType !== 'free') return LANDINGS[planType];
  const account = await findAccount(db, realm === undefined ? { serverId: server.id } : { realmId: realm.id });
  // Who has chosen a plan already wants to see that it comes, not to choose one.
  return account !== undefined && (await findPlan(db, account.id, 'scheduled')) !== undefined ? 'billing' : LANDINGS.free;
}
