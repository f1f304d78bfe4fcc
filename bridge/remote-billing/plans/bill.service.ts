import type { InvoiceLine } from '../../db/billing-plans.schema.ts';
import type { Trx } from '../../db/schema.ts';
import type { Catalog } from '../catalog.ts';
import type { Account } from './account.store.ts';
import { insertInvoice, takeInvoiceNumber, type Invoice, type LedgerEntry } from './invoice.store.ts';
import { monthsAfter, remainingNet, sumOf, withTax } from './money.ts';
import { beginPeriod, type Priced, type Running } from './plan.store.ts';
import { queueInvoiceMails, type BillingMailUsing } from './plan-mails.service.ts';

const DAY_MILLISECONDS = 86_400_000;

/** Where a payment provider attaches: told of each invoice in the transaction that makes it, so that collecting it can be queued there. */
export interface Payments {
  collect(trx: Trx, invoice: { number: number; total: number; currency: string }): Promise<void>;
}

/** People pay by bank transfer, as the invoice says. */
export const noPayments: Payments = { collect: async () => {} };

export interface BillUsing extends BillingMailUsing {
  catalog: Catalog;
  payments: Payments;
}

export interface Charge {
  plan: Priced;
  entry: LedgerEntry;
}

/** The next period of a plan begins: charged whole, for the seats that were asked for. `plan` has a period already, or none yet. */
export async function chargePeriod(trx: Trx, plan: Priced & Partial<Pick<Running, 'anchor' | 'periods'>>, at: Date): Promise<Charge> {
  const seats = plan.nextSeats ?? plan.seats;
  const [anchor, periods] = [plan.anchor ?? at, (plan.periods ?? 0) + 1];
  const [startsAt, endsAt] = [monthsAfter(anchor, plan.months * (periods - 1)), monthsAfter(anchor, plan.months * periods)];
  await beginPeriod(trx, plan.id, { anchor, periods, seats, startsAt, endsAt });
  const entry = { kind: 'period', planId: plan.id, seats, periodStartsAt: startsAt, periodEndsAt: endsAt, ...withTax(plan.unitPrice * seats, plan.taxBasisPoints) } as const;
  return { plan: { ...plan, seats }, entry };
}

/** What more seats cost for the rest of the period. */
export function chargeSeats(plan: Running, seats: number, at: Date): Charge {
  const net = restOf(plan, seats, at) - restOf(plan, plan.seats, at);
  return { plan, entry: entryOf(plan, 'seats', seats - plan.seats, net) };
}

/** What is given back of a period that another plan takes the place of. */
export function creditRest(plan: Running, at: Date): Charge {
  return { plan, entry: entryOf(plan, 'credit', plan.seats, -restOf(plan, plan.seats, at)) };
}

function restOf(plan: Running, seats: number, at: Date): number {
  return remainingNet({ seats, unitPrice: plan.unitPrice }, { startsAt: plan.periodStartsAt, endsAt: plan.periodEndsAt }, at);
}

function entryOf(plan: Running, kind: LedgerEntry['kind'], seats: number, net: number): LedgerEntry {
  return { kind, planId: plan.id, seats, periodStartsAt: plan.periodStartsAt, periodEndsAt: plan.periodEndsAt, ...withTax(net, plan.taxBasisPoints) };
}

/** One invoice for these charges, numbered, entered in the ledger and mailed. */
export async function invoice(trx: Trx, using: BillUsing, account: Account, charges: readonly Charge[], issuedAt: Date): Promise<Invoice> {
  const [first] = charges;
  if (first === undefined) throw new Error('An invoice needs a charge');
  const entries = charges.map(({ entry }) => entry);
  const made: Invoice = {
    number: await takeInvoiceNumber(trx),
    issuedAt,
    dueAt: new Date(issuedAt.getTime() + using.catalog.due_days * DAY_MILLISECONDS),
    currency: first.plan.currency,
    ...sumOf(entries),
    content: {
      seller: using.catalog.seller,
      buyer: { legalName: account.legalName, postalAddress: account.postalAddress, vatId: account.vatId, purchaseOrder: account.purchaseOrder, place: account.realmId ?? account.serverId ?? '' },
      lines: charges.map(lineOf),
      taxBasisPoints: first.plan.taxBasisPoints,
    },
  };
  await insertInvoice(trx, account.id, made, entries);
  await using.payments.collect(trx, made);
  await queueInvoiceMails(trx, using, account, made);
  return made;
}

function lineOf({ plan, entry }: Charge): InvoiceLine {
  const { kind, seats, net, tax, total } = entry;
  return { kind, plan: plan.type, seats, unitPrice: plan.unitPrice, months: plan.months, periodStartsAt: entry.periodStartsAt.toISOString(), periodEndsAt: entry.periodEndsAt.toISOString(), net, tax, total };
}
