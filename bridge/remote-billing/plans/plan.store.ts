import type { PlanKind, PricedPlan } from '../../db/billing-plans.schema.ts';
import type { Db, Trx } from '../../db/schema.ts';

interface AnyPlan {
  id: string;
  accountId: string;
  currency: string;
  taxBasisPoints: number;
  /** Null: open-ended, or scheduled. */
  periodEndsAt: Date | null;
  renews: boolean;
}

/** One that costs something. Its period is the one that is paid. */
export interface Priced extends AnyPlan {
  type: PricedPlan;
  months: number;
  seats: number;
  /** From the next period on. */
  nextSeats: number | null;
  unitPrice: number;
}

export type Plan = Priced | (AnyPlan & { type: Exclude<PlanKind, PricedPlan> });
/** Active, so that it has a period. */
export type Running = Priced & { anchor: Date; periods: number; periodStartsAt: Date; periodEndsAt: Date };

export function isPriced<One extends Plan>(plan: One | undefined): plan is One & Priced {
  return plan?.type === 'basic' || plan?.type === 'business';
}

/** Until the sweep has dealt with it, nothing of this plan is as it is going to be. */
export function isOver(plan: Pick<AnyPlan, 'periodEndsAt'> | undefined, at: Date): boolean {
  return plan?.periodEndsAt != null && plan.periodEndsAt <= at;
}

export async function findPlan(db: Db | Trx, accountId: string, state: 'active'): Promise<Running | Exclude<Plan, Priced> | undefined>;
export async function findPlan(db: Db | Trx, accountId: string, state: 'scheduled'): Promise<Plan | undefined>;
export async function findPlan(db: Db | Trx, accountId: string, state: 'active' | 'scheduled'): Promise<Plan | undefined> {
  const row = await db
    .selectFrom('bridge.billing_plan')
    .select([
      'id',
      'account_id as accountId',
      'type',
      'months',
      'seats',
      'next_seats as nextSeats',
      'unit_price as unitPrice',
      'currency',
      'tax_basis_points as taxBasisPoints',
      'anchor',
      'periods',
      'period_starts_at as periodStartsAt',
      'period_ends_at as periodEndsAt',
      'renews',
    ])
    .where('account_id', '=', accountId)
    .where('state', '=', state)
    .executeTakeFirst();
  return row && ({ ...row, unitPrice: row.unitPrice === null ? null : Number(row.unitPrice) } as Plan);
}

export interface NewPlan {
  accountId: string;
  type: PlanKind;
  months: number | null;
  seats: number | null;
  unitPrice: number | null;
  currency: string;
  taxBasisPoints: number;
  agreedAt: Date;
}

export async function insertPlan(trx: Trx, plan: NewPlan, state: 'scheduled' | 'active'): Promise<string> {
  const { id } = await trx
    .insertInto('bridge.billing_plan')
    .values({
      account_id: plan.accountId,
      type: plan.type,
      state,
      months: plan.months,
      seats: plan.seats,
      next_seats: null,
      unit_price: plan.unitPrice === null ? null : String(plan.unitPrice),
      currency: plan.currency,
      tax_basis_points: plan.taxBasisPoints,
      anchor: null,
      period_starts_at: null,
      period_ends_at: null,
      reminded_for: null,
      agreed_at: plan.agreedAt,
      ended_at: null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

export async function activatePlan(trx: Trx, id: string): Promise<void> {
  await trx.updateTable('bridge.billing_plan').set({ state: 'active' }).where('id', '=', id).execute();
}

export async function beginPeriod(trx: Trx, id: string, period: { anchor: Date; periods: number; seats: number; startsAt: Date; endsAt: Date }): Promise<void> {
  await trx
    .updateTable('bridge.billing_plan')
    .set({ anchor: period.anchor, periods: period.periods, seats: period.seats, next_seats: null, period_starts_at: period.startsAt, period_ends_at: period.endsAt })
    .where('id', '=', id)
    .execute();
}

export async function updatePlan(trx: Trx, id: string, change: { seats?: number; next_seats?: number | null; renews?: boolean; period_ends_at?: Date; reminded_for?: Date }): Promise<void> {
  await trx.updateTable('bridge.billing_plan').set(change).where('id', '=', id).execute();
}

export async function endPlan(trx: Trx, id: string, at: Date): Promise<void> {
  await trx.updateTable('bridge.billing_plan').set({ state: 'ended', ended_at: at }).where('id', '=', id).execute();
}

export async function dropScheduled(trx: Trx, accountId: string): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('bridge.billing_plan')
    .set({ state: 'ended' })
    .where('account_id', '=', accountId)
    .where('state', '=', 'scheduled')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Whether a plan that costs something runs or is to begin: the realm's, or without one the server's and those of all its realms. */
export async function hasPricedPlan(trx: Trx, { serverId, realmId }: { serverId: string; realmId?: string }): Promise<boolean> {
  const plans = trx
    .selectFrom('bridge.billing_plan as p')
    .innerJoin('bridge.billing_account as a', 'a.id', 'p.account_id')
    .leftJoin('bridge.remote_realm as r', 'r.id', 'a.realm_id')
    .select('p.id')
    .where('p.state', 'in', ['active', 'scheduled'])
    .where('p.type', 'in', ['basic', 'business']);
  const own = realmId === undefined ? plans.where((eb) => eb.or([eb('a.server_id', '=', serverId), eb('r.server_id', '=', serverId)])) : plans.where('a.realm_id', '=', realmId);
  return (await own.limit(1).executeTakeFirst()) !== undefined;
}

/** Accounts whose plan has come to the end of a period by then. */
export async function accountsDue(db: Db, by: Date, most: number): Promise<readonly string[]> {
  const rows = await db.selectFrom('bridge.billing_plan').select('account_id as id').where('state', '=', 'active').where('period_ends_at', '<=', by).orderBy('period_ends_at').limit(most).execute();
  return rows.map(({ id }) => id);
}

/** Those that end by then and have not been reminded of this end. */
export async function accountsToRemind(db: Db, after: Date, by: Date, most: number): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('bridge.billing_plan')
    .select('account_id as id')
    .where('state', '=', 'active')
    .where('period_ends_at', '>', after)
    .where('period_ends_at', '<=', by)
    .where((eb) => eb.or([eb('reminded_for', 'is', null), eb('reminded_for', '<', eb.ref('period_ends_at'))]))
    .limit(most)
    .execute();
  return rows.map(({ id }) => id);
}
