import type { AppError } from '../../../platform/problem.ts';
import type { Db, Trx } from '../../db/schema.ts';
import { recordAct, type BillingAct } from '../audit.store.ts';
import type { Place } from '../place.ts';
import { findAccount, lockAccount, showPlan, type Account } from '../plans/account.store.ts';
import { creditRest, invoice } from '../plans/bill.service.ts';
import { agreeToPlan, changeSeats, dropScheduledPlan, otherHasPlan, quotePlan, quoteSeats, setRenewal, type Acting, type PlanChange, type PlanUsing, type When } from '../plans/plan.service.ts';
import { NOTHING } from '../plans/money.ts';
import type { Wanted } from '../plans/offer.ts';
import { dropScheduled, endPlan, findPlan, insertPlan, isOver, isPriced, updatePlan, type Plan } from '../plans/plan.store.ts';
import { queueSponsorshipMails } from '../plans/plan-mails.service.ts';
import { decideRequest } from '../plans/sponsorship.store.ts';
import { ofPlace } from './read-place.service.ts';
import { notPossible, nothingThere, type StaffFrom } from './staff.ts';

export interface Gift {
  type: 'community' | 'legacy';
  endsAt: Date | undefined;
}

/** What `changePlan` asks for. Undefined where a person could not have it either. */
export async function giveQuote(db: Db, using: PlanUsing, place: Place, wanted: Wanted & { when: When }) {
  const quote = await quotePlan(db, using, (await findAccount(db, ofPlace(place)))?.id, wanted);
  if (quote === undefined) {
    throw notPossible('Not to be had like that: too few seats, the plan it is already, no end to wait for, or less than is left of the running period. Choose another plan, or the end of the current one.');
  }
  return quote;
}

/** As if a person of the place had agreed. Gives the invoice's number where there is one. */
export async function changePlan(db: Db, using: PlanUsing, place: Place, agreed: Wanted & { when: When; total: number }, staff: StaffFrom): Promise<number | undefined> {
  return numberOf(await agreeToPlan(db, using, acting(place, staff), agreed));
}

/** What `staffSeats` asks for. */
export async function giveSeatsQuote(db: Db, using: PlanUsing, place: Place, seats: number) {
  const quote = await quoteSeats(db, using, (await findAccount(db, ofPlace(place)))?.id, seats);
  if (quote === undefined) throw notPossible('Not to be had like that: no paid plan runs here, or these are fewer seats than it begins at.');
  return quote;
}

export async function staffSeats(db: Db, using: PlanUsing, place: Place, agreed: { seats: number; total: number }, staff: StaffFrom): Promise<number | undefined> {
  return numberOf(await changeSeats(db, using, acting(place, staff), agreed));
}

export async function staffRenewal(db: Db, using: PlanUsing, place: Place, renews: boolean, staff: StaffFrom): Promise<number | undefined> {
  return numberOf(await setRenewal(db, using, acting(place, staff), renews));
}

export async function staffUnschedule(db: Db, using: PlanUsing, place: Place, staff: StaffFrom): Promise<number | undefined> {
  return numberOf(await dropScheduledPlan(db, using, acting(place, staff)));
}

/** A plan that costs nothing, in place of another such or of none. */
export async function givePlan(db: Db, using: PlanUsing, place: Place, gift: Gift, staff: StaffFrom): Promise<void> {
  const at = using.clock.now();
  if (gift.type === 'legacy' && gift.endsAt === undefined) throw notPossible('A legacy plan must have an end: say when.');
  if (gift.endsAt !== undefined && gift.endsAt <= at) throw notPossible('The end has passed: choose a later one.');
  await db.transaction().execute(async (trx) => {
    const account = await lockAccount(trx, ofPlace(place));
    await demandNoOtherPlan(trx, place);
    await give(trx, using, account, gift, at);
    await record(trx, place, staff, 'plan_given', at, { plan: gift.type, ends_at: gift.endsAt });
  });
}

/** What there is to give back where a plan ends at once. */
export async function giveEndQuote(db: Db, using: PlanUsing, place: Place) {
  const account = await findAccount(db, ofPlace(place));
  const plan = account && (await findPlan(db, account.id, 'active'));
  if (plan === undefined) throw notPossible('No plan runs here.');
  demandRunning(plan, using.clock.now());
  return { plan, credit: isPriced(plan) ? creditRest(plan, using.clock.now()).entry : NOTHING };
}

