import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { recordEvent } from '../../../bridge/life/event.store.ts';
import { EVENT_TYPES } from '../../../bridge/webhooks/event-types.ts';
import { loadProducts } from '../../../platform/products.ts';
import { readFileSync } from 'node:fs';
import { scrape } from '../../support/exposition.ts';
import { creationOf, NOW, openBridge } from '../support/bridge.ts';
import { eventually, invited, read, signedUp } from '../life/person.ts';
import { refuses, startReceiver, takes, type Told } from './receiver.ts';
import { newSecret, openToldApp, SECRET_NAME, type ToldApp } from './told-app.ts';

const DAY = 86_400;
const BECAUSE = { reason: 'They asked by telephone.' };

let told: ToldApp;
beforeAll(async () => {
  told = await openToldApp({ env: { BRIDGE_METRICS_PORT: '0' } });
});
afterAll(() => told.close());
beforeEach(() => {
  told.bridge.clock.set(NOW);
  told.app.answer = takes;
});

const keys = (one: Told) => [Object.keys(one), Object.keys(one.data)];
const heard = (id: string, count: number) => eventually(async () => new Set(told.app.of(id).map((one) => one.id)).size >= count);

test('an app hears of everything that happens to a trial, in order', async () => {
  const { bridge, app, days } = told;
  const address = `ada.${randomUUID()}@example.com`;
  await bridge.send('/api/trial/register', { body: { username: address } });
  await bridge.settled();
  const token = new URL(bridge.inbox.messages().find(({ to }) => to === address)!.links.find((link) => link.includes('invitation_token'))!).searchParams.get('invitation_token')!;
  const { body } = await bridge.asManager(`/api/trial?search=${encodeURIComponent(address)}`);
  const [{ id } = { id: '' }] = body['trials'] as { id: string }[];
  await bridge.asProxy('/api/trial/opened', { token, signs: [] });
  await heard(id, 2);
  const creation = creationOf(token, { username: address });
  await bridge.asStep('/api/trial/creation', creation);
  await bridge.asStep('/api/trial/creation/outcome', { attempt_id: creation.attempt_id, user_id: creation.user_id, outcome: 'committed' });
  for (const count of [7, 7, 3]) await days(count);
  await bridge.asManager('/api/trial/extend', { user_id: creation.user_id, days: 10, ...BECAUSE });
  await bridge.asManager('/api/trial/completion', { user_id: creation.user_id, plan: 'team', ...BECAUSE });
  await heard(id, 9);
  expect(app.typesOf(id)).toEqual(['trial.invited', 'trial.opened', 'trial.created', 'trial.confirmed', 'trial.ending', 'trial.grace', 'trial.expired', 'trial.extended', 'trial.converted']);
  const messages = app.of(id);
  const trial_app = (await read(bridge, { id }))['trial_app'];
  const [invitation, , created] = messages;
  const who = { id, product: 'app', username: address, rehearsal: false };
  expect(invitation!.told.data).toEqual({ ...who, user_id: null, state: 'invited', trial_ends_at: null, trial_access_until: null, plan: null, trial_app: null, at: NOW, request_id: expect.any(String) });
  expect(created!.told).toMatchObject({
    timestamp: new Date(NOW * 1000).toISOString(),
    data: { ...who, request_id: expect.any(String), user_id: creation.user_id, state: 'active', trial_ends_at: NOW + 14 * DAY, trial_access_until: NOW + 17 * DAY, trial_app },
  });
  // As it was at each turn, although all of them may have been sent later.
  expect(messages.map(({ told: { data } }) => data.state)).toEqual(['invited', 'invited', 'active', 'active', 'ending', 'grace', 'expired', 'active', 'converted']);
  expect(messages.at(-2)!.told.data.trial_ends_at).toBe(NOW + 27 * DAY);
  expect(messages.at(-1)!.told.data).toMatchObject({ plan: 'team', trial_ends_at: null, trial_access_until: null });
  expect(JSON.stringify(messages)).not.toContain(token);
  expect(JSON.stringify(messages)).not.toMatch(/https?:(?!\/\/127)/);
  await bridge.asManager(`/api/trial/${id}`, BECAUSE, {}, 'DELETE');
  await heard(id, 11);
  expect(app.typesOf(id).slice(-2)).toEqual(['trial.revoked', 'trial.erased']);
  expect(app.of(id).at(-1)!.told.data).toMatchObject({ user_id: creation.user_id, username: null, request_id: expect.any(String) });
});

