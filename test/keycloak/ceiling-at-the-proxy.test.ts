import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { eventually } from '../support/eventually.ts';
import { httpBrowser, type HttpBrowser } from '../../platform/http-browser.ts';
import { startProxyReplica, type ProxyReplica } from '../support/proxy-replica.ts';
import { stack } from '../support/stack.ts';
import { entryOf, nowSeconds, personWith } from './support/keeper.ts';
import { startEcho } from '../support/echo.ts';

/** SECURITY.md 4, the rows of the proxy: what Keycloak stamped ends there on the same second. Their way in is ways-in's; the row of frames is in test/proxy/embed. */
const PROXY = 'vestibule-proxy';
const LIFE_SECONDS = 12;
const TRIAL_ENDED = 4403;

let app: { url: string; stop(): void };
let replica: ProxyReplica;

beforeAll(async () => {
  app = await startEcho();
  replica = await startProxyReplica({ APP_INTERNAL_URL: app.url });
});
afterAll(async () => {
  await replica.stop();
  app.stop();
});

/** Signed in, with a trial that ends in a moment. */
async function soonEnded(): Promise<{ browser: HttpBrowser; end: number }> {
  const end = nowSeconds() + LIFE_SECONDS;
  const person = await personWith([{ ...entryOf('app', [PROXY], LIFE_SECONDS), trial_access_until: end }]);
  const browser = httpBrowser();
  const login = await browser.get(`${stack().proxy}/api/login`);
  await browser.submit(login.form('kc-form-login'), { username: person.username, password: person.password });
  return { browser, end };
}

const cookieOf = (browser: HttpBrowser): string => Object.entries(browser.cookies(stack().proxy)).map((cookie) => cookie.join('=')).join('; ');
const reached = (second: number) => eventually(() => Date.now() >= second * 1000, LIFE_SECONDS * 1000);

test('SECURITY 4: a session of the proxy opens the app until the end, and not after it', async () => {
  const { browser, end } = await soonEnded();
  const statuses = () => Promise.all([stack().proxy, replica.url].map(async (url) => (await fetch(`${url}/`, { headers: { cookie: cookieOf(browser), 'sec-fetch-mode': 'cors' } })).status));
  let last: readonly number[] = [];
  await eventually(async () => {
    const answers = await statuses();
    if (Date.now() < end * 1000) last = answers;
    return Date.now() >= end * 1000;
  }, LIFE_SECONDS * 1000);
  expect(last).toEqual([200, 200]);
  await reached(end + 1);
  expect(await statuses()).toEqual([401, 401]);
});

test('SECURITY 4: a live web-socket is open until the end, and closed within a second', async () => {
  const { browser, end } = await soonEnded();
  const socket = new WebSocket(`${replica.url.replace('http', 'ws')}/`, { origin: stack().proxy, headers: { cookie: cookieOf(browser) } });
  const closed = once(socket, 'close').then(([code]) => ({ code: code as number, at: Date.now() }));
  await once(socket, 'message');
  const { code, at } = await closed;
  expect(code).toBe(TRIAL_ENDED);
  expect(at).toBeGreaterThanOrEqual(end * 1000);
  expect(at).toBeLessThan((end + 1) * 1000);
});
