import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import express from 'express';
import { registerServer, selfHostedBilling, type Realm, type SelfHostedBilling } from '../../self-hosted/self-hosted-billing.ts';
import { send } from '../proxy/support/browser.ts';
import { eventually } from '../support/eventually.ts';

const REALM: Realm = { id: 1, uuid: 'u', uuid_owner_secret: 's', host: 'chat.example.org', url: 'https://chat.example.org', name: 'Org', org_type: 10, date_created: 1, deactivated: false, is_system_bot_realm: false, authentication_methods: {} };
const PERSON = { uuid: 'p', email: 'ada@example.org', full_name: 'Ada' };
const LINK = 'https://billing.example/remote-billing-login/token';
const SERVER = { serverId: 'id', serverKey: 'k'.repeat(64) };

/** `hangs`: not answered at all, or not to its end. */
type Replies = { status: number; body: unknown; headers?: Record<string, string>; hangs?: 'before' | 'in its body' }[];

let bridge: Server;
let bridgeUrl: string;
let received: { path: string; form: Record<string, string>; authorization: string | undefined }[] = [];
let replies: Replies = [];
const running: Server[] = [];

beforeAll(async () => {
  const app = express();
  app.use(express.urlencoded({ extended: false }), (req, res) => {
    received.push({ path: req.path, form: req.body as Record<string, string>, authorization: req.headers.authorization });
    const reply = replies.shift() ?? { status: 200, body: { result: 'success', msg: '', billing_access_url: LINK } };
    if (reply.hangs === 'before') return;
    if (reply.hangs) return void res.status(reply.status).set('content-length', '1000').write('{');
    res.status(reply.status).set(reply.headers ?? {}).json(reply.body);
  });
  bridge = app.listen(0, '127.0.0.1');
  await once(bridge, 'listening');
  bridgeUrl = addressOf(bridge);
});
afterEach(async () => {
  [received, replies] = [[], []];
  for (const one of running.splice(0)) await new Promise((resolve) => one.close(resolve));
});
afterAll(() => new Promise((resolve) => bridge.close(resolve)));

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function mounted(options: Partial<SelfHostedBilling> = {}): Promise<string> {
  const app = express();
  app.use(
    selfHostedBilling({ bridgeUrl, ...SERVER, currentUser: () => PERSON, mayManageBilling: () => true, currentRealm: () => REALM, loginUrl: (path) => `/login?next=${encodeURIComponent(path)}`, ...options }),
  );
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  running.push(server);
  return addressOf(server);
}

const HTML = { accept: 'text/html' };
const PROGRAM = { accept: 'application/json' };
const ask = async (path: string, headers: Record<string, string>, options?: Partial<SelfHostedBilling>) => send(await mounted(options), { headers }, path);

test('a person with the right to it is led to billing, and nobody keeps the link', async () => {
  const reply = await ask('/self-hosted-billing/?next_page=upgrade', HTML);
  expect([reply.status, reply.location, reply.headers.get('cache-control'), reply.headers.get('referrer-policy')]).toEqual([302, LINK, 'no-store', 'no-referrer']);
  expect(received).toEqual([
    {
      path: '/api/v1/remotes/server/billing',
      form: { user: JSON.stringify(PERSON), realm: JSON.stringify(REALM), uri_scheme: 'https://', next_page: 'upgrade' },
      authorization: `Basic ${Buffer.from(`id:${SERVER.serverKey}`).toString('base64')}`,
    },
  ]);
});

test('an app gets the link as JSON', async () => {
  const reply = await ask('/json/self-hosted-billing', PROGRAM);
  expect([reply.status, reply.json()]).toEqual([200, { result: 'success', msg: '', billing_access_url: LINK }]);
});

test('who is not signed in goes to this server’s own login and comes back', async () => {
  const reply = await ask('/self-hosted-billing/?next_page=plans', HTML, { currentUser: () => undefined });
  expect([reply.status, reply.location, received]).toEqual([302, `/login?next=${encodeURIComponent('/self-hosted-billing/?next_page=plans')}`, []]);
});

const MISSING = { status: 403, body: { result: 'error', msg: '', code: 'MISSING_REMOTE_REALM' } };

describe('a realm that billing does not know', () => {
  test('is reported, and asked for once more', async () => {
    replies = [MISSING, { status: 200, body: { result: 'success' } }];
    expect((await ask('/self-hosted-billing/', HTML)).location).toBe(LINK);
    expect(received.map(({ path }) => path.split('/').at(-1))).toEqual(['billing', 'analytics', 'billing']);
    expect(JSON.parse(received[1]?.form['realms'] ?? '')).toEqual([REALM]);
  });

  test('exactly once', async () => {
    replies = [MISSING, { status: 200, body: { result: 'success' } }, MISSING];
    expect((await ask('/self-hosted-billing/', HTML)).status).toBe(400);
    expect(received).toHaveLength(3);
  });
});

