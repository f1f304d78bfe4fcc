import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { send } from '../support/browser.ts';
import { startBillingStand, TOKEN, UUID, type BillingStand } from '../support/billing.ts';

/** SECURITY 25: billing on an origin of its own. */
const BILLING = { host: 'billing.example', accept: 'text/html', 'sec-fetch-mode': 'navigate' };

let stand: BillingStand;
beforeAll(async () => {
  stand = await startBillingStand({ billingHere: false, env: { BILLING_URL: 'https://billing.example', TRUSTED_PROXIES: '127.0.0.0/8' } });
});
afterAll(() => stand.stop());

const get = (path: string, headers: Record<string, string> = BILLING) => send(stand.url, { headers }, path);

describe('the billing origin', () => {
  test.each([`/remote-billing-login/${TOKEN}`, '/serverlogin/', '/livez', '/trial/assets/vestibule.css'])('has %s', async (path) => {
    expect((await get(path)).status).toBe(200);
  });

  test('is found by the host that a trusted proxy names, with its port or without', async () => {
    for (const headers of [{ 'x-forwarded-host': 'billing.example' }, { host: 'Billing.Example:443' }]) {
      expect((await get('/serverlogin/', { ...BILLING, host: 'app.example', ...headers })).status).toBe(200);
    }
  });

  test.each(['/', '/whoami', '/trial', '/api/login', '/api/auth', '/api/session', '/api/trial/register'])('has nothing of the app: %s', async (path) => {
    const browser = await stand.signedIn();
    const before = stand.app.received.length;
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    expect((await get(path, { ...BILLING, cookie })).status).toBe(404);
    expect(stand.app.received).toHaveLength(before);
  });

  test('an ambiguous address is refused there, too', async () => {
    expect((await get('/serverlogin/..%2fx')).status).toBe(400);
  });

  test('its cookies are its own, Secure and __Host-; its forms lead nowhere else; its pages lead home to the app', async () => {
    const reply = await get('/serverlogin/');
    expect(reply.headers.getSetCookie()).toEqual([expect.stringMatching(/^__Host-vestibule-billing-form=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/)]);
    expect(reply.headers.get('content-security-policy')).toContain("form-action 'self';");
    expect(reply.headers.get('strict-transport-security')).not.toBeNull();
    expect(reply.body).toContain(`href="${stand.url}/"`);
  });
});

describe('the app’s origin', () => {
  test.each([`/remote-billing-login/${TOKEN}`, '/serverlogin/', `/realm/${UUID}/plans/`, `/server/${UUID}/plans/`, '/api/v1/remotes/server/register'])('has nothing of billing, and passes nothing of it on: %s', async (path) => {
    const browser = await stand.signedIn();
    const before = stand.app.received.length;
    expect((await browser.get(path)).status).toBe(404);
    expect(stand.app.received).toHaveLength(before);
    expect(stand.log()).not.toContain(TOKEN);
  });
});

describe('what self-hosted servers call', () => {
  const BASIC = `Basic ${Buffer.from('id:key').toString('base64')}`;
  const form = (path: string, body: string, headers: Record<string, string> = {}) =>
    send(stand.url, { method: 'POST', body, headers: { host: 'billing.example', 'content-type': 'application/x-www-form-urlencoded', authorization: BASIC, 'x-forwarded-for': '198.51.100.7', ...headers } }, path);

  test('goes on with its own credentials, ours beside them, and the client’s address', async () => {
    stand.bridge.answer = (_req, res) => void res.writeHead(200, { 'content-type': 'application/json', 'set-cookie': 'a=1' }).end('{"result":"success"}');
    const reply = await form('/api/v1/remotes/server/billing', 'user=%7B%7D&realm=x', { cookie: 'vestibule_dev=x', 'vestibule-proxy-authorization': 'Bearer forged' });
    expect([reply.status, reply.body, reply.headers.getSetCookie()]).toEqual([200, '{"result":"success"}', []]);
    const got = stand.bridge.last();
    expect([got.method, got.url, got.body]).toEqual(['POST', '/api/v1/remotes/server/billing', 'user=%7B%7D&realm=x']);
    expect(got.headers).toMatchObject({ authorization: BASIC, 'x-forwarded-for': '198.51.100.7' });
    expect(got.headers['vestibule-proxy-authorization']).toMatch(/^Bearer ey/);
    expect(got.headers.cookie).toBeUndefined();
  });

  test('a server’s own wrong key comes back to it, and costs no new token of ours', async () => {
    stand.bridge.answer = (_req, res) => void res.writeHead(401, { 'content-type': 'application/json', 'www-authenticate': 'Basic realm="vestibule"' }).end('{"result":"error","code":"UNAUTHORIZED"}');
    const before = [stand.provider.serviceTokens, stand.bridge.received.length];
    const reply = await form('/api/v1/remotes/server/billing', 'x=y');
    expect([reply.status, reply.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="vestibule"']);
    expect([stand.provider.serviceTokens, stand.bridge.received.length]).toEqual([before[0], before[1]! + 1]);
  });

  test('our token that the bridge refuses is replaced once', async () => {
    let calls = 0;
    stand.bridge.answer = (_req, res) => {
      calls += 1;
      if (calls === 1) res.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
      else res.writeHead(200).end('{}');
    };
    expect([(await form('/api/v1/remotes/server/billing', 'x=y')).status, calls]).toEqual([200, 2]);
  });

  test('a report may be 2 MiB, anything else not; a GET passes', async () => {
    stand.bridge.answer = (_req, res) => void res.writeHead(200).end('{}');
    const large = `realms=${'x'.repeat(2 * 1024 * 1024)}`;
    expect((await form('/api/v1/remotes/server/analytics', large)).status).toBe(200);
    expect(stand.bridge.last().body).toHaveLength(large.length);
    expect((await form('/api/v1/remotes/server/billing', large)).status).toBe(413);
    expect((await get('/api/v1/remotes/server/analytics/status', { host: 'billing.example', authorization: BASIC })).status).toBe(200);
  });
});
