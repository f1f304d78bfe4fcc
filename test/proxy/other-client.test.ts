import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Browser, send } from './support/browser.ts';
import { CLIENT, startProvider, type TestProvider } from './support/provider.ts';
import { startStand, type Replica, type Stand } from './support/stand.ts';
import { asSuperuser } from './support/superuser.ts';

const ACCESS_SECONDS = 300;
const ADA = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada Lovelace' };
const XHR = { accept: 'application/json', 'sec-fetch-mode': 'cors' };
const OTHER_CLIENT = 'another-client';

let stand: Stand;
let elsewhere: TestProvider;
/** The same site, as it is after the configuration was changed: by whom its people are signed in. */
let byClient: Replica;
let byIssuer: Replica;
/** As it was, after a restart. */
let restarted: Replica;
const more: Replica[] = [];

beforeAll(async () => {
  [stand, elsewhere] = await Promise.all([startStand(), startProvider()]);
  [byClient, byIssuer, restarted] = await Promise.all([stand.replica({ PROXY_CLIENT_ID: OTHER_CLIENT }), stand.replica({ KEYCLOAK_PUBLIC_URL: elsewhere.publicUrl }), stand.replica()]);
});
afterAll(async () => {
  await Promise.all([byClient, byIssuer, restarted, ...more].map(({ proxy }) => proxy.stop()));
  await Promise.all([stand.stop(), elsewhere.stop()]);
});
afterEach(() => {
  stand.provider.person = ADA;
  stand.provider.misbehave = {};
  stand.clock.setOffset(0);
});

const CHANGES: readonly [string, () => Replica][] = [
  ['another client', () => byClient],
  ['another issuer', () => byIssuer],
];

function at(replica: Replica, browser: Browser): Browser {
  const same = new Browser(replica.url);
  for (const [name, value] of browser.cookies) same.cookies.set(name, value);
  return same;
}

const statusOf = async (browser: Browser) => (await browser.send('/', { headers: XHR })).status;
const tokenRequests = () => [...stand.provider.tokenRequests, ...elsewhere.tokenRequests].filter((request) => request.get('grant_type') !== 'client_credentials').length;

describe.each(CHANGES)('a site that has %s now', (_change, replica) => {
  test('takes no session of the former one, and shows its refresh token to nobody (SECURITY 22)', async () => {
    const browser = await stand.signedIn();
    const before = tokenRequests();
    expect(await statusOf(at(replica(), browser))).toBe(401);
    stand.clock.setOffset(ACCESS_SECONDS + 1);
    expect(await statusOf(at(replica(), browser))).toBe(401);
    expect((await at(replica(), browser).send('/api/session')).json()).toMatchObject({ authenticated: false });
    expect(tokenRequests()).toBe(before);
    stand.clock.setOffset(0);
    expect([await statusOf(browser), await statusOf(at(restarted, browser))]).toEqual([200, 200]);
  });

  test('nor one that an older release wrote, which named no client', async () => {
    const browser = await stand.signedIn();
    await asSuperuser(stand, 'update proxy.session set issuer = null, client_id = null');
    expect(await statusOf(at(replica(), browser))).toBe(401);
    expect(await statusOf(at(restarted, browser))).toBe(200);
  });

  test('finishes no sign-in that the former one began: the code is shown to nobody', async () => {
    const browser = stand.browser();
    const start = await browser.get('/api/login');
    const callback = new URL(String((await send(String(start.location))).location));
    const before = tokenRequests();
    const reply = await at(replica(), browser).get(callback.pathname + callback.search);
    expect([reply.status, tokenRequests()]).toEqual([400, before]);
    expect((await browser.get(callback.pathname + callback.search)).status).toBe(303);
  });

  test('nor lets somebody in who was about to take another’s place there', async () => {
    const browser = await stand.signedIn();
    stand.provider.person = { sub: 'user-bob', email: 'bob@example.com', name: 'Bob' };
    const question = await browser.follow(await browser.get('/api/login'));
    const login = new URL(question.at).searchParams.get('login') ?? '';
    const reply = await at(replica(), browser).post('/api/login/other-person', { login, choice: 'go_on' }, { origin: stand.url });
    expect([reply.status, reply.headers.getSetCookie().filter((line) => line.startsWith('vestibule_dev='))]).toEqual([400, []]);
  });
});

test('whoever signs in there is signed in there only', async () => {
  const browser = new Browser(byIssuer.url);
  const start = await browser.get('/api/login');
  const callback = new URL(String((await send(String(start.location))).location));
  expect((await browser.get(callback.pathname + callback.search)).status).toBe(303);
  expect([await statusOf(browser), await statusOf(at(stand, browser))]).toEqual([200, 401]);
});

test('two sites that swap their providers swap no sessions', async () => {
  let [first, second] = [stand.provider.issuer, elsewhere.issuer];
  const written = (url: string) => JSON.stringify({ sites: [[url, first], [url.replace('127.0.0.1', 'localhost'), second]].map(([public_url, issuer]) => ({ public_url, issuer, client_id: CLIENT.id, client_secret_variable: 'SITE_SECRET', upstreams: [{ to: stand.app.url }] })) });
  const env = () => ({ PROXY_SITES: written(stand.url), SITE_SECRET: CLIENT.secret });
  const before = await stand.replica(env());
  more.push(before);
  [first, second] = [second, first];
  const after = await stand.replica(env());
  more.push(after);
  const browser = await stand.signedIn();
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const ask = async (replica: Replica, url: string) => (await send(replica.url, { headers: { ...XHR, cookie, host: new URL(url).host } }, '/')).status;
  const hosts = [stand.url, stand.url.replace('127.0.0.1', 'localhost')];
  expect(await Promise.all(hosts.map((url) => ask(before, url)))).toEqual([200, 401]);
  expect(await Promise.all(hosts.map((url) => ask(after, url)))).toEqual([401, 401]);
});
