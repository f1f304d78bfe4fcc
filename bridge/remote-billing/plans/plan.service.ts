import type { Clock } from '../../../platform/clock.ts';
import type { Db, Trx } from '../../db/schema.ts';
import { recordAct, type AuditEntry, type BillingAct } from '../audit.store.ts';
import { readBillingSession } from '../billing-session.service.ts';
import { findRealmsOfServer } from '../realm.store.ts';
import { findServer, findServerForUpdate } from '../server.store.ts';
import { isShut } from './account-standing.service.ts';
import { lockAccount, showPlan, type Account, type AccountOf } from './account.store.ts';
import { chargePeriod, chargeSeats, creditRest, invoice, type BillUsing, type Charge } from './bill.service.ts';
import { NOTHING } from './money.ts';
import { MOST_SEATS, offerFor, planName, type Offer, type Wanted } from './offer.ts';
import { queuePlanMails } from './plan-mails.service.ts';
import { dropScheduled, endPlan, findPlan, insertPlan, isOver, isPriced, updatePlan, type Plan, type Priced, type Running } from './plan.store.ts';

export interface PlanUsing extends Omit<BillUsing, 'requestId'> {
  clock: Clock;
}

/** Who acts on whose plan. */
export interface Acting {
  of: AccountOf;
  /** Of a person: it must be alive still when their turn comes. */
  sessionId?: string;
  audit: Pick<AuditEntry, 'actor' | 'serverId' | 'realmId' | 'userId' | 'clientAddress' | 'requestId' | 'reason'>;
}

export type When = 'now' | 'at_end';
/** `changed`: not what the person saw; show the page again. `plan_conflict`: the whole server has a plan, or an organization of it. */
export type PlanChange = { result: 'begun'; invoiceNumber: number } | { result: 'scheduled' } | { result: 'done' } | { result: 'changed' } | { result: 'plan_conflict' };

/**
 * The person agreed to `total`: from now on, or when the current plan ends. What is left of a running period is given
 * back; where that is more than the new plan costs, only its end will do.
 */
export async function agreeToPlan(db: Db, using: PlanUsing, acting: Acting, agreed: Wanted & { when: When; total: number }): Promise<PlanChange> {
  return changing(db, using, acting, async (trx, account, bill, at) => {
    if (await isShut(trx, account)) return { result: 'changed' };
    if (await otherHasPlan(trx, acting.audit.serverId ?? '', account.realmId)) {
      await record(trx, acting, 'refused', at, { step: 'plan/agree', reason: 'plan_conflict' });
      return { result: 'plan_conflict' };
    }
    const offer = offerFor(using.catalog, agreed);
    if (offer === undefined) return { result: 'changed' };
    const current = await findPlan(trx, account.id, 'active');
    const plan = { accountId: account.id, type: offer.type, months: offer.months, seats: offer.seats, unitPrice: offer.unitPrice, currency: offer.currency, taxBasisPoints: offer.taxBasisPoints, agreedAt: at };
    if (agreed.when === 'at_end') {
      if (offer.total !== agreed.total || current?.periodEndsAt == null) return { result: 'changed' };
      await dropScheduled(trx, account.id);
      await insertPlan(trx, plan, 'scheduled');
      await record(trx, acting, 'plan_scheduled', at, { ...agreed, begins_at: current.periodEndsAt });
      await queuePlanMails(trx, bill, account, 'billing_stopped', { plan: planName(using.catalog, current.type), endsAt: current.periodEndsAt, ends: true, next: { plan: planName(using.catalog, offer.type), seats: offer.seats } }, at);
      return { result: 'scheduled' };
    }
    const credit = isPriced(current) ? [creditRest(current, at)] : [];
    const owed = offer.total + (credit[0]?.entry.total ?? 0);
    if (owed !== agreed.total || owed < 0 || mustWait(current, offer)) return { result: 'changed' };
    if (current !== undefined) await endPlan(trx, current.id, at);
    await dropScheduled(trx, account.id);
    const id = await insertPlan(trx, plan, 'active');
    const begun: Priced = { ...plan, id, periodEndsAt: null, renews: true, nextSeats: null };
    const made = await invoice(trx, bill, account, [...credit, await chargePeriod(trx, begun, at)], at);
    await showPlan(trx, account, offer.type);
    await record(trx, acting, 'plan_begun', at, { ...agreed, invoice: made.number });
    return { result: 'begun', invoiceNumber: made.number };
  });
}

/** The same plan goes on as it was agreed to; and one invoice, with what is given back, is in one currency with one tax. */
function mustWait(current: Plan | undefined, offer: Offer): boolean {
  return isPriced(current) && (current.type === offer.type || current.currency !== offer.currency || current.taxBasisPoints !== offer.taxBasisPoints);
}

/** What `agreeToPlan` would ask for. Undefined: not to be had like that. */
export async function quotePlan(db: Db, using: PlanUsing, accountId: string | undefined, wanted: Wanted & { when: When }) {
  const offer = offerFor(using.catalog, wanted);
  const current = accountId === undefined ? undefined : await findPlan(db, accountId, 'active');
  if (offer === undefined || isOver(current, using.clock.now()) || (wanted.when === 'at_end' && current?.periodEndsAt == null)) return undefined;
  const credit = wanted.when === 'now' && isPriced(current) ? creditRest(current, using.clock.now()).entry : { net: 0, tax: 0, total: 0 };
  const [net, tax, total] = [offer.net + credit.net, offer.tax + credit.tax, offer.total + credit.total];
  if (total < 0 || (wanted.when === 'now' && mustWait(current, offer))) return undefined;
  return { offer, credit: { net: 0 - credit.net, tax: 0 - credit.tax, total: 0 - credit.total }, net, tax, total, beginsAt: wanted.when === 'now' ? using.clock.now() : current!.periodEndsAt! };
}

