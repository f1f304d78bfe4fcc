import { z } from 'zod';
import { MOST_SEATS } from './offer.ts';

// oxlint-disable-next-line no-control-regex
const NO_CONTROL_CHARACTERS = /^[^\u0000-\u001f\u007f-\u009f]*$/;
// oxlint-disable-next-line no-control-regex
const ONLY_LINE_BREAKS = /^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f]*$/;
const MOST_RECIPIENTS = 10;

export const line = (max: number) => z.string().max(max).regex(NO_CONTROL_CHARACTERS, 'must not contain control characters');
const lines = (max: number) => z.string().max(max).regex(ONLY_LINE_BREAKS, 'must not contain control characters but line breaks');
const session_id = z.uuid().transform((id) => id.toLowerCase()).meta({ description: 'Of the billing session that this browser has' });
const amount = z.int().meta({ description: "In the currency's smallest unit" });
export const epochSeconds = z.int().meta({ description: 'Seconds since 1970' });
const priced = z.enum(['basic', 'business']);
const period = z.enum(['month', 'year']);
const when = z.enum(['now', 'at_end']).meta({ description: 'At once, or when the current plan ends' });
export const seats = z.int().min(1).max(MOST_SEATS);

/** What a call with a session may always answer. */
const over = z.strictObject({ result: z.literal('over'), login_url: z.string().optional() });
const refused = z.strictObject({ result: z.literal('refused'), reason: z.literal('deactivated'), support_url: z.string() });
const changed = z.strictObject({ result: z.literal('changed') }).meta({ description: 'Not as it was shown: show the page again' });
const done = z.strictObject({ result: z.literal('done') });

const plan = z.strictObject({
  type: z.enum(['community', 'basic', 'business', 'legacy']),
  name: z.string(),
  seats: z.int().nullable(),
  next_seats: z.int().nullable(),
  unit_price: amount.nullable(),
  currency: z.string().meta({ description: 'As it was agreed to' }),
  period: period.nullable(),
  period_ends_at: epochSeconds.nullable(),
  renews: z.boolean(),
});
const money = { net: amount, tax: amount, total: amount };
const entry = z.strictObject({ kind: z.enum(['period', 'seats', 'credit']), seats: z.int(), period_starts_at: epochSeconds, period_ends_at: epochSeconds, at: epochSeconds, invoice_number: z.int(), currency: z.string(), ...money });
const invoiceHead = z.strictObject({ number: z.int(), issued_at: epochSeconds, due_at: epochSeconds, currency: z.string(), ...money });
const details = z.strictObject({ legal_name: z.string(), postal_address: z.string(), vat_id: z.string(), purchase_order: z.string(), invoice_recipients: z.array(z.string()) });
const offer = z.strictObject({ type: priced, name: z.string(), minimum_seats: z.int(), month: amount, year: amount });

export const books = {
  plan: plan.nullable().meta({ description: 'null: the free plan' }),
  scheduled: plan.nullable().meta({ description: 'What begins when the plan ends' }),
  details,
  ledger: z.array(entry),
  invoices: z.array(invoiceHead),
};
export const offers = z.array(offer);
export const seatsReported = z.strictObject({ seats: z.int(), at: epochSeconds }).nullable();

export const sessionBody = z.strictObject({ session_id });

export const accountAnswer = z.discriminatedUnion('result', [
  z.strictObject({
    result: z.literal('account'),
    ...books,
    seats_reported: seatsReported.meta({ description: "The server's last count, to prefill with" }),
    sponsorship: z.strictObject({ state: z.enum(['pending', 'granted', 'declined']), requested_plan: z.string(), requested_at: epochSeconds }).nullable(),
    currency: z.string(),
    tax_percent: z.number(),
    offers,
  }),
  over,
  refused,
]);

export const detailsBody = z.strictObject({
  session_id,
  legal_name: line(200).optional(),
  postal_address: lines(1_000).optional(),
  vat_id: line(50).optional(),
  purchase_order: line(100).optional(),
  invoice_recipients: z.array(line(320)).max(MOST_RECIPIENTS).optional().meta({ description: 'Nobody: everybody who may sign in' }),
});
export const doneAnswer = z.discriminatedUnion('result', [done, changed, over, refused]);

export const wanted = { type: priced, period, seats, when };
export const quote = { ...money, currency: z.string(), unit_price: amount, tax_percent: z.number(), credit: z.strictObject(money).meta({ description: 'Given back of the running period; taken off already' }), begins_at: epochSeconds };
export const agreedTotal = z.int().min(0).meta({ description: 'What was shown and agreed to' });
export const quoteBody = z.strictObject({ session_id, ...wanted });
export const quoteAnswer = z.discriminatedUnion('result', [
  z.strictObject({ result: z.literal('quote'), ...quote }),
  changed.meta({ description: 'Not to be had like that' }),
  over,
  refused,
]);

export const agreeBody = z.strictObject({ session_id, ...wanted, total: agreedTotal });
export const planChangeAnswer = z.discriminatedUnion('result', [
  z.strictObject({ result: z.literal('begun'), invoice_number: z.int() }),
  z.strictObject({ result: z.literal('scheduled') }),
  done,
  changed,
  over,
  refused.extend({ reason: z.enum(['deactivated', 'plan_conflict']) }),
]);

export const seatsQuote = z
  .strictObject({ result: z.literal('quote'), ...money, currency: z.string(), tax_percent: z.number(), seats: z.int(), now: z.int().meta({ description: 'Seats that are paid for' }), counts_from: epochSeconds })
  .meta({ description: 'Nothing where seats are fewer: they count from the next period on' });
export const seatsQuoteBody = z.strictObject({ session_id, seats });
export const seatsQuoteAnswer = z.discriminatedUnion('result', [seatsQuote, changed.meta({ description: 'Not to be had like that' }), over, refused]);
export const seatsBody = z.strictObject({ session_id, seats, total: agreedTotal });
export const renewalBody = z.strictObject({ session_id, renews: z.boolean() });

export const sponsorshipBody = z.strictObject({
  session_id,
  organization_type: line(100).min(1),
  website: line(300).optional(),
  description: lines(3_000).min(1),
  expected_users: line(100).min(1),
  paid_users: line(300).optional(),
  requested_plan: z.enum(['community', 'basic', 'business']),
});
export const sponsorshipAnswer = z.discriminatedUnion('result', [z.strictObject({ result: z.literal('asked') }), z.strictObject({ result: z.literal('pending') }), over, refused]);

export const invoiceBody = z.strictObject({ session_id, number: z.int().min(1) });
export const issuedInvoice = z.strictObject({
  result: z.literal('invoice'),
  ...invoiceHead.shape,
  seller: z.string(),
  buyer: z.strictObject({ legal_name: z.string(), postal_address: z.string(), vat_id: z.string(), purchase_order: z.string() }),
  tax_percent: z.number(),
  lines: z.array(z.strictObject({ kind: z.enum(['period', 'seats', 'credit']), plan: z.string(), seats: z.int(), unit_price: amount, months: z.int(), period_starts_at: z.string(), period_ends_at: z.string(), ...money })),
});
export const invoiceAnswer = z.discriminatedUnion('result', [
  issuedInvoice,
  z.strictObject({ result: z.literal('unknown') }),
  over,
  refused,
]);

export const deactivateAnswer = z.discriminatedUnion('result', [
  z.strictObject({ result: z.literal('deactivated') }),
  z.strictObject({ result: z.literal('unknown') }).meta({ description: 'Not a session of a whole server' }),
  over,
  refused,
]);
