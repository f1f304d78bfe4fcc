import type { z } from 'zod';
import { epochSeconds } from '../../../platform/clock.ts';
import type { Catalog } from '../catalog.ts';
import type { RemoteRealm } from '../realm.store.ts';
import type { AccountState, NotLive, ReadAccount } from './account.service.ts';
import type { Invoice } from './invoice.store.ts';
import { planName } from './offer.ts';
import type { quotePlan, quoteSeats } from './plan.service.ts';
import { isPriced, type Plan } from './plan.store.ts';
import type { accountAnswer, invoiceAnswer, issuedInvoice, quoteAnswer, seatsQuote } from './plans.schemas.ts';

const NO_DETAILS = { legalName: '', postalAddress: '', vatId: '', purchaseOrder: '', invoiceRecipients: [] };

export function notLiveToWire(read: NotLive, catalog: Catalog) {
  if (read.result === 'refused') return { result: 'refused' as const, reason: 'deactivated' as const, support_url: catalog.support_url };
  return { result: 'over' as const, ...(read.loginUrl === undefined ? {} : { login_url: read.loginUrl }) };
}

export function accountToWire(read: ReadAccount, catalog: Catalog): z.input<typeof accountAnswer> {
  const { sponsorship } = read;
  return {
    result: 'account',
    ...booksToWire(read, catalog),
    seats_reported: seatsToWire(read.counted),
    sponsorship: sponsorship === undefined ? null : { state: sponsorship.state, requested_plan: sponsorship.requestedPlan, requested_at: epochSeconds(sponsorship.requestedAt) },
    currency: catalog.currency,
    tax_percent: catalog.tax_percent,
    offers: offersToWire(catalog),
  };
}

export function offersToWire(catalog: Catalog) {
  return (['basic', 'business'] as const).map((type) => ({ type, ...catalog.plans[type] }));
}

/** Of those that were reported, together, as old as the oldest. */
export function seatsToWire(realms: readonly Pick<RemoteRealm, 'seats' | 'seatsReportedAt'>[]) {
  const reported = realms.flatMap(({ seats, seatsReportedAt: at }) => (seats === null || at === null ? [] : [{ seats, at: epochSeconds(at) }]));
  if (reported.length === 0) return null;
  return { seats: reported.reduce((sum, { seats }) => sum + seats, 0), at: Math.min(...reported.map(({ at }) => at)) };
}

/** Plans, and what they cost whom. */
export function booksToWire(state: AccountState, catalog: Catalog) {
  const details = state.account ?? NO_DETAILS;
  const currencies = new Map(state.invoices.map(({ number, currency }) => [number, currency]));
  return {
    plan: planToWire(state.plan, catalog),
    scheduled: planToWire(state.scheduled, catalog),
    details: {
      legal_name: details.legalName,
      postal_address: details.postalAddress,
      vat_id: details.vatId,
      purchase_order: details.purchaseOrder,
      invoice_recipients: [...details.invoiceRecipients],
    },
    ledger: state.ledger.map(({ kind, seats, periodStartsAt, periodEndsAt, at, invoiceNumber, net, tax, total }) => ({
      kind,
      seats,
      period_starts_at: epochSeconds(periodStartsAt),
      period_ends_at: epochSeconds(periodEndsAt),
      at: epochSeconds(at),
      invoice_number: invoiceNumber,
      currency: currencies.get(invoiceNumber) ?? catalog.currency,
      net,
      tax,
      total,
    })),
    invoices: state.invoices.map(headToWire),
  };
}

function planToWire(plan: Plan | undefined, catalog: Catalog) {
  if (plan === undefined) return null;
  const priced = isPriced(plan) ? plan : undefined;
  return {
    type: plan.type,
    name: planName(catalog, plan.type),
    seats: priced?.seats ?? null,
    next_seats: priced?.nextSeats ?? null,
    unit_price: priced?.unitPrice ?? null,
    currency: plan.currency,
    period: priced === undefined ? null : priced.months === 12 ? ('year' as const) : ('month' as const),
    period_ends_at: plan.periodEndsAt && epochSeconds(plan.periodEndsAt),
    renews: plan.renews,
  };
}

export function quoteToWire(quote: Awaited<ReturnType<typeof quotePlan>>, catalog: Catalog): z.input<typeof quoteAnswer> {
  if (quote === undefined) return { result: 'changed' };
  const { offer, credit, net, tax, total, beginsAt } = quote;
  return { result: 'quote', net, tax, total, currency: offer.currency, unit_price: offer.unitPrice, tax_percent: catalog.tax_percent, credit, begins_at: epochSeconds(beginsAt) };
}

export function seatsQuoteToWire({ plan, seats, net, tax, total, countsFrom }: NonNullable<Awaited<ReturnType<typeof quoteSeats>>>): z.input<typeof seatsQuote> {
  return { result: 'quote', net, tax, total, currency: plan.currency, tax_percent: plan.taxBasisPoints / 100, seats, now: plan.seats, counts_from: epochSeconds(countsFrom) };
}

export function invoiceToWire(invoice: Invoice | undefined): z.input<typeof invoiceAnswer> {
  return invoice === undefined ? { result: 'unknown' } : issuedToWire(invoice);
}

export function issuedToWire(invoice: Invoice): z.input<typeof issuedInvoice> {
  const { seller, buyer, lines, taxBasisPoints } = invoice.content;
  return {
    result: 'invoice',
    ...headToWire(invoice),
    seller,
    buyer: { legal_name: buyer.legalName, postal_address: buyer.postalAddress, vat_id: buyer.vatId, purchase_order: buyer.purchaseOrder },
    tax_percent: taxBasisPoints / 100,
    lines: lines.map(({ unitPrice, periodStartsAt, periodEndsAt, ...line }) => ({ ...line, unit_price: unitPrice, period_starts_at: periodStartsAt, period_ends_at: periodEndsAt })),
  };
}

function headToWire({ number, issuedAt, dueAt, currency, net, tax, total }: Invoice) {
  return { number, issued_at: epochSeconds(issuedAt), due_at: epochSeconds(dueAt), currency, net, tax, total };
}
