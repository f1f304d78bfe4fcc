import { execFile } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { checkWebhooks } from '../../../bridge/doctor/webhooks.ts';
import { findBacklog, listDeliveries, replay } from '../../../bridge/webhooks/delivery.store.ts';
import { keepSubscriptions } from '../../../bridge/webhooks/subscription.store.ts';
import { loadProducts } from '../../../platform/products.ts';
import { eventually, read, signedUp, type Person } from '../life/person.ts';
import { NOW } from '../support/bridge.ts';
import { scrape } from '../../support/exposition.ts';
import { refuses, takes } from './receiver.ts';
import { openToldApp, type ToldApp } from './told-app.ts';

const BECAUSE = { reason: 'They asked by telephone.' };

let told: ToldApp;
beforeAll(async () => {
  told = await openToldApp({ env: { WEBHOOK_TRIES: '3', BRIDGE_METRICS_PORT: '0' } });
});
afterAll(() => told.close());
beforeEach(() => {
  told.bridge.clock.set(NOW);
  told.app.answer = takes;
});

/** As an operator types it. */
function command(...args: string[]): Promise<{ status: number; said: string }> {
  const env = { ...process.env, BRIDGE_DATABASE_URL: told.bridge.databaseUrl };
  return new Promise((resolve) => {
    execFile(process.execPath, ['--disable-warning=ExperimentalWarning', 'bridge/webhooks/main.ts', ...args], { env }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), said: stdout + stderr });
    });
  });
}

const dead = async ({ id }: Person) => (await told.bridge.db.selectFrom('bridge.webhook').select('event_id').where('life_id', '=', id).where('delivery', '=', 'dead').execute()).length;

/** Somebody whose `trial.created` was given up, and whose trial was revoked since. */
async function givenUp(): Promise<Person> {
  const { bridge, app } = told;
  app.answer = refuses;
  const ada = await signedUp(bridge);
  await bridge.asManager(`/api/trial/${ada.id}/revoke`, BECAUSE);
  await eventually(async () => (await dead(ada)) === 1);
  return ada;
}

test('after its last try an event is given up, staff sees it, and what follows of that trial waits', async () => {
  const { app, bridge } = told;
  const ada = await givenUp();
  app.answer = takes;
  const bob = await signedUp(bridge);
  await eventually(async () => app.of(bob.id).length === 2);
  expect(app.typesOf(ada.id)).toEqual(['trial.created', 'trial.created', 'trial.created']);
  const { timeline } = await read(bridge, ada);
  const requestId = timeline.find(({ kind }) => kind === 'registered')?.request_id;
  expect(requestId).toEqual(expect.any(String));
  expect(timeline.find(({ kind }) => kind === 'webhook_failed')).toMatchObject({ actor: 'bridge', request_id: requestId, detail: { event: 'trial.created', failure: 'answered_500', tries: 3 } });
  expect((await scrape(bridge.metricsPort)).sum('vestibule_bridge_webhooks_dead')).toBe(await dead(ada));
  expect(bridge.log()).toContain('a webhook was given up');
});

/** As the doctor finds it, with the app at this address. */
const diagnose = async (url: string, development: boolean) =>
  (await checkWebhooks(told.bridge.db, [{ product: 'app', url, secrets: [], waits: false }], { development })).findings.map(({ subject, detail }) => `${subject}: ${detail}`);

describe('npm run doctor -- webhooks', () => {
  test('names what was given up, and an app that can not be dialled', async () => {
    const ada = await givenUp();
    expect(await diagnose(told.app.url, true)).toEqual([expect.stringMatching(/^the apps: \d+ events were given up/)]);
    expect(await diagnose('http://127.0.0.1:1/', true)).toContain("the app of app: can't be dialled at http://127.0.0.1:1: no_connection");
    expect(await diagnose(told.app.url, false)).toContain(`the app of app: can't be dialled at ${new URL(told.app.url).origin}: private_address`);
    expect((await diagnose(told.app.url, true)).join()).not.toContain(ada.address);
    told.app.answer = takes;
    await replay(told.bridge.db, { dead: true });
    await eventually(async () => (await diagnose(told.app.url, true)).length === 0);
  });
});

