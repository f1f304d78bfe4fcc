import { startStand, type Stand, type StandOptions } from './stand.ts';
import type { Browser, Reply } from './browser.ts';

/** JWE compact is five parts; what they hold is the bridge's affair. */
export const TOKEN = `${'e'.repeat(40)}..${'i'.repeat(16)}.${'c'.repeat(200)}.${'t'.repeat(22)}`;
export const KEY = 'k'.repeat(24);
export const UUID = '6b1c3a52-2b0e-4ad3-8c7e-0d3f3b1a9c01';
export const SESSION = '11111111-2222-4333-8444-555555555555';
export const PLACE = { kind: 'realm', uuid: UUID, host: 'chat.example.org', host_verified: true, name: 'Analytical Society', server_uuid: '0f0e0d0c-0000-4000-8000-000000000001' };
export const ADA = { id: '22222222-2222-4333-8444-555555555555', email: 'ada@example.org', full_name: 'Ada Lovelace' };
export const BACK = 'https://chat.example.org/self-hosted-billing/?next_page=plans';
export const SUPPORT = 'mailto:support@example.com';

const NOW = Math.floor(Date.now() / 1000);

/** What the bridge answers, each step as it goes well. */
export const ANSWERS = {
  'server-login/open': { result: 'email_form', token: TOKEN, place: { ...PLACE, kind: 'server' } },
  'login/open': { result: 'email_form', place: PLACE, email: 'ada@example.org', expires_at: NOW + 7200 },
  'login/mail': { result: 'mailed', email: 'ada@example.org', place: PLACE },
  'login/confirmation': { result: 'proven', token: TOKEN, kind: 'realm' },
  'login/complete': { result: 'signed_in', session_id: SESSION, user: ADA, place: PLACE, ends_at: NOW + 7200, next_page: 'plans', next_path: `/realm/${UUID}/plans/` },
  'session/read': { result: 'live', user: ADA, place: PLACE, ends_at: NOW + 7200 },
  'session/end': { result: 'ended' },
  'users/list': { result: 'users', users: [{ ...ADA, state: 'confirmed', date_joined: NOW, last_login: NOW, you: true }] },
  'users/deactivate': { result: 'deactivated' },
  'account/read': {
    result: 'account',
    plan: null,
    scheduled: null,
    seats_reported: { seats: 37, at: Date.UTC(2026, 9, 3) / 1000 },
    details: { legal_name: '', postal_address: '', vat_id: '', purchase_order: '', invoice_recipients: [] },
    ledger: [],
    invoices: [],
    sponsorship: null,
    currency: 'EUR',
    tax_percent: 20,
    offers: [
      { type: 'basic', name: 'Basic', minimum_seats: 5, month: 350, year: 4200 },
      { type: 'business', name: 'Business', minimum_seats: 25, month: 667, year: 8004 },
    ],
  },
  'account/save': { result: 'done' },
  'plan/quote': { result: 'quote', net: 155_400, tax: 31_080, total: 186_480, currency: 'EUR', unit_price: 4200, tax_percent: 20, credit: { net: 0, tax: 0, total: 0 }, begins_at: NOW },
  'plan/agree': { result: 'begun', invoice_number: 7 },
  'plan/seats/quote': { result: 'quote', net: 12_600, tax: 2_520, total: 15_120, currency: 'EUR', tax_percent: 20, seats: 40, now: 37, counts_from: NOW },
  'plan/seats': { result: 'begun', invoice_number: 8 },
  'plan/renewal': { result: 'done' },
  'plan/unschedule': { result: 'done' },
  'sponsorship/ask': { result: 'asked' },
  'invoice/read': { result: 'unknown' },
  'server/deactivate': { result: 'deactivated' },
  'support/search': { result: 'found', hits: [{ kind: 'realm', uuid: UUID, server_uuid: PLACE.server_uuid, host: PLACE.host, host_verified: true, name: PLACE.name, deactivated: false, matched: ['billing_user', 'confirmation'] }], more: false },
  'support/pending': { result: 'pending', requests: [{ kind: 'realm', uuid: UUID, host: PLACE.host, host_verified: true, name: PLACE.name, requested_plan: 'community', requested_at: NOW }], more: false },
  'support/read': { result: 'place' },
  'support/invoice/read': { result: 'invoice' },
  'support/plan/quote': { result: 'quote', net: 155_400, tax: 31_080, total: 186_480, currency: 'EUR', unit_price: 4200, tax_percent: 20, credit: { net: 0, tax: 0, total: 0 }, begins_at: NOW },
  'support/plan/seats/quote': { result: 'quote', net: 12_600, tax: 2_520, total: 15_120, currency: 'EUR', tax_percent: 20, seats: 40, now: 37, counts_from: NOW },
  'support/plan/end/quote': { result: 'quote', plan: 'basic', net: 100_000, tax: 20_000, total: 120_000, currency: 'EUR', tax_percent: 20 },
  'support/plan/change': { result: 'done', invoice_number: 9 },
  'support/plan/give': { result: 'done', invoice_number: null },
  'support/plan/seats': { result: 'done', invoice_number: 10 },
  'support/plan/renewal': { result: 'done', invoice_number: null },
  'support/plan/unschedule': { result: 'done', invoice_number: null },
  'support/plan/end': { result: 'done', invoice_number: 11 },
  'support/sponsorship/decide': { result: 'done', invoice_number: null },
  'support/standing': { result: 'done', invoice_number: null },
} satisfies Record<string, { result: string; [more: string]: unknown }>;