const error = (status: number, code: string) => ({ status, body: { result: 'error', msg: 'in words', code } });
const REFUSED: [string, Partial<SelfHostedBilling>, Replies, string, number, string, string][] = [
  ['nobody is signed in', { currentUser: () => undefined }, [], '', 401, 'UNAUTHENTICATED_USER', 'Sign in here, then open billing again.'],
  ['no right to it', { mayManageBilling: () => false }, [], '', 403, 'UNAUTHORIZED_PRINCIPAL', 'Ask an owner of this organization'],
  ['no key', { serverKey: '' }, [], '', 500, 'BILLING_NOT_CONFIGURED', 'set bridgeUrl, serverId and serverKey'],
  ['a page that is none', {}, [], '?next_page=deactivate', 400, 'BAD_REQUEST', 'There is no such page'],
  ['two pages', {}, [], '?next_page=plans&next_page=billing', 400, 'BAD_REQUEST', 'There is no such page'],
  ['billing is down', { bridgeUrl: 'http://127.0.0.1:9' }, [], '', 502, 'BILLING_UNREACHABLE', 'Billing does not answer'],
  ['billing is broken', {}, [error(500, 'INTERNAL_SERVER_ERROR')], '', 502, 'BILLING_UNREACHABLE', 'Billing does not answer'],
  ['billing answers nonsense', {}, [{ status: 200, body: { billing_access_url: 'javascript:alert(1)' } }], '', 502, 'BILLING_UNREACHABLE', 'Billing does not answer'],
  ['billing leads elsewhere', {}, [{ status: 307, body: {}, headers: { location: '/elsewhere' } }], '', 502, 'BILLING_UNREACHABLE', 'Billing does not answer'],
  ['the key is refused', {}, [error(401, 'UNAUTHORIZED')], '', 502, 'BILLING_KEY_REFUSED', 'register the server again'],
  ['another server has the realm', {}, [error(403, 'REMOTE_REALM_SERVER_MISMATCH_ERROR')], '', 403, 'REMOTE_REALM_SERVER_MISMATCH_ERROR', 'knows this organization from another server'],
  ['the realm, or the person, is deactivated', {}, [error(403, 'REALM_DEACTIVATED')], '', 403, 'REALM_DEACTIVATED', 'You, or this organization, can’t use billing any more. Ask another billing user, or the service’s support.'],
  ['too often', {}, [error(429, 'RATE_LIMIT_HIT')], '', 429, 'RATE_LIMIT_HIT', 'Try again in a minute.'],
];

test.each(REFUSED)('%s: JSON by its code', async (_name, options, given, query, status, code, says) => {
  for (const path of ['/json/self-hosted-billing', '/self-hosted-billing/']) {
    replies = structuredClone(given);
    const reply = await ask(path + query, PROGRAM, options);
    expect([reply.status, reply.json()['result'], reply.json()['code']]).toEqual([status, 'error', code]);
    expect(reply.json()['msg']).toContain(says);
  }
});

test.each(REFUSED.filter(([, , , , , code]) => !['UNAUTHENTICATED_USER', 'BILLING_NOT_CONFIGURED'].includes(code)))('%s: a page', async (_name, options, given, query, status, _code, says) => {
  replies = structuredClone(given);
  const reply = await ask(`/self-hosted-billing/${query}`, HTML, options);
  expect([reply.status, reply.location, reply.headers.get('content-type')]).toEqual([status, undefined, 'text/html; charset=utf-8']);
  expect(reply.body).toContain(says);
});

test('not configured: a page of its own says what is missing', async () => {
  const url = await mounted({ serverKey: '' });
  const reply = await send(url, { headers: HTML }, '/self-hosted-billing/');
  expect(reply.location).toBe('/self-hosted-billing/not-configured/');
  expect((await send(url, { headers: HTML }, reply.location)).body).toContain('serverKey');
});

const REPORTED = { status: 200, body: { result: 'success' } };
const HANGS: [string, Replies][] = [
  ['the first answer', [{ status: 200, body: {}, hangs: 'before' }]],
  ['the end of an answer', [{ status: 200, body: {}, hangs: 'in its body' }]],
  ['the report', [MISSING, { status: 200, body: {}, hangs: 'before' }]],
  ['the second answer', [MISSING, REPORTED, { status: 200, body: {}, hangs: 'before' }]],
];

test.each(HANGS)('who waits for %s is told to try again after 15 s, all together', async (_name, given) => {
  replies = structuredClone(given);
  const clock = new AbortController();
  const limit = jest.spyOn(AbortSignal, 'timeout').mockReturnValue(clock.signal);
  try {
    const asking = ask('/self-hosted-billing/', PROGRAM);
    await eventually(() => received.length === given.length);
    // One clock for the whole, and this is its end.
    expect(limit.mock.calls).toEqual([[15_000]]);
    clock.abort(new DOMException('15 s are over', 'TimeoutError'));
    const reply = await asking;
    expect([reply.status, reply.json()['code']]).toEqual([502, 'BILLING_UNREACHABLE']);
  } finally {
    limit.mockRestore();
    bridge.closeAllConnections();
  }
});

test('where TLS fails, nothing is sent, and the page says to try again', async () => {
  const failures: unknown[] = [];
  const reply = await ask('/self-hosted-billing/', HTML, { bridgeUrl: bridgeUrl.replace('http:', 'https:'), onFailure: (failure) => failures.push(failure) });
  expect([reply.status, reply.body.includes('Try again later'), received, failures]).toEqual([502, true, [], ['unreachable']]);
});

test('what the service says against a registration is thrown', async () => {
  replies = [error(400, 'HOSTNAME_ALREADY_IN_USE_BOUNCER_ERROR')];
  await expect(registerServer({ bridgeUrl, ...SERVER }, { hostname: 'chat.example.org', contactEmail: 'a@example.org' })).rejects.toThrow('400 in words');
  expect(received[0]?.form).toEqual({ zulip_org_id: 'id', zulip_org_key: SERVER.serverKey, hostname: 'chat.example.org', contact_email: 'a@example.org' });
});
