import { once } from 'node:events';
import { request as httpRequest, type ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.ts';
import type { Browser } from './support/browser.ts';
import { startStand, type Replica, type Stand } from './support/stand.ts';

const ADA = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada' };
const BOB = { sub: 'user-bob', email: 'bob@example.com', name: 'Bob' };
const ENDS_WITHIN_MS = 5_000;

let stand: Stand;
let other: Replica;
const atApp: ServerResponse[] = [];
beforeAll(async () => {
  stand = await startStand();
  other = await stand.replica();
  stand.app.answer = (req, res) => {
    if (req.url === '/') return void res.end();
    atApp.push(res);
    if (req.url === '/events') res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n');
  };
});
afterAll(async () => {
  for (const res of atApp) res.destroy();
  await other.proxy.stop();
  await stand.stop();
});
afterEach(() => {
  stand.provider.person = ADA;
});

/** Asks, and says when it has ended. */
function listen(browser: Browser, { at = stand.url, path = '/events', body = '' } = {}): { endedAt(): number | undefined } {
  let ended: number | undefined;
  const end = (): void => void (ended ??= Date.now());
  const outgoing = httpRequest(at + path, { agent: false, method: body ? 'POST' : 'GET', headers: { cookie: `vestibule_dev=${browser.cookies.get('vestibule_dev')}` } }, (incoming) => incoming.resume().on('error', end).on('close', end));
  outgoing.on('error', end).end(body);
  return { endedAt: () => ended };
}

test('an event stream and what is not answered yet end with a logout, on the other replica too; another person’s go on (SECURITY 23)', async () => {
  const ada = await stand.signedIn();
  stand.provider.person = BOB;
  const bob = await stand.signedIn();
  const before = atApp.length;
  const hers = [listen(ada), listen(ada, { at: other.url }), listen(ada, { path: '/unanswered' })];
  const his = listen(bob);
  await eventually(() => atApp.length === before + 4);
  const closedAtApp = Promise.all(atApp.slice(before).filter((res) => res.req.headers['x-user'] === ADA.sub).map((res) => once(res, 'close')));
  const leftAt = Date.now();
  await ada.post('/api/logout', {});
  await eventually(() => hers.every((one) => one.endedAt() !== undefined));
  expect(Math.max(...hers.map((one) => one.endedAt() ?? Infinity)) - leftAt).toBeLessThan(ENDS_WITHIN_MS);
  await closedAtApp;
  expect(his.endedAt()).toBeUndefined();
});

test('an event stream that was open for long, asked for with a body or without, ends at once with a logout, and not before the trial is over (SECURITY 4)', async () => {
  const until = Math.floor(Date.now() / 1000) + 6;
  stand.provider.person = { ...BOB, sub: 'user-on-trial', trial: { app: 'app-1', endsAt: until, accessUntil: until } };
  const onTrial = listen(await stand.signedIn());
  stand.provider.person = ADA;
  const ada = await stand.signedIn();
  const hers = [listen(ada), listen(ada, { body: 'all of it, please' })];
  const begun = Date.now();
  await eventually(() => Date.now() - begun > 3_500);
  expect(hers.map((one) => one.endedAt())).toEqual([undefined, undefined]);
  const leftAt = Date.now();
  await ada.post('/api/logout', {});
  await eventually(() => hers.every((one) => one.endedAt() !== undefined));
  expect(Math.max(...hers.map((one) => one.endedAt() ?? Infinity)) - leftAt).toBeLessThan(1_000);
  await eventually(() => onTrial.endedAt() !== undefined);
  const endedAt = onTrial.endedAt() ?? 0;
  expect([endedAt >= until * 1000, endedAt < (until + 1) * 1000]).toEqual([true, true]);
});
