import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey, type JWTPayload } from 'jose';
import { eventually } from '../support/eventually.ts';
import { loadProducts } from '../../platform/products.ts';
import { send, type Reply } from './support/browser.ts';
import { CLIENT } from './support/provider.ts';
import { startApp, type TestServer } from './support/servers.ts';
import { startStand, type Replica, type Stand } from './support/stand.ts';

const ORIGIN = 'https://www.example.com';
const REVOKED_WITHIN_MS = 8_000;
const HOUR_SECONDS = 3600;

let stand: Stand;
let key: CryptoKey;
let published: object[];
let app: string;
let bridgeSays: Record<string, unknown>;
beforeAll(async () => {
  stand = await startStand({ embedHere: true, products: loadProducts('test/support/products.yaml') });
  const pair = await generateKeyPair('ES256', { extractable: true });
  key = pair.privateKey;
  published = [await publicKey(pair.publicKey, 'embed')];
  stand.bridge.answer = (req, res, body) => {
    const json = (value: object) => void res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (req.url === '/.well-known/jwks.json') return json({ keys: published });
    if (req.url === '/api/trial/embed-standing') return json((JSON.parse(body) as { app: string }).app === app ? bridgeSays : { found: false });
    return void res.writeHead(202, { 'content-type': 'application/json' }).end('{"status":"accepted"}');
  };
});
afterAll(() => stand.stop());

const publicKey = async (one: CryptoKey, kid: string) => ({ ...(await exportJWK(one)), kid, alg: 'ES256', use: 'sig' });
const now = () => Math.floor(Date.now() / 1000);
beforeEach(() => {
  app = randomUUID();
  stand.clock.setOffset(0);
  bridgeSays = { found: true, product: 'app', generation: 1, user_id: 'user-ada', path: `/apps/${app}`, trial_state: 'active', trial_ends_at: now() + HOUR_SECONDS, trial_access_until: now() + 2 * HOUR_SECONDS };
  stand.app.answer = (_req, res) => void res.writeHead(200, { 'content-type': 'text/html' }).end('the app');
});

interface Made {
  claims?: JWTPayload;
  typ?: string;
  by?: CryptoKey;
  keyId?: string;
  audience?: string;
  issuer?: string;
}

function tokenOf({ claims = {}, typ = 'vestibule-embed+jwt', by = key, keyId = 'embed', audience = stand.url, issuer = 'vestibule-bridge' }: Made = {}): Promise<string> {
  return new SignJWT({ app, origin: ORIGIN, generation: 1, sub: 'user-ada', jti: randomUUID(), exp: now() + 60, ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: keyId, typ })
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt()
    .sign(by);
}

const PAGE = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe', 'sec-fetch-site': 'cross-site' };
const post = (token: string, { origin = ORIGIN, at = app, url = stand.url } = {}): Promise<Reply> => send(url, { method: 'POST', form: { token }, headers: { ...PAGE, origin } }, `/embed/${at}`);

/** Its word is believed for seconds; a new token is never taken by what was known. */
const hearBridgeAgain = async (): Promise<void> => void (await post(await tokenOf()));

/** A frame that was let in, by its cookie. */
async function frame(url = stand.url): Promise<(path: string, more?: { method?: string; headers?: Record<string, string> }) => Promise<Reply>> {
  const reply = await post(await tokenOf({ audience: url }), { url });
  const [cookie = ''] = reply.headers.getSetCookie()[0]?.split(';') ?? [];
  return (path, { method = 'GET', headers = {} } = {}) => send(url, { method, headers: { ...PAGE, cookie, ...headers } }, path);
}

