import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ANSWERS, CONFIRM, formTokenIn, startBillingStand, TOKEN, UUID, type BillingStand } from '../support/billing.ts';

const FORM = 'application/x-www-form-urlencoded';
const MIB = 1024 * 1024;

/** What each takes when it is right, at which address, and what it answers then. */
const FORMS: Readonly<Record<string, { at: string; right: Record<string, string>; status: number; step: keyof typeof ANSWERS }>> = {
  '/remote-billing-login/sign-out': { at: '/remote-billing-login/sign-out', right: {}, status: 303, step: 'session/end' },
  '/remote-billing-login/:token': { at: `/remote-billing-login/${TOKEN}`, right: { tos_consent: '1.0' }, status: 303, step: 'login/complete' },
  '/remote-billing-login/:token/confirm/': { at: `/remote-billing-login/${TOKEN}/confirm/`, right: { email: 'ada@example.org' }, status: 200, step: 'login/mail' },
  '/serverlogin/': { at: '/serverlogin/', right: { zulip_org_id: 'id', zulip_org_key: 'key' }, status: 303, step: 'server-login/open' },
  '/realm/:uuid/:page/': { at: `/realm/${UUID}/billing/`, right: { act: 'user', user_id: UUID }, status: 303, step: 'users/deactivate' },
  '/server/:uuid/:page/': { at: `/server/${UUID}/billing/`, right: { act: 'user', user_id: UUID }, status: 401, step: 'users/deactivate' },
};
/** Passed on to the bridge, which refuses (test/bridge/remote-billing/servers.test.ts). */
const SERVERS = ['/api/v1/remotes/server/analytics', '/api/v1/remotes/*path'];

let stand: BillingStand;
let cookie: string;
let token: string;
beforeAll(async () => {
  stand = await startBillingStand();
  const browser = await stand.inBilling();
  token = formTokenIn((await browser.get('/serverlogin/')).body);
  cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
});
afterAll(() => stand.stop());
beforeEach(() => {
  stand.forget();
  stand.answers('login/open', CONFIRM);
});

const encoded = (fields: Record<string, string>) => new URLSearchParams(fields).toString();
const post = (at: string, body: string, headers: Record<string, string> = {}) =>
  stand.browser().send(at, { method: 'POST', body, headers: { accept: 'text/html', 'content-type': FORM, origin: stand.url, cookie, ...headers } });
const called = (step: string) => stand.asked().filter((one) => one.step === step).length;

test('every POST of billing is here', () => {
  const map = readFileSync('proxy/routes.ts', 'utf8').matchAll(/'(\/(?:remote-billing-login|serverlogin|realm|server|api\/v1\/remotes)\/[^']*)': \{[^\n]*\bpost:/g);
  expect([...map].map(([, path]) => path).toSorted()).toEqual([...Object.keys(FORMS), ...SERVERS].toSorted());
});

describe.each(Object.entries(FORMS))('POST %s', (_path, { at, right, status, step }) => {
  const good = () => encoded({ form_token: token, ...right });

  test('takes what is right, and ignores fields that it does not know', async () => {
    const reply = await post(at, `${good()}&${encoded({ unknown: 'x', constructor: 'y', 'a[b]': 'c', role: 'staff', session_id: 'z' })}`);
    expect([reply.status, called(step)]).toEqual([status, status === 401 ? 0 : 1]);
    expect(JSON.stringify(stand.asked())).not.toMatch(/unknown|constructor|staff|a\[b\]|"z"/);
  });

  const refusals: readonly [string, () => Promise<{ status: number; body: string; headers: Headers }>, number][] = [
    ['another site', () => post(at, good(), { origin: 'https://evil.example' }), 403],
    ['a form without a token', () => post(at, encoded(right)), 403],
    ['the token of another browser', async () => post(at, encoded({ form_token: formTokenIn((await stand.browser().get('/serverlogin/')).body), ...right })), 403],
    ['a browser without its cookie', () => post(at, good(), { cookie: '' }), 403],
    ['the cookie of another browser', () => post(at, good(), { cookie: `vestibule_dev_billing_form=${'x'.repeat(43)}` }), 403],
    ['two cookies of one name', () => post(at, good(), { cookie: `${cookie}; vestibule_dev_billing_form=${'x'.repeat(43)}` }), 403],
    ['a token twice', () => post(at, `${good()}&form_token=${token}`), 403],
    ['a form of 1 MiB', () => post(at, `${good()}&email=${'x'.repeat(MIB)}`), 413],
    ['a thousand and one fields', () => post(at, Array.from({ length: 1001 }, (_, one) => `a${one}=`).join('&')), 413],
    ['a charset that is none', () => post(at, good(), { 'content-type': `${FORM}; charset=utf-99` }), 415],
    ['an encoding that is none', () => post(at, good(), { 'content-encoding': 'rot13' }), 415],
    ['JSON', () => post(at, JSON.stringify({ form_token: token, ...right }), { 'content-type': 'application/json' }), 403],
  ];
  test.each(refusals)('refuses %s, without its call', async (_name, send, refused) => {
    const reply = await send();
    expect([reply.status, called(step)]).toEqual([refused, 0]);
    expect(reply.headers.get('content-type')).toMatch(/^text\/html/);
    expect(reply.body).not.toMatch(/node_modules|\bat \S+ \(|Error:/);
  });

  test('another method says which it takes', async () => {
    const reply = await stand.browser().send(at, { method: 'DELETE' });
    expect([reply.status, reply.headers.get('allow')]).toEqual([405, 'GET, POST']);
  });
});

const optional = new Set(['tos_consent', 'user_id']);
const fields = Object.entries(FORMS).flatMap(([path, { right }]) => Object.keys(right).map((name) => [path, name] as const)).filter(([path, name]) => !optional.has(name) && path !== '/server/:uuid/:page/');

test.each(fields)('POST %s: %s twice counts as none', async (path, name) => {
  const { at, right, step } = FORMS[path]!;
  const reply = await post(at, `${encoded({ form_token: token, ...right })}&${encoded({ [name]: right[name]! })}`);
  expect([reply.status, called(step)]).toEqual([400, 0]);
});

test('POST /remote-billing-login/:token: terms ticked twice are not ticked', async () => {
  await post(`/remote-billing-login/${TOKEN}`, encoded({ form_token: token }) + '&tos_consent=1.0&tos_consent=1.0');
  expect(stand.asked().at(-1)?.message).not.toHaveProperty('accepted_terms');
});

test.each(['password', 'session', 'notice', 'login'])('a text sealed for something else is no form token: %s', async (purpose) => {
  const reply = await post('/serverlogin/', encoded({ form_token: `${token.split('.')[0]}.${Buffer.from(purpose.repeat(20)).toString('base64url')}`, zulip_org_id: 'x', zulip_org_key: 'y' }));
  expect(reply.status).toBe(403);
});
