import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startStand, type Stand } from '../support/stand.ts';

const FORM = 'application/x-www-form-urlencoded';
const MIB = 1024 * 1024;
const TOKEN = 't'.repeat(43);

/** What each takes when it is right, and whether another site may send it. */
const FORMS: Readonly<Record<string, { right: Record<string, string>; status: number; anyOrigin?: boolean }>> = {
  '/trial': { right: { email: 'ada@example.com' }, status: 303 },
  '/trial/new-link': { right: { email: 'ada@example.com' }, status: 303 },
  '/trial/not-me': { right: { t: TOKEN }, status: 303, anyOrigin: true },
  '/trial/join': { right: { t: TOKEN }, status: 303, anyOrigin: true },
  '/api/login/resume': { right: {}, status: 303 },
  '/api/login/other-person': { right: { login: 'x', choice: 'go_on' }, status: 303 },
  '/api/logout': { right: {}, status: 303 },
};
/** Takes a token of the provider from programs: test/proxy/replicas.test.ts has its refusals. */
const FROM_PROVIDER = ['/api/logout/back-channel'];
/** test/proxy/refusals/billing.test.ts */
const BILLING = /^\/(?:remote-billing-login|serverlogin|realm|server|api\/v1\/remotes)\//;
const REGISTERS = ['/api/trial/register', '/api/legacy/trial/register'];

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
  const accept = stand.bridge.answer;
  stand.bridge.answer = (req, res, body) => {
    if (req.url !== '/api/trial/offer') return accept(req, res, body);
    return void res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ open: true, product: 'app', username: 'ada@example.com', given: { attributes: [], consents: [] } }));
  };
});
afterAll(() => stand.stop());

const post = (path: string, body: string, headers: Record<string, string> = {}) =>
  stand.browser().send(path, { method: 'POST', body, headers: { accept: 'text/html', 'content-type': FORM, origin: stand.url, ...headers } });
const encoded = (fields: Record<string, string>) => new URLSearchParams(fields).toString();
const calls = () => stand.bridge.received.length;

test('every POST of the map is here', () => {
  const map = readFileSync('proxy/routes.ts', 'utf8').matchAll(/'(\/[^']+)': \{[^\n]*\bpost:/g);
  // The staff origin has the sign-in's routes once more; its own are held by test/proxy/staff/gate.
  const ours = [...new Set([...map].map(([, path = '']) => path))].filter((path) => !BILLING.test(path) && !path.startsWith('/staff/'));
  expect(ours.toSorted()).toEqual([...Object.keys(FORMS), ...FROM_PROVIDER, ...REGISTERS].toSorted());
});

describe.each(Object.entries(FORMS))('POST %s', (path, { right, status, anyOrigin }) => {
  test('takes what is right, and ignores fields that it does not know', async () => {
    const reply = await post(path, encoded({ ...right, unknown: 'x', __proto__: 'y', constructor: 'z', 'a[b]': 'c', role: 'staff' }));
    expect(reply.status).toBe(status);
    expect(stand.bridge.received.map((call) => call.body).join()).not.toMatch(/unknown|__proto__|constructor|staff|a\[b\]/);
  });

  const refusals: readonly [string, string, Record<string, string>, number][] = [
    ['a form of 1 MiB', `email=${'x'.repeat(MIB)}`, {}, 413],
    ['a thousand and one fields', Array.from({ length: 1001 }, (_, at) => `a${at}=`).join('&'), {}, 413],
    ['a charset that is none', encoded(right), { 'content-type': `${FORM}; charset=utf-99` }, 415],
    ['an encoding that is none', encoded(right), { 'content-encoding': 'rot13' }, 415],
    ['something else than it says that it is', encoded(right), { 'content-encoding': 'gzip' }, 400],
  ];
  test.each(refusals)('refuses %s, without a call', async (_name, body, headers, refused) => {
    const before = calls();
    const reply = await post(path, body, headers);
    expect([reply.status, calls()]).toEqual([refused, before]);
    expect(reply.headers.get('content-type')).toMatch(/^text\/html/);
    expect(reply.body).not.toMatch(/node_modules|\bat \S+ \(|Error:/);
  });

  test('refuses another site, but for a token that is its own proof', async () => {
    const before = calls();
    const reply = await post(path, encoded(right), { origin: 'https://evil.example' });
    expect([reply.status, calls() > before]).toEqual(anyOrigin === true ? [status, true] : [403, false]);
  });

  test('a percent sign that encodes nothing is no 500', async () => {
    expect((await post(path, `${encoded(right)}&email=%zz&x=%`)).status).toBeLessThan(500);
  });
});

const fields = Object.entries(FORMS).flatMap(([path, { right }]) => Object.keys(right).map((name) => [path, name] as const));

test.each(fields)('POST %s: %s twice counts as none', async (path, name) => {
  const { right } = FORMS[path]!;
  const before = calls();
  const twice = await post(path, `${encoded(right)}&${encoded({ [name]: right[name]! })}`);
  const without = await post(path, encoded(Object.fromEntries(Object.entries(right).filter(([one]) => one !== name))));
  expect([twice.status, twice.location, calls()]).toEqual([without.status, without.location, before]);
});

describe.each(REGISTERS)('POST %s', (path) => {
  test('refuses 1 MiB itself, as problem+json', async () => {
    const before = calls();
    const reply = await post(path, JSON.stringify({ username: 'ada@example.com', company: 'x'.repeat(MIB) }), { 'content-type': 'application/json', accept: 'application/json' });
    expect([reply.status, calls()]).toEqual([413, before]);
    expect(reply.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  });

  test.each([
    ['text', 'text/plain'],
    ['a form', FORM],
    ['nothing said', ''],
  ])('%s goes on as it came: the bridge refuses it', async (_name, type) => {
    const body = '{"username":"ada@example.com"}';
    await post(path, body, type === '' ? { 'content-type': '' } : { 'content-type': type });
    expect([stand.bridge.last().headers['content-type'] ?? '', stand.bridge.last().body]).toEqual([type, body]);
  });

  test.each(['{"username":"a@example.com","username":"b@example.com"}', '{"username":', '{"__proto__":{"username":"x"}}'])('%s goes on byte for byte: nobody here reads it', async (body) => {
    await post(path, body, { 'content-type': 'application/json' });
    expect(stand.bridge.last().body).toBe(body);
  });
});