describe('a token from its page', () => {
  test('opens the frame by a cookie of its own, for that app alone (SECURITY 16)', async () => {
    const reply = await post(await tokenOf());
    expect([reply.status, reply.location]).toEqual([303, `/embed/${app}`]);
    expect(reply.headers.getSetCookie()).toEqual([expect.stringMatching(new RegExp(`^vestibule_dev_embed=[\\w-]{43}; Path=/embed/${app}; HttpOnly; Secure; SameSite=None; Partitioned; Max-Age=3600$`))]);
  });

  test('works once', async () => {
    const token = await tokenOf();
    const replies = await Promise.all([post(token), post(token), post(token)]);
    expect(replies.map(({ status }) => status).sort()).toEqual([303, 403, 403]);
  });

  test('ends with the trial, where that is nearer than an hour', async () => {
    bridgeSays['trial_access_until'] = now() + 90;
    const [cookie] = (await post(await tokenOf())).headers.getSetCookie();
    expect(Number(/Max-Age=(\d+)/.exec(cookie ?? '')?.[1])).toBeLessThanOrEqual(90);
  });

  test.each<[string, () => Promise<Reply>]>([
    ['posted by another page', async () => post(await tokenOf(), { origin: 'https://evil.example.com' })],
    ['posted by a page that hides where it is', async () => post(await tokenOf(), { origin: 'null' })],
    ['for another app', async () => post(await tokenOf({ claims: { app: randomUUID() } }))],
    ['that has expired', async () => post(await tokenOf({ claims: { exp: now() - 60 } }))],
    ['without an end', async () => post(await tokenOf({ claims: { exp: undefined } as never }))],
    ['without an id', async () => post(await tokenOf({ claims: { jti: undefined } as never }))],
    ['of another type', async () => post(await tokenOf({ typ: 'JWT' }))],
    ['for another audience', async () => post(await tokenOf({ audience: 'https://elsewhere.example.com' }))],
    ['of another issuer', async () => post(await tokenOf({ issuer: stand.provider.issuer }))],
    ['signed by another key', async () => post(await tokenOf({ by: (await generateKeyPair('ES256')).privateKey }))],
    ['not signed', async () => post(new UnsecuredJWT({ app, origin: ORIGIN, generation: 1, sub: 'user-ada', jti: randomUUID() }).setIssuer('vestibule-bridge').setAudience(stand.url).setExpirationTime('1m').encode())],
    ['of another person', async () => post(await tokenOf({ claims: { sub: 'user-eve' } }))],
    ['of before a revocation', async () => post(await tokenOf({ claims: { generation: 0 } }))],
    ['that is none', () => post('not.a.token')],
  ])('refuses one %s (SECURITY 15, 16)', async (_name, posting) => {
    const reply = await posting();
    expect(reply.status).toBe(403);
    expect(reply.headers.getSetCookie().filter((line) => line.includes('embed'))).toEqual([]);
    expect(reply.body).not.toContain('eyJ');
  });

  test('of a trial that is over is refused, and its page may show that', async () => {
    bridgeSays['trial_access_until'] = now();
    const reply = await post(await tokenOf());
    expect([reply.status, reply.headers.get('x-frame-options')]).toEqual([403, null]);
    expect(reply.headers.get('content-security-policy')).toMatch(new RegExp(`frame-ancestors ${ORIGIN}$`));
    expect(reply.body).toContain('This can’t be shown any more');
  });

  test('that nobody vouches for may be shown nowhere (SECURITY 24)', async () => {
    const reply = await post('not.a.token');
    expect(reply.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
  });
});

describe('in the frame', () => {
  test('the app hears whose it is, and nothing more of them', async () => {
    const inFrame = await frame();
    const reply = await inFrame(`/embed/${app}/notes?year=2026`, { headers: { 'x-user': 'forged', 'x-forwarded-prefix': '/forged' } });
    expect([reply.status, reply.body]).toEqual([200, 'the app']);
    expect(stand.app.last().url).toBe(`/apps/${app}/notes?year=2026`);
    expect(stand.app.last().headers).toMatchObject({ 'x-user': 'user-ada', 'x-trial-app': app, 'x-trial-state': 'active', 'x-user-email': '', 'x-user-roles': '', 'x-forwarded-prefix': `/embed/${app}` });
    expect(stand.app.last().headers.cookie).toBeUndefined();
  });

  test('the app stands at the address that it has, with and without a slash', async () => {
    const inFrame = await frame();
    for (const rest of ['', '/', '?a=b']) {
      await inFrame(`/embed/${app}${rest}`);
      expect(stand.app.last().url).toBe(`/apps/${app}${rest}`);
    }
  });

  test.each([
    ["default-src 'self'; frame-ancestors 'none'", "default-src 'self', "],
    ["frame-ancestors 'self', script-src 'self'; object-src 'none'", "script-src 'self'; object-src 'none', "],
    ["default-src 'self', Frame-Ancestors 'none'", "default-src 'self', "],
    ["frame-ancestors 'none'", ''],
  ])('its answers may be framed by that page alone, whatever the app says: %s', async (policy, kept) => {
    stand.app.answer = (_req, res) => void res.writeHead(200, { 'x-frame-options': 'DENY', 'content-security-policy': policy }).end('the app');
    const inFrame = await frame();
    const reply = await inFrame(`/embed/${app}/`);
    expect(reply.headers.get('x-frame-options')).toBeNull();
    expect(reply.headers.get('content-security-policy')).toBe(`${kept}frame-ancestors ${ORIGIN}`);
  });

  test.each([
    ['to its own path', () => `/apps/${app}/notes`, () => `/embed/${app}/notes`],
    ['to its beginning', () => `/apps/${app}`, () => `/embed/${app}`],
    ['elsewhere', () => '/apps-of-others', () => '/apps-of-others'],
  ])('a redirect %s', async (_name, from, to) => {
    stand.app.answer = (_req, res) => void res.writeHead(302, { location: from() }).end();
    const inFrame = await frame();
    expect((await inFrame(`/embed/${app}/`)).location).toBe(to());
  });

  test('the cookie opens nothing else (SECURITY 16)', async () => {
    const inFrame = await frame();
    for (const path of ['/', `/apps/${app}/`]) expect((await inFrame(path, { headers: { accept: 'application/json', 'sec-fetch-mode': 'cors' } })).status).toBe(401);
    expect((await inFrame('/api/session')).json()).toMatchObject({ authenticated: false });
    expect((await inFrame(`/embed/${randomUUID()}/`)).status).toBe(403);
  });

  test('a form is taken from the frame itself only', async () => {
    const inFrame = await frame();
    const status = async (site: string) => (await inFrame(`/embed/${app}/notes`, { method: 'POST', headers: { 'sec-fetch-site': site } })).status;
    expect([await status('cross-site'), await status('same-site'), await status('same-origin')]).toEqual([403, 403, 200]);
  });

  test('SECURITY 4: a frame, and a token for one, is open a second before the end, and refused a second after it', async () => {
    const inFrame = await frame();
    const end = now() + HOUR_SECONDS / 2;
    bridgeSays = { ...bridgeSays, trial_access_until: end };
    await hearBridgeAgain();
    const statusesAt = async (fromEnd: number) => {
      stand.clock.setOffset(end - Date.now() / 1000 + fromEnd);
      return [(await inFrame(`/embed/${app}/`)).status, (await post(await tokenOf())).status];
    };
    expect([await statusesAt(-1), await statusesAt(1)]).toEqual([[200, 303], [403, 403]]);
  });

  test('keys are rotated without a break: running frames go on, tokens of both keys are taken', async () => {
    const inFrame = await frame();
    const next = await generateKeyPair('ES256', { extractable: true });
    const before = await tokenOf();
    published = [await publicKey(next.publicKey, 'next'), ...published];
    // Keys are looked for once a second at most.
    await eventually(async () => (await post(await tokenOf({ by: next.privateKey, keyId: 'next' }))).status === 303, 2_000);
    expect([(await post(before)).status, (await inFrame(`/embed/${app}/`)).status]).toEqual([303, 200]);
  });

  test('grace, and the end, to the second', async () => {
    const inFrame = await frame();
    stand.clock.setOffset(HOUR_SECONDS - 5);
    bridgeSays = { ...bridgeSays, trial_ends_at: now() + HOUR_SECONDS - 10, trial_access_until: now() + HOUR_SECONDS - 2 };
    await hearBridgeAgain();
    expect([(await inFrame(`/embed/${app}/`)).status, stand.app.last().headers['x-trial-state']]).toEqual([200, 'grace']);
    stand.clock.setOffset(HOUR_SECONDS);
    expect((await inFrame(`/embed/${app}/`)).status).toBe(403);
  });

  test('an event stream ends with the trial (SECURITY 4, 16)', async () => {
    bridgeSays['trial_access_until'] = now() + 2;
    stand.app.answer = (_req, res) => void res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n');
    const inFrame = await frame();
    await expect(inFrame(`/embed/${app}/events`)).rejects.toThrow('aborted');
    expect(now()).toBeGreaterThanOrEqual(bridgeSays['trial_access_until'] as number);
  });

  test('a revocation holds within seconds', async () => {
    const inFrame = await frame();
    expect((await inFrame(`/embed/${app}/`)).status).toBe(200);
    bridgeSays['generation'] = 2;
    await eventually(async () => (await inFrame(`/embed/${app}/`)).status === 403, REVOKED_WITHIN_MS);
  });
});

describe('with a product behind each of two sites', () => {
  let lab: TestServer;
  let replica: Replica;
  beforeAll(async () => {
    lab = await startApp();
    const siteOf = (public_url: string, client_id: string, to: string) => ({ public_url, issuer: stand.provider.issuer, client_id, client_secret_variable: 'PROXY_CLIENT_SECRET', upstreams: [{ to }] });
    replica = await stand.replica({ PROXY_SITES: JSON.stringify({ sites: [siteOf('http://app.localhost', CLIENT.id, stand.app.url), siteOf('http://lab.localhost', 'vestibule-lab', lab.url)] }) });
  });
  afterAll(async () => {
    await replica.proxy.stop();
    await lab.stop();
  });

  test.each([
    ['app', () => [stand.app, lab] as const],
    ['lab', () => [lab, stand.app] as const],
  ])('a frame asks the app of its own: %s', async (product, servers) => {
    const [own, other] = servers();
    bridgeSays['product'] = product;
    const othersBefore = other.received.length;
    const inFrame = await frame(replica.url);
    expect((await inFrame(`/embed/${app}/notes`)).status).toBe(200);
    expect([own.last().url, other.received.length]).toEqual([`/apps/${app}/notes`, othersBefore]);
  });

  test('a frame of a product that no site opens is refused, and so is one that is open, and the log says why', async () => {
    const inFrame = await frame(replica.url);
    bridgeSays['product'] = 'elsewhere';
    const reply = await post(await tokenOf({ audience: replica.url }), { url: replica.url });
    expect([reply.status, reply.headers.getSetCookie().filter((line) => line.includes('embed'))]).toEqual([403, []]);
    expect((await inFrame(`/embed/${app}/`)).status).toBe(403);
    await eventually(() => Promise.resolve(replica.log().includes('"refused":"no_site"')));
  });
});