export const CONFIRM = {
  result: 'confirm_login',
  place: PLACE,
  email: 'ada@example.org',
  full_name: 'Ada Lovelace',
  terms: { version: '1.0', url: 'https://example.com/terms', must_accept: true },
  first_login: true,
  major_release_mails: false,
  maintenance_release_mails: false,
  expires_at: NOW + 7200,
};

const [BEGUN, ENDS] = [Date.UTC(2026, 0, 31) / 1000, Date.UTC(2027, 0, 31) / 1000];

/** An account that pays, with something scheduled. */
export const PAYING = {
  ...ANSWERS['account/read'],
  plan: { type: 'basic', name: 'Basic', seats: 37, next_seats: 30, unit_price: 4200, currency: 'EUR', period: 'year', period_ends_at: ENDS, renews: true },
  scheduled: { type: 'business', name: 'Business', seats: 40, next_seats: null, unit_price: 8004, currency: 'EUR', period: 'year', period_ends_at: null, renews: true },
  details: { legal_name: 'Analytical Society', postal_address: '1 St James Square\nLondon', vat_id: 'GB1', purchase_order: '', invoice_recipients: ['books@example.org', 'ada@example.org'] },
  ledger: [{ kind: 'period', seats: 37, period_starts_at: BEGUN, period_ends_at: ENDS, at: BEGUN, invoice_number: 7, currency: 'EUR', net: 155_400, tax: 31_080, total: 186_480 }],
  invoices: [{ number: 7, issued_at: BEGUN, due_at: BEGUN, currency: 'EUR', net: 155_400, tax: 31_080, total: 186_480 }],
};

export const INVOICE = {
  result: 'invoice',
  number: 7,
  issued_at: BEGUN,
  due_at: BEGUN + 30 * 86_400,
  currency: 'EUR',
  net: 155_400,
  tax: 31_080,
  total: 186_480,
  seller: 'Vestibule\n1 Example Street',
  buyer: { legal_name: 'Analytical Society', postal_address: '1 St James Square\nLondon', vat_id: 'GB1', purchase_order: 'PO 5' },
  tax_percent: 20,
  lines: [{ kind: 'period', plan: 'basic', seats: 37, unit_price: 4200, months: 12, period_starts_at: '2026-01-31T00:00:00.000Z', period_ends_at: '2027-01-31T00:00:00.000Z', net: 155_400, tax: 31_080, total: 186_480 }],
};

export type Step = keyof typeof ANSWERS;

export interface BillingStand extends Stand {
  /** From now on the bridge answers this step so; a number is a status, with a problem. */
  answers(step: Step, answer: object | { status: number; problem: object; headers?: Record<string, string> }): void;
  /** What the proxy asked, step by step. */
  asked(): { step: string; message: Record<string, unknown> }[];
  forget(): void;
  /** Fills in what the page at `path` shows, and sends it. */
  submit(browser: Browser, path: string, fields?: Record<string, string>, to?: string): Promise<Reply>;
  /** A browser with a completed sign-in. */
  inBilling(): Promise<Browser>;
}

export async function startBillingStand(options: StandOptions = {}): Promise<BillingStand> {
  const stand = await startStand({ billingHere: true, ...options });
  let given: Record<string, object> = {};
  const other = stand.bridge.answer;
  stand.bridge.answer = (req, res, body) => {
    const step = /^\/api\/remote-billing\/(.*)$/.exec(req.url ?? '')?.[1] as Step | undefined;
    if (step === undefined) return other(req, res, body);
    const answer = given[step] ?? ANSWERS[step];
    if ('problem' in answer) {
      const { status, problem, headers } = answer as { status: number; problem: object; headers?: Record<string, string> };
      return void res.writeHead(status, { 'content-type': 'application/problem+json', ...headers }).end(JSON.stringify(problem));
    }
    return void res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  };
  return {
    ...stand,
    answers: (step, answer) => {
      given = { ...given, [step]: answer };
    },
    asked: () =>
      stand.bridge.received.flatMap(({ url, body }) => (url.startsWith('/api/remote-billing/') ? [{ step: url.slice('/api/remote-billing/'.length), message: JSON.parse(body) as Record<string, unknown> }] : [])),
    forget: () => {
      given = {};
      stand.bridge.received.length = 0;
    },
    submit,
    inBilling: async () => {
      const browser = stand.browser();
      const before = given;
      given = { ...given, 'login/open': CONFIRM };
      const reply = await submit(browser, `/remote-billing-login/${TOKEN}`, { tos_consent: '1.0' });
      given = before;
      if (reply.status !== 303) throw new Error(`The sign-in answered ${reply.status}`);
      return browser;
    },
  };
}

export function formTokenIn(body: string): string {
  return /name="form_token" value="([^"]+)"/.exec(body)?.[1] ?? '';
}

async function submit(browser: Browser, path: string, fields: Record<string, string> = {}, to?: string): Promise<Reply> {
  const page = await browser.get(path);
  return browser.post(to ?? path, { form_token: formTokenIn(page.body), ...fields });
}
