import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, NOW, openBridge, type TestBridge } from '../support/bridge.ts';
import { invited, read, signedUp } from './person.ts';

const DAY = 86_400;

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge();
});
afterAll(() => bridge.close());

const funnel = (from: string, to: string, product?: string) => bridge.asManager(`/api/trial/funnel?from=${from}&to=${to}${product === undefined ? '' : `&product=${product}`}`);
const has = (one: { id: string }, kind: string) => eventually(async () => (await read(bridge, one)).timeline.some((line) => line.kind === kind));

test('counts each trial on the day it began, as far as it came', async () => {
  bridge.clock.set(NOW);
  await invited(bridge);
  const scanned = await invited(bridge);
  await bridge.asProxy('/api/trial/opened', { token: scanned.token, signs: ['head'] });
  await has(scanned, 'link_opened');
  const opened = await invited(bridge);
  await bridge.asProxy('/api/trial/opened', { token: opened.token, signs: [] });
  await has(opened, 'link_opened');
  await signedUp(bridge);
  const [active, converted, erased] = [await signedUp(bridge), await signedUp(bridge), await signedUp(bridge)];
  bridge.clock.pass(DAY);
  await invited(bridge);
  await bridge.asProxy('/api/trial/signed-in', { user_id: active.userId, products: ['app'] });
  await has(active, 'signed_in');
  await bridge.asManager('/api/trial/completion', { user_id: converted.userId, reason: 'They pay.' });
  await bridge.asManager(`/api/trial/${erased.id}`, { reason: 'They asked.' }, {}, 'DELETE');

  const first = { day: '2026-11-21', product: 'app', invited: 7, opened: 5, registered: 4, active: 2, converted: 1 };
  const second = { day: '2026-11-22', product: 'app', invited: 1, opened: 0, registered: 0, active: 0, converted: 0 };
  expect((await funnel('2026-11-01', '2026-11-30')).body).toEqual({ days: [first, second] });
  expect((await funnel('2026-11-21', '2026-11-21', 'app')).body).toEqual({ days: [first] });
  expect((await funnel('2026-11-01', '2026-11-20')).body).toEqual({ days: [] });
  expect((await funnel('2026-11-01', '2026-11-30', 'other')).body).toEqual({ days: [] });
});

test('a rehearsal is not counted', async () => {
  bridge.clock.set(NOW + 100 * DAY);
  const { id } = await invited(bridge, 'ops+rehearsal-1@example.com');
  await bridge.db.updateTable('bridge.life').set({ rehearsal: true }).where('id', '=', id).execute();
  expect((await funnel('2027-02-01', '2027-03-30')).body).toEqual({ days: [] });
});

test.each([
  ['the last day before the first', '2026-11-02', '2026-11-01'],
  ['more than a year', '2026-01-01', '2027-01-03'],
  ['no day', '2026-02-30', '2026-03-01'],
  ['words', 'today', 'today'],
  ['a year that Postgres does not have', '0000-01-01', '0000-01-02'],
  ['the last day of all', '9999-12-31', '9999-12-31'],
  ['a time', '2026-11-01T00:00:00Z', '2026-11-02'],
])('refuses %s', async (_name, from, to) => {
  expect((await funnel(from, to)).body).toMatchObject({ code: 'invalid_request' });
});
