import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { loadProducts, type Products } from '../../platform/products.ts';
import { eventually } from '../support/eventually.ts';
import { Browser, send } from './support/browser.ts';
import { startStand, type Replica, type Stand } from './support/stand.ts';

const HOLDS_WITHIN_MS = 1_000;
const XHR = { accept: 'application/json', 'sec-fetch-mode': 'cors' };
const until = Math.floor(Date.now() / 1000) + 3_600;

const [first] = loadProducts('products.yaml');
const WAITING: Products = [{ ...first, provision: 'wait' }];

let stand: Stand;
let other: Replica;
let people = 0;
beforeAll(async () => {
  stand = await startStand({ products: WAITING, env: { FORWARD_AUTH: 'true', TRUSTED_PROXIES: '127.0.0.1', PREPARING_BUDGET_SECONDS: '30' } });
  other = await stand.replica();
  await eventually(() => stand.bridge.feed.listeners() === 2);
});
afterAll(async () => {
  await other.proxy.stop();
  await stand.stop();
});
beforeEach(() => {
  people += 1;
  stand.provider.person = { sub: `user-${people}`, email: `user-${people}@example.com`, name: 'Ada', trial: { app: 'app-1', endsAt: until, accessUntil: until } };
});
afterEach(() => stand.clock.setOffset(0));

const tell = (ready: boolean, more: { product?: string } = {}) => stand.bridge.feed.tell({ user_id: `user-${people}`, trial_access_until: until, ready, ...more });

/** Somebody who has just signed up, in a browser that shows the page they came for. */
async function waiting(): Promise<Browser> {
  tell(false);
  const browser = new Browser(stand.url);
  const page = await browser.follow(await browser.get('/reports?year=2026'));
  expect([new URL(page.at, stand.url).pathname, page.status, page.body.includes('Your workspace is being prepared')]).toEqual(['/reports', 200, true]);
  return browser;
}

const shows = async (browser: Browser) => (await browser.get('/reports?year=2026')).body;

describe('until the app has answered trial.created', () => {
  test('a person sees a page at the address that they asked for, which looks again by itself and is the app once it is ready', async () => {
    const browser = await waiting();
    const seen = stand.app.received.length;
    const page = await browser.get('/reports?year=2026');
    expect([page.headers.get('refresh'), page.headers.get('cache-control'), page.body.includes('<script')]).toEqual(['2', 'no-store', false]);
    expect(page.body).not.toContain('example.com/contact');
    expect(stand.app.received).toHaveLength(seen);
    tell(true);
    await eventually(async () => (await shows(browser)) === 'the app', HOLDS_WITHIN_MS);
    expect(stand.app.last().url).toBe('/reports?year=2026');
  });

  test('so does every replica, and both go on within a second', async () => {
    const here = await waiting();
    const there = new Browser(other.url);
    for (const [name, value] of here.cookies) there.cookies.set(name, value);
    expect(await shows(there)).toContain('being prepared');
    tell(true);
    await eventually(async () => (await shows(there)) === 'the app' && (await shows(here)) === 'the app', HOLDS_WITHIN_MS);
  });

  test('a program hears 503, and when to ask again', async () => {
    const browser = await waiting();
    const reply = await browser.send('/api-of-the-app', { headers: XHR });
    expect([reply.status, reply.headers.get('retry-after'), reply.json()['code']]).toEqual([503, '2', 'preparing']);
  });

  test('a gateway that asks lets nobody pass, and hears of a page that leads on', async () => {
    const browser = await waiting();
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const asked = { 'x-forwarded-uri': '/reports', 'x-forwarded-host': new URL(stand.url).host, 'x-forwarded-method': 'GET', accept: 'text/html', 'sec-fetch-mode': 'navigate', cookie };
    const reply = await send(stand.url, { headers: asked }, '/api/auth');
    const page = `${stand.url}/trial/preparing?next_page=%2Freports`;
    expect([reply.status, reply.json()['code'], reply.headers.get('x-login-redirect'), reply.headers.get('x-user')]).toEqual([401, 'preparing', page, '']);
    expect((await browser.get('/trial/preparing?next_page=%2Freports')).headers.get('refresh')).toBe('2');
    tell(true);
    await eventually(async () => (await browser.get('/trial/preparing?next_page=%2Freports')).location === '/reports', HOLDS_WITHIN_MS);
    expect((await new Browser(stand.url).get('/trial/preparing?next_page=%2Freports')).location).toBe('/api/login?next_page=%2Freports');
  });

  test('no web-socket opens', async () => {
    const browser = await waiting();
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const socket = new WebSocket(`${stand.url.replace('http', 'ws')}/live`, { headers: { cookie, origin: stand.url } });
    socket.on('error', () => {});
    const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(answer.statusCode).toBe(503);
    answer.destroy();
  });
});

test('after the budget the page offers a way out, and leads on all the same', async () => {
  const browser = await waiting();
  stand.clock.setOffset(31);
  const page = await browser.get('/reports?year=2026');
  expect([page.status, page.headers.get('refresh')]).toEqual([200, null]);
  expect(page.body).toContain('https://example.com/contact');
  expect(page.body).toContain(page.headers.get('x-request-id'));
  tell(true);
  await eventually(async () => (await shows(browser)) === 'the app', HOLDS_WITHIN_MS);
});

describe('a sign-in', () => {
  test('that the feed comes a moment behind asks the bridge itself', async () => {
    stand.bridge.feed.mode = 'silent';
    tell(false);
    const asked = stand.bridge.feed.askedAfter.length;
    const browser = new Browser(stand.url);
    const page = await browser.follow(await browser.get('/reports'));
    expect(page.body).toContain('being prepared');
    expect(stand.bridge.feed.askedAfter.length).toBe(asked + 1);
    stand.bridge.feed.mode = 'well';
    await eventually(() => stand.bridge.feed.listeners() === 2);
  });

  test.each([
    ['of somebody whom the bridge does not know is judged by the stamp alone', () => {}],
    ['of somebody whose workspace is there', () => tell(true)],
    ['of somebody whose other product is not ready at this site', () => tell(false, { product: 'another' })],
  ])('%s', async (_, before) => {
    before();
    const browser = new Browser(stand.url);
    expect((await browser.follow(await browser.get('/reports'))).body).toBe('the app');
  });

  test('a refresh brings nobody in', async () => {
    const browser = await waiting();
    stand.clock.setOffset(301);
    expect((await browser.send('/', { headers: XHR })).status).toBe(503);
  });
});

test('a product that tells without waiting holds nobody up', async () => {
  const quick = await startStand();
  await eventually(() => quick.bridge.feed.listeners() === 1);
  quick.provider.person = stand.provider.person;
  quick.bridge.feed.tell({ user_id: stand.provider.person.sub, trial_access_until: until, ready: false });
  const browser = new Browser(quick.url);
  expect((await browser.follow(await browser.get('/reports'))).body).toBe('the app');
  await quick.stop();
});
