import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { creationOf, NOW } from '../support/bridge.ts';
import { eventually, invited, read, signedUp } from '../life/person.ts';
import { refuses, takes } from './receiver.ts';
import { openToldApp, type ToldApp } from './told-app.ts';

const ORIGIN = 'https://www.example.com';

let told: ToldApp;
beforeAll(async () => {
  const EMBED_SIGNING_KEY = generateKeyPairSync('ec', { namedCurve: 'prime256v1', privateKeyEncoding: { type: 'sec1', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } }).privateKey;
  const app = { name: 'App', path: '/apps/{id}', permissions: [], embed_origins: [ORIGIN] };
  told = await openToldApp({ product: { provision: 'wait', app }, env: { WEBHOOK_TRIES: '2', EMBED_SIGNING_KEY } });
});
afterAll(() => told.close());
beforeEach(() => {
  told.bridge.clock.set(NOW);
  told.app.answer = takes;
});

/** What the feed says about somebody, newest last. */
async function fed(userId: string): Promise<{ ready: boolean; version: number; trial_ends_at: number }[]> {
  const { bridge } = told;
  const answer = await fetch(`${bridge.url}/api/trial/changes?follow=false`, { headers: { authorization: `Bearer ${await bridge.realm.serviceToken('vestibule-proxy', 'trial-read')}` } });
  return [...(await answer.text()).matchAll(/^data: (.*)$/gm)].map(([, data = '{}']) => JSON.parse(data)).filter((one) => one.user_id === userId);
}

const isReady = async (userId: string) => (await fed(userId)).at(-1)?.ready;
const kinds = async (one: { id: string }) => (await read(told.bridge, one)).timeline.map(({ kind }) => kind);

test('the feed says that a trial is not ready until its app has answered trial.created', async () => {
  told.app.answer = () => {};
  const ada = await signedUp(told.bridge);
  const [before] = await fed(ada.userId);
  expect(before).toMatchObject({ ready: false, trial_ends_at: NOW + 14 * 86_400 });
  expect(await kinds(ada)).not.toContain('provisioned');
  told.app.answer = takes;
  await eventually(async () => (await isReady(ada.userId)) === true);
  const [after] = await fed(ada.userId);
  expect(after!.version).toBeGreaterThan(before!.version);
  const { timeline } = await read(told.bridge, ada);
  expect(timeline.filter(({ kind }) => kind === 'provisioned')).toEqual([expect.objectContaining({ request_id: timeline.find(({ kind }) => kind === 'registered')?.request_id })]);
});

test('an app that gives up leaves the trial active and unready, and staff sees why; an operator lets the person in', async () => {
  told.app.answer = refuses;
  const ada = await signedUp(told.bridge);
  await eventually(async () => (await kinds(ada)).includes('webhook_failed'));
  expect(await isReady(ada.userId)).toBe(false);
  expect((await read(told.bridge, ada))['state']).toBe('active');
  const { skip } = await import('../../../bridge/webhooks/tell.service.ts');
  expect(await skip(told.bridge.db, ada.id)).toBe(1);
  expect(await isReady(ada.userId)).toBe(true);
});

test('the answer about an attempt that came to nothing is none about the next one', async () => {
  const { bridge, app } = told;
  app.answer = (res) => void setTimeout(() => refuses(res), 200);
  const bob = await invited(bridge);
  const first = creationOf(bob.token, { username: bob.address });
  await bridge.asStep('/api/trial/creation', first);
  await eventually(async () => app.of(bob.id).length === 1);
  // Superseded: the row goes, another comes.
  const second = creationOf(bob.token, { username: bob.address });
  await bridge.asStep('/api/trial/creation', second);
  app.answer = (res, { data }) => (data.user_id === second.user_id ? undefined : takes(res));
  await eventually(async () => app.of(bob.id).some(({ told: { data } }) => data.user_id === second.user_id));
  expect(await isReady(second.user_id)).toBe(false);
  app.answer = takes;
  await eventually(async () => (await isReady(second.user_id)) === true);
});

test('a trial that joins an account which was there waits for its app as all others do', async () => {
  const { bridge, app } = told;
  app.answer = () => {};
  const account = bridge.accounts.add({ username: `joins.${randomUUID()}@example.com` });
  const { id, address } = await invited(bridge, account.username);
  const token = await bridge.invite({ address, lifeId: id, accountId: account.id });
  expect((await bridge.asProxy('/api/trial/join', { token, user_id: account.id })).status).toBe(200);
  expect(await isReady(account.id)).toBe(false);
  app.answer = takes;
  await eventually(async () => (await isReady(account.id)) === true);
  await eventually(async () => app.of(id).some(({ told: { type } }) => type === 'trial.confirmed'));
  expect([...new Set(app.of(id).map(({ told: { type } }) => type))]).toEqual(['trial.created', 'trial.confirmed']);
});

test('a workspace that is not there is framed by no page', async () => {
  const { bridge, app } = told;
  app.answer = () => {};
  const ada = await signedUp(bridge);
  const ask = async () => (await bridge.asManager('/api/trial/embed-token', { app: (await read(bridge, ada))['trial_app'], origin: ORIGIN })).body;
  expect(await ask()).toMatchObject({ code: 'not_possible' });
  app.answer = takes;
  await eventually(async () => (await isReady(ada.userId)) === true);
  expect(await ask()).toMatchObject({ token: expect.any(String) });
});

test('an extension says nothing about being ready', async () => {
  told.app.answer = () => {};
  const ada = await signedUp(told.bridge);
  await told.bridge.asManager('/api/trial/extend', { user_id: ada.userId, days: 3, reason: 'Because.' });
  expect((await fed(ada.userId)).at(-1)).toMatchObject({ ready: false, trial_ends_at: NOW + 17 * 86_400 });
});