/** What is left of a paid period is given back by an invoice of a negative amount, as much as `giveBack` says, or not (undefined). */
export async function endNow(db: Db, using: PlanUsing, place: Place, { giveBack }: { giveBack: number | undefined }, staff: StaffFrom): Promise<number | undefined> {
  const at = using.clock.now();
  return db.transaction().execute(async (trx) => {
    const account = await lockAccount(trx, ofPlace(place));
    const plan = await findPlan(trx, account.id, 'active');
    if (plan === undefined) throw notPossible('No plan runs here.');
    if (giveBack !== undefined && !isPriced(plan)) throw notPossible('This plan costs nothing: there is nothing to give back.');
    demandRunning(plan, at);
    const credit = giveBack !== undefined && isPriced(plan) ? creditRest(plan, at) : undefined;
    if (credit !== undefined && 0 - credit.entry.total !== giveBack) throw notPossible('Something else is left of the period now: look at it again.');
    await endPlan(trx, plan.id, at);
    await dropScheduled(trx, account.id);
    await showPlan(trx, account, 'free');
    const made = credit && (await invoice(trx, { ...using, requestId: staff.requestId }, account, [credit], at));
    await record(trx, place, staff, 'plan_ended', at, { plan: plan.type, ...(made && { invoice: made.number }) });
    return made?.number;
  });
}

/** Approved, it gives the community plan, whatever plan was asked for. */
export async function decideSponsorship(db: Db, using: PlanUsing, place: Place, { id, approve }: { id: string; approve: boolean }, staff: StaffFrom): Promise<void> {
  const at = using.clock.now();
  await db.transaction().execute(async (trx) => {
    const account = await lockAccount(trx, ofPlace(place));
    if (approve) await demandNoOtherPlan(trx, place);
    const decided = await decideRequest(trx, { id, accountId: account.id, state: approve ? 'granted' : 'declined', at });
    if (decided === 'unknown') throw nothingThere();
    if (decided === 'decided before') throw notPossible('This request has been decided already: read it again.');
    if (approve) await give(trx, using, account, { type: 'community', endsAt: undefined }, at);
    await queueSponsorshipMails(trx, { ...using, requestId: staff.requestId }, account, { granted: approve, askedAt: decided.askedAt }, at);
    await record(trx, place, staff, approve ? 'sponsorship_granted' : 'sponsorship_declined', at, { sponsorship: id });
  });
}

async function give(trx: Trx, using: PlanUsing, account: Account, { type, endsAt }: Gift, at: Date): Promise<void> {
  const [current, next] = [await findPlan(trx, account.id, 'active'), await findPlan(trx, account.id, 'scheduled')];
  if (current !== undefined) demandRunning(current, at);
  if (isPriced(current)) throw notPossible('A paid plan runs: end it first.');
  // What was agreed to begin with the end of the plan before would lose that end.
  if (next !== undefined) throw notPossible('A plan is scheduled: take that back first.');
  if (current !== undefined) await endPlan(trx, current.id, at);
  const id = await insertPlan(trx, { accountId: account.id, type, months: null, seats: null, unitPrice: null, currency: using.catalog.currency, taxBasisPoints: 0, agreedAt: at }, 'active');
  if (endsAt !== undefined) await updatePlan(trx, id, { period_ends_at: endsAt });
  await showPlan(trx, account, type);
}

function demandRunning(plan: Plan, at: Date): void {
  if (isOver(plan, at)) throw notPossible('The period has just ended and is being dealt with: read it again.');
}

async function demandNoOtherPlan(trx: Trx, { server, realm }: Place): Promise<void> {
  if (await otherHasPlan(trx, server.id, realm?.id ?? null)) throw otherPlanRuns();
}

function otherPlanRuns(): AppError {
  return notPossible('The whole server or a realm of it has a plan: end that one first.');
}

function acting(place: Place, staff: StaffFrom): Acting {
  return { of: ofPlace(place), audit: { serverId: place.server.id, realmId: place.realm?.id, ...staff } };
}

function numberOf(change: PlanChange): number | undefined {
  if (change.result === 'plan_conflict') throw otherPlanRuns();
  if (change.result === 'changed') throw notPossible('It is not as it was shown, or not to be had like that: read it again.');
  return change.result === 'begun' ? change.invoiceNumber : undefined;
}

async function record(trx: Trx, place: Place, staff: StaffFrom, act: BillingAct, at: Date, details: Readonly<Record<string, unknown>>): Promise<void> {
  await recordAct(trx, { ...acting(place, staff).audit, act, at, details });
}
