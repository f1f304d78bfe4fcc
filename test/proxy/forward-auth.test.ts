import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.ts';
import { send, type Browser, type Reply } from './support/browser.ts';
import { startStand, type Stand } from './support/stand.ts';

const ADA = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada Lovelace', roles: ['staff'] };
const IDENTITY_HEADERS = ['x-user', 'x-user-email', 'x-user-name', 'x-user-roles', 'x-user-groups', 'x-trial-app', 'x-trial-state', 'x-trial-ends-at', 'x-vestibule-identity'];

let stand: Stand;
let host: string;
beforeAll(async () => {
  stand = await startStand({ env: { FORWARD_AUTH: 'true', TRUSTED_PROXIES: '127.0.0.1' } });
  host = new URL(stand.url).host;
});
afterAll(() => stand.stop());
afterEach(() => {
  stand.provider.person = ADA;
});

/** As a gateway asks, with the browser's own headers. */
function ask(browser: Browser | undefined, told: Record<string, string> = {}, path = '/api/auth', at = stand.url) {
  const cookie = [...(browser?.cookies ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  return send(at, { headers: { 'x-forwarded-uri': '/reports?year=2026', 'x-forwarded-host': host, 'x-forwarded-method': 'GET', ...(cookie && { cookie }), ...told } }, path);
}

function missing({ headers }: Reply): string[] {
  return IDENTITY_HEADERS.filter((name) => headers.get(name) === null);
}

describe('a gateway that asks', () => {
  test('about somebody who is signed in hears who it is', async () => {
    stand.provider.person = { ...ADA, trial: { app: 'app-1', endsAt: 4_000_000_000, accessUntil: 4_000_000_000 } };
    const reply = await ask(await stand.signedIn());
    expect([reply.status, ...IDENTITY_HEADERS.map((name) => reply.headers.get(name))]).toEqual([200, 'user-ada', 'ada@example.com', 'Ada Lovelace', 'staff', '', 'app-1', 'active', '4000000000', '']);
  });

  test('gets every identity header, empty where there is none, so that none of the browser survives (SECURITY 21)', async () => {
    const ada = await ask(await stand.signedIn());
    const page = { accept: 'text/html', 'sec-fetch-mode': 'navigate' };
    const replies = [ada, await ask(undefined), await ask(undefined, page, '/api/auth?redirect'), await ask(undefined, { 'x-forwarded-uri': '/a//b' })];
    expect(replies.map(({ status }) => status)).toEqual([200, 401, 302, 403]);
    for (const reply of replies) expect(missing(reply)).toEqual([]);
    expect(ada.headers.get('x-trial-app')).toBe('');
  });

  test('gets them from a proxy that can’t say who it is, too (SECURITY 21)', async () => {
    const lost = await startStand({ env: { FORWARD_AUTH: 'true', TRUSTED_PROXIES: '127.0.0.1', SESSION_OUTAGE_MINUTES: '0' } });
    const person = await lost.signedIn();
    await lost.database.drop();
    const reply = await eventually(async () => {
      const one = await ask(person, { 'x-forwarded-host': new URL(lost.url).host }, '/api/auth', lost.url);
      return one.status === 200 ? undefined : one;
    });
    expect([reply.status, reply.json()['code'], missing(reply)]).toEqual([503, 'unavailable', []]);
    await lost.stop();
  });

  test('about nobody: 401 with the address of the login, never a redirect (nginx)', async () => {
    const reply = await ask(undefined, { accept: 'text/html', 'sec-fetch-mode': 'navigate' });
    expect([reply.status, reply.json()['login_url'], reply.headers.get('x-login-url')]).toEqual([
      401,
      `${stand.url}/api/login?next_page=%2Freports%3Fyear%3D2026`,
      `${stand.url}/api/login?next_page=%2Freports%3Fyear%3D2026`,
    ]);
  });

  test.each([
    ['a page', { accept: 'text/html', 'sec-fetch-mode': 'navigate' }, 302],
    ['a fetch', { accept: '*/*', 'sec-fetch-mode': 'cors' }, 401],
    ['a form', { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'x-forwarded-method': 'POST' }, 401],
  ])('with ?redirect about %s of nobody: what the browser shall get (caddy, traefik)', async (_what, told, status) => {
    expect((await ask(undefined, told, '/api/auth?redirect')).status).toBe(status);
  });

  test("in nginx's words is understood", async () => {
    const cookie = [...(await stand.signedIn()).cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const reply = await send(stand.url, { headers: { 'x-original-uri': '/', 'x-original-host': host, 'x-original-method': 'POST', cookie } }, '/api/auth');
    expect(reply.status).toBe(200);
  });
});

/** As ingress-nginx asks. */
async function named(address: string): Promise<number> {
  const cookie = [...(await stand.signedIn()).cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  return (await send(stand.url, { headers: { 'x-original-url': address, 'x-original-method': 'GET', host: 'vestibule-proxy.default.svc.cluster.local:8400', cookie } }, '/api/auth')).status;
}

describe("in ingress-nginx's words, and by the name of the service", () => {
  test('is understood', async () => {
    expect([await named(`https://${host}/reports?year=2026`), await named(`http://${host.toUpperCase()}/`)]).toEqual([200, 200]);
  });

  test.each([
    ['another host (SECURITY 22)', () => 'https://other.example/', 401],
    ['userinfo', () => `https://${host}@other.example/`, 401],
    ['no path', () => `https://${host}`, 403],
    ['an encoded slash (SECURITY 20)', () => `https://${host}/a%2fb`, 403],
    ['another scheme', () => `file://${host}/`, 403],
  ])('%s is refused', async (_what, address, status) => {
    expect(await named(address())).toBe(status);
  });
});

describe('about a web-socket (SECURITY 24)', () => {
  test.each<[string, Record<string, string>]>([
    ['by its key, as nginx and traefik pass it on', { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13' }],
    ['as an upgrade, as caddy asks', { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13' }],
    ['of HTTP/2', { 'x-forwarded-method': 'CONNECT' }],
  ])('%s: from our own pages only', async (_how, told) => {
    const browser = await stand.signedIn();
    const statuses = [];
    for (const origin of [stand.url, 'https://evil.example', 'null', undefined]) statuses.push((await ask(browser, { ...told, ...(origin && { origin }) })).status);
    expect(statuses).toEqual([200, 403, 403, 403]);
  });
});

describe('is refused', () => {
  test.each<[string, Record<string, string>, number]>([
    ['a session at another host (SECURITY 22)', { 'x-forwarded-host': 'other.example' }, 401],
    ['an encoded slash (SECURITY 20)', { 'x-forwarded-uri': '/a%2fb' }, 403],
    ['a dot segment (SECURITY 20)', { 'x-forwarded-uri': '/a/../b' }, 403],
    ['a backslash (SECURITY 20)', { 'x-forwarded-uri': '/a\\b' }, 403],
    ['an absolute address', { 'x-forwarded-uri': 'http://evil.example/' }, 403],
    ['a target that is said twice', { 'x-original-uri': '/other' }, 403],
    ['no target', { 'x-forwarded-uri': '' }, 403],
    ['a host that is said twice', { 'x-original-host': 'other.example' }, 403],
    ['a method that is said twice', { 'x-original-method': 'OPTIONS' }, 403],
    ['a whole address besides', { 'x-original-url': 'http://127.0.0.1/other' }, 403],
    ['two session cookies', { cookie: 'vestibule_dev=a; vestibule_dev=b' }, 401],
  ])('%s', async (_rule, told, status) => {
    expect((await ask(await stand.signedIn(), told)).status).toBe(status);
  });

  test('whoever is no configured gateway, also with a session (SECURITY 20)', async () => {
    const strict = await startStand({ env: { FORWARD_AUTH: 'true', TRUSTED_PROXIES: '10.0.0.0/8' } });
    const browser = await strict.signedIn();
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const reply = await send(strict.url, { headers: { 'x-forwarded-uri': '/', 'x-forwarded-host': new URL(strict.url).host, cookie } }, '/api/auth');
    expect([reply.status, reply.headers.get('x-user')]).toEqual([403, '']);
    await strict.stop();
  });
});

test('is off unless it is switched on', async () => {
  const off = await startStand({ env: { TRUSTED_PROXIES: '127.0.0.1' } });
  expect((await send(off.url, { headers: { accept: 'application/json', 'x-forwarded-uri': '/', 'x-forwarded-host': new URL(off.url).host } }, '/api/auth')).status).toBe(404);
  await off.stop();
});