test('what waits for an app that nobody tells any more rings nowhere, and goes on when somebody does', async () => {
  const ada = await givenUp();
  const products = loadProducts('products.yaml');
  const endpoints = [{ product: products[0].id, url: told.app.url, secrets: [], waits: false }];
  await keepSubscriptions(told.bridge.db, [], ['app']);
  try {
    expect(await findBacklog(told.bridge.db)).toEqual({ waiting: 0, dead: 0, oldestSeconds: 0 });
    expect(await listDeliveries(told.bridge.db, {}, 500)).toEqual([]);
    expect(await replay(told.bridge.db, { dead: true })).toBe(0);
    expect(await listDeliveries(told.bridge.db, { lifeId: ada.id }, 500)).toHaveLength(3);
  } finally {
    await keepSubscriptions(told.bridge.db, endpoints, ['app']);
  }
  expect(await findBacklog(told.bridge.db)).toMatchObject({ dead: expect.any(Number), waiting: expect.any(Number) });
  // By a replica whose products file lacks the product, nothing is forgotten.
  const before = await findBacklog(told.bridge.db);
  await keepSubscriptions(told.bridge.db, [], ['another']);
  expect((await findBacklog(told.bridge.db)).dead).toBe(before.dead);
  expect(await dead(ada)).toBe(1);
  expect((await listDeliveries(told.bridge.db, { dead: true }, 500)).map(({ lifeId }) => lifeId)).toContain(ada.id);
});

describe('npm run webhooks', () => {
  test('-- list says what waits, and why', async () => {
    const ada = await givenUp();
    const { said } = await command('list', '--dead');
    expect(said).toMatch(new RegExp(`${ada.id} {2}app {2}trial\\.created {2}dead {2}3 tries {2}answered_500`));
    expect(said).not.toContain('waiting');
    expect((await command('list')).said).toMatch(new RegExp(`${ada.id} {2}app {2}trial\\.revoked {2}waiting`));
    expect((await command('list', '--trial', ada.id)).said.trim().split('\n')).toHaveLength(3);
    expect((await command('list')).said).not.toContain(ada.address);
  });

  test('-- replay --dead sends what was given up, then what waits, in order', async () => {
    const ada = await givenUp();
    told.app.answer = takes;
    expect(await command('replay', '--dead')).toMatchObject({ status: 0, said: expect.stringMatching(/^\d+ events are sent again/) });
    await eventually(async () => told.app.of(ada.id).length === 6);
    expect(told.app.typesOf(ada.id).slice(-3)).toEqual(['trial.created', 'trial.confirmed', 'trial.revoked']);
    expect(await dead(ada)).toBe(0);
  });

  test('-- replay --trial and --since send it all again, under the same ids', async () => {
    const { bridge, app } = told;
    const ada = await signedUp(bridge);
    await eventually(async () => app.of(ada.id).length === 2);
    const ids = app.of(ada.id).map(({ id }) => id);
    expect((await command('replay', '--trial', ada.id)).said).toBe('2 events are sent again.\n');
    await eventually(async () => app.of(ada.id).length === 4);
    bridge.clock.set(NOW + 50);
    const bob = await signedUp(bridge);
    await eventually(async () => app.of(bob.id).length === 2);
    expect((await command('replay', '--since', new Date((NOW + 50) * 1000).toISOString())).said).toBe('2 events are sent again.\n');
    await eventually(async () => app.of(bob.id).length === 4);
    expect(app.of(ada.id).map(({ id }) => id)).toEqual([...ids, ...ids]);
  });

  test('-- skip lets a trial go on without it', async () => {
    const ada = await givenUp();
    told.app.answer = takes;
    expect((await command('skip', '--trial', ada.id)).said).toBe('1 events are left out.\n');
    await eventually(async () => told.app.typesOf(ada.id).at(-1) === 'trial.revoked');
    expect(told.app.typesOf(ada.id).slice(-2)).toEqual(['trial.confirmed', 'trial.revoked']);
  });

  test.each([
    [[], /^Usage:/],
    [['replay'], /^Usage:/],
    [['replay', '--dead', '--since', '2026-11-21T00:00:00Z'], /^Usage:/],
    [['replay', '--since', 'yesterday'], /^--since: must be an instant/],
    [['skip', '--trial', '1'], /^--trial: must be the id/],
    [['list', '--all'], /--all/],
  ])('-- %j is told what to type', async (args, words) => {
    expect(await command(...args)).toMatchObject({ status: 1, said: expect.stringMatching(words) });
  });
});
