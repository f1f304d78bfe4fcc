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
  const submit: BillingStand['submit'] = async (browser, path, fields = {}, to) => {
    const page = await browser.get(path);
    return browser.post(to ?? path, { form_token: formTokenIn(page.body), ...fields });
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