test('a revoked one, and a registration that came to nothing', async () => {
  const { bridge, app } = told;
  const ada = await signedUp(bridge);
  await bridge.asManager(`/api/trial/${ada.id}/revoke`, BECAUSE);
  await heard(ada.id, 3);
  expect(app.typesOf(ada.id)).toEqual(['trial.created', 'trial.confirmed', 'trial.revoked']);
  const bob = await invited(bridge);
  const creation = creationOf(bob.token, { username: bob.address });
  await bridge.asStep('/api/trial/creation', creation);
  await bridge.db.deleteFrom('bridge.trial').where('user_id', '=', creation.user_id).execute();
  await heard(bob.id, 2);
  expect(app.of(bob.id).map(({ told: { type, data } }) => [type, data.user_id])).toEqual([['trial.created', creation.user_id], ['trial.released', creation.user_id]]);
});

test('every message is signed with every secret, and again at each try under the same id', async () => {
  const { bridge, app } = told;
  let tries = 0;
  app.answer = (res) => ((tries += 1) < 4 ? refuses(res) : takes(res));
  const ada = await signedUp(bridge);
  await heard(ada.id, 2);
  const [first, ...others] = app.of(ada.id);
  expect(others.slice(0, 3).map(({ id, body }) => [id, body])).toEqual(Array.from({ length: 3 }, () => [first!.id, first!.body]));
  expect(first!.id).toMatch(/^msg_[0-9a-f]{32}$/);
  expect(app.unverified).toEqual([]);
});

test('secrets are changed without a break: an app that knows either believes us', async () => {
  const [before, after] = [newSecret(), newSecret()];
  const app = await startReceiver(before);
  const [first] = loadProducts('products.yaml');
  const bridge = await openBridge({ env: { BEFORE: before, AFTER: after }, products: [{ ...first, webhook: { url: app.url, secret_env: ['AFTER', 'BEFORE'] } }] });
  const ada = await signedUp(bridge);
  await eventually(async () => app.of(ada.id).length === 2);
  const { body, headers } = app.received[0]!;
  expect(new Webhook(after).verify(body, headers)).toEqual(JSON.parse(body));
  expect(app.unverified).toEqual([]);
  await bridge.close();
  await app.stop();
});

test('a trial whose app does not take an event waits; others do not, and other products neither', async () => {
  const { bridge, app } = told;
  const [slow, quick] = [await signedUp(bridge), await signedUp(bridge)];
  app.answer = (res, { data }) => (data.id === slow.id ? refuses(res) : takes(res));
  await Promise.all([slow, quick].map(({ id }) => bridge.asManager(`/api/trial/${id}/revoke`, BECAUSE)));
  await heard(quick.id, 3);
  expect(app.typesOf(quick.id).at(-1)).toBe('trial.revoked');
  app.answer = takes;
  await heard(slow.id, 3);
});

