import { answerTrials } from './trials.ts';
import { ADA, INVOICE, PAYING, PLACE, startBillingStand, UUID, type BillingStand } from './billing.ts';

export const GRACE = { sub: 'staff-grace', email: 'grace@example.com', name: 'Grace Hopper', roles: ['staff'] };
export const BOB = { id: '33333333-2222-4333-8444-555555555555', email: 'bob@example.org', full_name: 'Bob', state: 'deactivated', date_joined: 0, last_login: null };
export const REQUEST = '44444444-2222-4333-8444-555555555555';
export const AT = `/staff/billing/realm/${UUID}/`;

const REALM = { uuid: UUID, server_uuid: PLACE.server_uuid, host: PLACE.host, host_verified: true, name: PLACE.name, plan_type: 'basic', deactivated: false, deactivated_there: false };

/** A realm as support sees it: it pays, has something scheduled, and waits for an answer. */
export const REALM_READ = {
  result: 'place',
  kind: 'realm',
  server: { uuid: PLACE.server_uuid, host: 'zulip.example.org', host_verified: true, plan_type: 'free', deactivated: false, seats_reported: { seats: 61, at: 1_750_000_000 }, contact_email: 'root@example.org', version: '10.1', registered_at: 1_700_000_000, last_request_at: 1_760_000_000 },
  realm: { ...REALM, url: `https://${PLACE.host}`, seats_reported: { seats: 37, at: 1_760_000_000 } },
  realms: [REALM],
  plan: PAYING.plan,
  scheduled: PAYING.scheduled,
  details: PAYING.details,
  ledger: PAYING.ledger,
  invoices: PAYING.invoices,
  offers: PAYING.offers,
  currency: 'EUR',
  sponsorship: { id: REQUEST, state: 'pending', organization_type: 'Learned society', website: 'https://example.org', description: 'We analyse.\nA lot.', expected_users: '200', paid_users: '', requested_plan: 'business', requested_at: 1_760_000_000 },
  users: [{ ...ADA, state: 'confirmed', date_joined: 1_750_000_000, last_login: 1_760_000_000 }, BOB],
  confirmations: [{ email: 'new@example.org', full_name: 'New Person', requested_at: 1_760_000_000, mail: 'failed', expires_at: 1_760_086_400 }],
  history: [
    { at: 1_760_000_000, act: 'user_deactivated', actor_kind: 'staff', actor: 'staff-grace', user_id: BOB.id, reason: 'Left the company.' },
    { at: 1_750_000_000, act: 'plan_begun', actor_kind: 'user', actor: ADA.id, user_id: ADA.id, reason: null },
  ],
};
export const FREE_READ = { ...REALM_READ, plan: null, scheduled: null, sponsorship: null };
export const SERVER_READ = { ...FREE_READ, kind: 'server', realm: null, realms: [REALM, { ...REALM, name: '', deactivated: true, deactivated_there: true }], users: [], confirmations: [], invoices: [] };

/** Billing's stand with the staff pages, where Grace of the staff is whoever signs in. */
export async function startStaffStand(): Promise<BillingStand> {
  const stand = await startBillingStand({ staffHere: true });
  answerTrials(stand.bridge);
  const fresh = (): void => {
    stand.provider.person = GRACE;
    stand.answers('support/read', REALM_READ);
    stand.answers('support/invoice/read', INVOICE);
  };
  fresh();
  return {
    ...stand,
    forget: () => {
      stand.forget();
      fresh();
    },
  };
}