/** What `changeSeats` would ask for. Undefined: not to be had like that. */
export async function quoteSeats(db: Db, using: PlanUsing, accountId: string | undefined, seats: number) {
  const plan = accountId === undefined ? undefined : await findPlan(db, accountId, 'active');
  if (!mayHaveSeats(using, plan, seats) || isOver(plan, using.clock.now()) || (await wouldNotCount(db, plan, seats))) return undefined;
  const { net, tax, total } = seats > plan.seats ? chargeSeats(plan, seats, using.clock.now()).entry : NOTHING;
  return { plan, seats, net, tax, total, countsFrom: seats > plan.seats ? using.clock.now() : plan.periodEndsAt };
}

/** More seats from now on, for the `total` that was agreed to; fewer from the next period on, for nothing. */
export async function changeSeats(db: Db, using: PlanUsing, acting: Acting, { seats, total }: { seats: number; total: number }): Promise<PlanChange> {
  return changing(db, using, acting, async (trx, account, bill, at) => {
    const plan = await findPlan(trx, account.id, 'active');
    if (!mayHaveSeats(using, plan, seats) || (await wouldNotCount(trx, plan, seats))) return { result: 'changed' };
    const charge: Charge | undefined = seats > plan.seats ? chargeSeats(plan, seats, at) : undefined;
    if (total !== (charge?.entry.total ?? 0)) return { result: 'changed' };
    await record(trx, acting, 'seats_changed', at, { from: plan.seats, to: seats });
    if (charge === undefined) {
      await updatePlan(trx, plan.id, { next_seats: seats === plan.seats ? null : seats });
      const name = planName(using.catalog, plan.type);
      if (seats < plan.seats) await queuePlanMails(trx, bill, account, 'billing_stopped', { plan: name, endsAt: plan.periodEndsAt, ends: false, next: { plan: name, seats } }, at);
      return { result: 'done' };
    }
    await updatePlan(trx, plan.id, { seats, next_seats: null });
    const made = await invoice(trx, bill, account, [charge], at);
    return { result: 'begun', invoiceNumber: made.number };
  });
}

function mayHaveSeats(using: PlanUsing, plan: Plan | undefined, seats: number): plan is Running {
  return isPriced(plan) && seats >= using.catalog.plans[plan.type].minimum_seats && seats <= MOST_SEATS;
}

/** Fewer seats count from the next period on: there is none where another plan begins then. */
async function wouldNotCount(db: Db | Trx, plan: Running, seats: number): Promise<boolean> {
  return seats < plan.seats && (await findPlan(db, plan.accountId, 'scheduled')) !== undefined;
}

/** The plan ends with its period, or after all it does not. */
export async function setRenewal(db: Db, using: PlanUsing, acting: Acting, renews: boolean): Promise<PlanChange> {
  return changing(db, using, acting, async (trx, account, bill, at) => {
    const plan = await findPlan(trx, account.id, 'active');
    if (!isPriced(plan)) return { result: 'changed' };
    // It ends there anyway, and something else begins: who wants neither takes that back first.
    if ((await findPlan(trx, account.id, 'scheduled')) !== undefined) return { result: 'changed' };
    if (plan.renews === renews) return { result: 'done' };
    await updatePlan(trx, plan.id, { renews });
    await record(trx, acting, renews ? 'renewal_resumed' : 'renewal_stopped', at, { ends_at: plan.periodEndsAt });
    if (!renews) await queuePlanMails(trx, bill, account, 'billing_stopped', { plan: planName(using.catalog, plan.type), endsAt: plan.periodEndsAt, ends: true }, at);
    return { result: 'done' };
  });
}

/** Takes back what was to begin at the end of the current plan. */
export async function dropScheduledPlan(db: Db, using: PlanUsing, acting: Acting): Promise<PlanChange> {
  return changing(db, using, acting, async (trx, account, _bill, at) => {
    if (!(await dropScheduled(trx, account.id))) return { result: 'changed' };
    await record(trx, acting, 'schedule_dropped', at, {});
    return { result: 'done' };
  });
}

/** One act of an account after the other. */
function changing(db: Db, using: PlanUsing, { of, audit, sessionId }: Acting, change: (trx: Trx, account: Account, bill: BillUsing, at: Date) => Promise<PlanChange>): Promise<PlanChange> {
  return db.transaction().execute(async (trx) => {
    if (audit.serverId !== undefined) await findServerForUpdate(trx, audit.serverId);
    // Whoever was signed out or deactivated while this waited changes nothing any more.
    if (sessionId !== undefined && (await readBillingSession(trx, sessionId)).result !== 'live') return { result: 'changed' };
    const account = await lockAccount(trx, of);
    const at = using.clock.now();
    // What comes after a period that is over is the sweep's to say, at most a minute later.
    if (isOver(await findPlan(trx, account.id, 'active'), at)) return { result: 'changed' };
    return change(trx, account, { ...using, requestId: audit.requestId }, at);
  });
}

/** A plan is a realm's or the whole server's, not both. `realmId` null: asked for the whole server. */
export async function otherHasPlan(trx: Trx, serverId: string, realmId: string | null): Promise<boolean> {
  if (realmId !== null) return (await findServer(trx, serverId))?.planType !== 'free';
  return (await findRealmsOfServer(trx, serverId)).some(({ planType }) => planType !== 'free');
}

async function record(trx: Trx, { audit }: Acting, act: BillingAct, at: Date, details: Readonly<Record<string, unknown>>): Promise<void> {
  await recordAct(trx, { ...audit, act, at, details });
}
