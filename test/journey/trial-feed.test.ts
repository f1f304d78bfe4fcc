import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { eventually } from '../support/eventually.ts';
import type { HttpBrowser } from '../../platform/http-browser.ts';
import { freshAddress } from '../support/person.ts';
import { startProxyReplica, type ProxyReplica } from '../support/proxy-replica.ts';
import { moveClock, queryDatabase, stack } from '../support/stack.ts';
import { invite, isSignedIn, signUp } from '../support/visitor.ts';
import { startEcho } from '../support/echo.ts';

/** MODEL.md: in every replica. */
const HOLDS_WITHIN_MS = 1_000;
const PAST_THE_END_SECONDS = 30 * 86_400;

let app: { url: string; stop(): void };
let replica: ProxyReplica;
let browser: HttpBrowser;
let userId: string;

beforeAll(async () => {
  app = await startEcho();
  replica = await startProxyReplica({ APP_INTERNAL_URL: app.url });
  await eventually(async () => {
    const { dependencies } = (await (await fetch(`${replica.url}/readyz`)).json()) as { dependencies: Record<string, { state: string }> };
    return dependencies['trial_feed']?.state === 'up';
  });
});
afterAll(async () => {
  await replica.stop();
  app.stop();
});
beforeEach(async () => {
  const signedUp = await signUp(await invite(freshAddress('ada')));
  expect(isSignedIn(signedUp.page)).toBe(true);
  browser = signedUp.browser;
  userId = (await browser.json(`${stack().proxy}/whoami`)).userId;
});
afterEach(() => moveClock(0));

const proxies = () => [stack().proxy, replica.url];
const cookieFor = (url: string) => Object.entries(browser.cookies(url)).map((cookie) => cookie.join('=')).join('; ');
const statuses = () => Promise.all(proxies().map(async (url) => (await fetch(`${url}/`, { headers: { cookie: cookieFor(url), accept: 'application/json', 'sec-fetch-mode': 'cors' } })).status));
const areRefused = async () => (await statuses()).every((status) => status === 401);

const untilAt = () => Promise.all(proxies().map(async (url) => (await browser.json(`${url}/api/session`)).trial?.access_until));

/** As the bridge's own services write it: the row, and nothing else. */
const moveEnd = (to: string) => queryDatabase(`update bridge.trial set trial_ends_at = ${to}, trial_access_until = ${to} where user_id = $1`, [userId]);

test('a trial that the bridge ends is refused by every proxy within a second, its web-sockets closed with 4403', async () => {
  const socket = new WebSocket(`${replica.url.replace('http', 'ws')}/`, { origin: stack().proxy, headers: { cookie: cookieFor(replica.url) } });
  const closed = once(socket, 'close');
  await once(socket, 'message');
  expect(await statuses()).toEqual([200, 200]);
  await moveEnd('now()');
  await eventually(areRefused, HOLDS_WITHIN_MS);
  expect((await closed)[0]).toBe(4403);
});

test('a trial that is extended goes on, in sessions that are open and in those that ended a moment ago', async () => {
  await moveEnd('now()');
  await eventually(areRefused, HOLDS_WITHIN_MS);
  await moveEnd(`to_timestamp(4102444800)`);
  await eventually(async () => (await untilAt()).every((one) => one === 4_102_444_800), HOLDS_WITHIN_MS);
  expect(await statuses()).toEqual([200, 200]);
});

test('a domain clock that is moved past the end is told as an earlier end, and taken back with the clock', async () => {
  await moveClock(PAST_THE_END_SECONDS);
  await eventually(areRefused, HOLDS_WITHIN_MS);
  await moveClock(0);
  await eventually(async () => !(await statuses()).includes(401), HOLDS_WITHIN_MS);
});
