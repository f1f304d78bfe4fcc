import { z } from 'zod';
import { agreedTotal, books, epochSeconds, issuedInvoice, line, offers, quote, seats, seatsQuote, seatsReported, wanted } from '../plans/plans.schemas.ts';

const MAX_SEARCH_LENGTH = 320;
const MOST_PENDING = 100;
const kinds = ['realm', 'server'] as const;

const id = z.uuid().transform((written) => written.toLowerCase());
const kind = z.enum(kinds);
const place = { kind, uuid: id };
/** What every act says: who of the staff, and why. Both stand in the audit. */
const act = {
  actor: line(100).min(1).meta({ description: "The member of staff: the person's `sub`" }),
  reason: line(500).min(1).meta({ description: 'Why; kept with the act' }),
};

const planType = z.enum(['free', 'community', 'basic', 'business', 'legacy']);
const hostVerified = z.boolean().meta({ description: "Proven by a challenge, of a realm only where the host is its server's; else what the server says of itself" });
const server = {
  uuid: z.string(),
  host: z.string(),
  host_verified: hostVerified,
  plan_type: planType,
  deactivated: z.boolean(),
};
const realm = {
  uuid: z.string(),
  server_uuid: z.string(),
  host: z.string(),
  host_verified: hostVerified,
  name: z.string(),
  plan_type: planType,
  deactivated: z.boolean().meta({ description: 'Here, by staff' }),
  deactivated_there: z.boolean().meta({ description: 'By its server, or deleted there' }),
};

export const searchBody = z.strictObject({ query: line(MAX_SEARCH_LENGTH).min(1).meta({ description: 'An e-mail address, part of a host, or a UUID' }) });
export const searchAnswer = z.strictObject({
  result: z.literal('found'),
  hits: z.array(
    z.strictObject({
      ...place,
      uuid: z.string(),
      server_uuid: z.string(),
      host: z.string(),
      host_verified: hostVerified,
      name: z.string().meta({ description: "The organization's; a server's host" }),
      deactivated: z.boolean(),
      matched: z.array(z.enum(['uuid', 'host', 'contact_email', 'billing_user', 'confirmation', 'invoice_recipient'])),
    }),
  ),
  more: z.boolean().meta({ description: 'Not all: ask for something narrower' }),
});

const sponsorship = z.strictObject({
  id: z.string(),
  state: z.enum(['pending', 'granted', 'declined']),
  organization_type: z.string(),
  website: z.string(),
  description: z.string(),
  expected_users: z.string(),
  paid_users: z.string(),
  requested_plan: z.string(),
  requested_at: epochSeconds,
});

export const pendingBody = z.strictObject({ limit: z.int().min(1).max(MOST_PENDING) });
export const pendingAnswer = z.strictObject({
  result: z.literal('pending'),
  requests: z.array(z.strictObject({ ...place, uuid: z.string(), host: z.string(), host_verified: hostVerified, name: z.string(), requested_plan: z.string(), requested_at: epochSeconds })),
  more: z.boolean(),
});

export const readBody = z.strictObject(place);
export const readAnswer = z.strictObject({
  result: z.literal('place'),
  kind,
  server: z.strictObject({ ...server, seats_reported: seatsReported, contact_email: z.string(), version: z.string().nullable(), registered_at: epochSeconds, last_request_at: epochSeconds }),
  realm: z.strictObject({ ...realm, url: z.string(), seats_reported: seatsReported }).nullable().meta({ description: 'null: a whole server' }),
  realms: z.array(z.strictObject(realm)).meta({ description: "All of the server's" }),
  ...books,
  currency: z.string(),
  offers,
  sponsorship: sponsorship.nullable().meta({ description: 'The last request' }),
  users: z.array(
    z.strictObject({ id: z.string(), email: z.string(), full_name: z.string(), state: z.enum(['pending', 'confirmed', 'deactivated']), date_joined: epochSeconds, last_login: epochSeconds.nullable() }),
  ),
  confirmations: z
    .array(z.strictObject({ email: z.string(), full_name: z.string(), requested_at: epochSeconds, mail: z.enum(['queued', 'sent', 'failed']), expires_at: epochSeconds.nullable() }))
    .meta({ description: 'Links that still open. Never the link itself' }),
  history: z
    .array(z.strictObject({ at: epochSeconds, act: z.string(), actor_kind: z.string(), actor: z.string().nullable(), user_id: z.string().nullable(), reason: z.string().nullable() }))
    .meta({ description: 'The last acts, the newest first' }),
});

export const invoiceBody = z.strictObject({ ...place, number: z.int().min(1) });
export const invoiceAnswer = issuedInvoice;

export const quoteBody = z.strictObject({ ...place, ...wanted });
export const quoteAnswer = z.strictObject({ result: z.literal('quote'), ...quote });

const planAct = { ...act, ...place };
export const changeBody = z.strictObject({ ...planAct, ...wanted, total: agreedTotal });
export const giveBody = z.strictObject({
  ...planAct,
  type: z.enum(['community', 'legacy']),
  ends_at: epochSeconds.min(0).max(253_402_300_799).optional().meta({ description: 'A legacy plan must have an end' }),
});
export const seatsQuoteBody = z.strictObject({ ...place, seats });
export const seatsQuoteAnswer = seatsQuote;
export const seatsBody = z.strictObject({ ...planAct, seats, total: agreedTotal });
export const renewalBody = z.strictObject({ ...planAct, renews: z.boolean() });
export const unscheduleBody = z.strictObject(planAct);
export const endQuoteBody = z.strictObject(place);
export const endQuoteAnswer = z
  .strictObject({ result: z.literal('quote'), plan: planType, net: z.int(), tax: z.int(), total: z.int(), currency: z.string(), tax_percent: z.number() })
  .meta({ description: 'What there is to give back; nothing of a plan that costs nothing' });
export const endBody = z.strictObject({ ...planAct, give_back: agreedTotal.optional().meta({ description: 'The total of the quote: what is left of the paid period, by a credit invoice. Left out: nothing is given back' }) });
export const decisionBody = z.strictObject({ ...planAct, sponsorship_id: id, decision: z.enum(['approve', 'decline']) });
export const standingBody = z.strictObject({ ...act, kind: z.enum([...kinds, 'user']), uuid: id, active: z.boolean() });

export const doneAnswer = z.strictObject({ result: z.literal('done'), invoice_number: z.int().nullable().meta({ description: 'Of the invoice that it made' }) });
