import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../platform/clock.ts';
import type { Db, Trx } from '../../db/schema.ts';
import { recordAct, type BillingAct } from '../audit.store.ts';
import { isShut } from './account-standing.service.ts';
import { lockAccountById, showPlan, type Account } from './account.store.ts';
import { chargePeriod, invoice, type BillUsing } from './bill.service.ts';
import { planName } from './offer.ts';
import { queuePlanMails } from './plan-mails.service.ts';
import { accountsDue, accountsToRemind, activatePlan, dropScheduled, endPlan, findPlan, isPriced, updatePlan, type Plan } from './plan.store.ts';

const DAY_MILLISECONDS = 86_400_000;
const AT_ONCE = 100;

interface Using extends Omit<BillUsing, 'requestId'> {
  clock: Clock;
}

/**
 * What the domain clock has brought: periods renewed with their invoices, plans ended or changed, people reminded. As
 * often as it runs, and in as many processes: each end of a period is dealt with once, at its own instant.
 */
export async function sweepPlans(db: Db, using: Using): Promise<void> {
  const bill = { ...using, requestId: `sweep-${randomUUID()}` };
  const remindBy = () => new Date(using.clock.now().getTime() + using.catalog.reminder_days * DAY_MILLISECONDS);
  const failures = [
    ...(await sweepEach(db, (most) => accountsDue(db, using.clock.now(), most), (trx, id) => endPeriod(trx, bill, id))),
    ...(await sweepEach(db, (most) => accountsToRemind(db, using.clock.now(), remindBy(), most), (trx, id) => remind(trx, bill, id, remindBy()))),
  ];
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} of the accounts that were due could not be dealt with`, { cause: failures[0] });
}

/** Until none is left; one that fails is left for the next run, and holds up none of the others. */
async function sweepEach(db: Db, find: (most: number) => Promise<readonly string[]>, deal: (trx: Trx, accountId: string) => Promise<void>): Promise<readonly unknown[]> {
  const failed = new Map<string, unknown>();
  for (;;) {
    const left = (await find(AT_ONCE + failed.size)).filter((id) => !failed.has(id));
    if (left.length === 0) return [...failed.values()];
    for (const id of left) await db.transaction().execute((trx) => deal(trx, id)).catch((error: unknown) => failed.set(id, error));
  }
}

/** One period's end. Somebody else may have seen to it while this waited for the account. */
async function endPeriod(trx: Trx, using: Using & BillUsing, accountId: string): Promise<void> {
  const account = await lockAccountById(trx, accountId);
  const plan = await findPlan(trx, accountId, 'active');
  if (plan?.periodEndsAt == null || plan.periodEndsAt > using.clock.now()) return;
  const at = plan.periodEndsAt;
  const next = await findPlan(trx, accountId, 'scheduled');
  const shut = await isShut(trx, account);
  if (!shut && next === undefined && isPriced(plan) && plan.renews) {
    const made = await invoice(trx, using, account, [await chargePeriod(trx, plan, at)], at);
    return record(trx, using, account, 'plan_renewed', at, { invoice: made.number });
  }
  await endPlan(trx, plan.id, at);
  await record(trx, using, account, 'plan_ended', at, { plan: plan.type, ...(shut && { reason: 'deactivated' }) });
  if (next !== undefined && !shut) return begin(trx, using, account, next, at);
  await dropScheduled(trx, accountId);
  await showPlan(trx, account, 'free');
}

async function begin(trx: Trx, using: Using & BillUsing, account: Account, next: Plan, at: Date): Promise<void> {
  await activatePlan(trx, next.id);
  await showPlan(trx, account, next.type);
  // Its period begins where the one before ended, not where it was agreed.
  const made = isPriced(next) ? await invoice(trx, using, account, [await chargePeriod(trx, { ...next, anchor: at, periods: 0 }, at)], at) : undefined;
  await record(trx, using, account, 'plan_begun', at, { plan: next.type, ...(made && { invoice: made.number }) });
}

async function remind(trx: Trx, using: Using & BillUsing, accountId: string, by: Date): Promise<void> {
  const account = await lockAccountById(trx, accountId);
  const [plan, next] = [await findPlan(trx, accountId, 'active'), await findPlan(trx, accountId, 'scheduled')];
  if (plan?.periodEndsAt == null || plan.periodEndsAt > by) return;
  await updatePlan(trx, plan.id, { reminded_for: plan.periodEndsAt });
  const shut = await isShut(trx, account);
  const ends = shut || next !== undefined || !isPriced(plan) || !plan.renews;
  // A month is short: who pays monthly is told of an end, not of every renewal.
  if (!ends && plan.months < 12) return;
  const after = !shut && isPriced(next) ? { plan: planName(using.catalog, next.type), seats: next.seats } : undefined;
  await queuePlanMails(trx, using, account, 'billing_reminder', { plan: planName(using.catalog, plan.type), endsAt: plan.periodEndsAt, ends, ...(after && { next: after }) }, using.clock.now());
}

async function record(trx: Trx, using: BillUsing, account: Account, act: BillingAct, at: Date, details: Readonly<Record<string, unknown>>): Promise<void> {
  await recordAct(trx, { at, act, actor: { kind: 'system' }, serverId: account.serverId ?? undefined, realmId: account.realmId ?? undefined, requestId: using.requestId, details });
}