test('an app that hangs holds up no other app, and no mail', async () => {
  const hanging = await startReceiver(told.secret);
  const quick = await startReceiver(told.secret);
  hanging.answer = () => {};
  const [first] = loadProducts('products.yaml');
  const webhook = { secret_env: [SECRET_NAME] };
  const bridge = await openBridge({
    env: { [SECRET_NAME]: told.secret, WEBHOOK_TIME_LIMIT_SECONDS: '30' },
    products: [{ ...first, webhook: { ...webhook, url: hanging.url } }, { ...first, id: 'lab', webhook: { ...webhook, url: quick.url } }],
  });
  await Promise.all(Array.from({ length: 12 }, () => signedUp(bridge)));
  await eventually(async () => hanging.received.length === 8);
  await bridge.send('/api/trial/register', { body: { username: 'lab@example.com', product: 'lab' } });
  await eventually(async () => quick.received.length === 1);
  await eventually(async () => bridge.inbox.messages().some(({ to }) => to === 'lab@example.com'));
  await hanging.stop();
  await bridge.close();
  await quick.stop();
});

test('"not now" is taken at its word', async () => {
  const { bridge, app } = told;
  let asked = 0;
  app.answer = (res) => {
    asked += 1;
    if (asked > 1) return takes(res);
    return void res.writeHead(503, { 'retry-after': '3600' }).end();
  };
  const ada = await signedUp(bridge);
  const waits = () => bridge.db.selectFrom('bridge.webhook').select('next_try_at').where('life_id', '=', ada.id).where('failure', '=', 'answered_503').executeTakeFirst();
  await eventually(async () => (await waits()) !== undefined);
  expect((await waits())!.next_try_at.getTime() - Date.now()).toBeGreaterThan(3_500_000);
  expect(app.of(ada.id)).toHaveLength(1);
});

test('after an erasure nobody is named; the app hears whose data to delete, and then we forget it too', async () => {
  const { bridge, app } = told;
  app.answer = refuses;
  const ada = await signedUp(bridge);
  await bridge.db.transaction().execute(async (trx) => {
    await trx.deleteFrom('bridge.trial').where('user_id', '=', ada.userId).execute();
    await trx.updateTable('bridge.life').set({ address: null, user_id: null }).where('id', '=', ada.id).execute();
    await recordEvent(trx, { lifeId: ada.id, at: bridge.clock.now(), kind: 'erased', actor: 'client:test' });
  });
  const seen = app.received.length;
  app.answer = takes;
  await eventually(async () => app.typesOf(ada.id).includes('trial.erased'));
  const later = app.received.slice(seen).filter(({ told: { data } }) => data.id === ada.id);
  expect(later.at(-1)!.told.data).toMatchObject({ username: null, user_id: ada.userId });
  expect(JSON.stringify(later.slice(1))).not.toContain(ada.address);
  await eventually(async () => (await bridge.db.selectFrom('bridge.webhook').select('user_id').where('life_id', '=', ada.id).where('user_id', 'is not', null).execute()).length === 0);
});

test('what is not of an app is kept for no app: a product without a webhook leaves no row', async () => {
  const bridge = await openBridge();
  await signedUp(bridge);
  expect(await bridge.db.selectFrom('bridge.webhook').select('event_id').execute()).toEqual([]);
  await bridge.close();
});

test('secrets and addresses stand in no log line, counts in the metrics', async () => {
  const { bridge, secret } = told;
  const ada = await signedUp(bridge);
  await heard(ada.id, 2);
  expect(bridge.log()).not.toContain(secret);
  expect(bridge.log()).not.toContain(secret.slice('whsec_'.length));
  await eventually(async () => ((await scrape(bridge.metricsPort)).sum('vestibule_bridge_webhooks_total', { type: 'trial.created', outcome: 'delivered' }) ?? 0) > 0);
});

describe('docs/webhooks.md', () => {
  const page = readFileSync('docs/webhooks.md', 'utf8');

  test('names every event', () => {
    expect(Object.values(EVENT_TYPES).filter((type) => !page.includes(`| \`${type}\` |`))).toEqual([]);
  });

  test('shows a payload that has the keys of a real one', async () => {
    const ada = await signedUp(told.bridge);
    await heard(ada.id, 1);
    const shown = JSON.parse(/```json\n([\s\S]*?)```/.exec(page)![1]!) as Told;
    expect(keys(shown)).toEqual(keys(told.app.of(ada.id)[0]!.told));
  });
});
