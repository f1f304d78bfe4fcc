import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { queueFirstLooks } from '../../bridge/trial/registration.store.ts';
import { eventually } from '../support/eventually.ts';
import { creationOf, openBridge, type TestBridge } from './support/bridge.ts';
import { statementsDuring } from './support/statements.ts';

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge();
});
afterAll(() => bridge.close());

const create = async () => {
  const address = `ada.${randomUUID()}@example.com`;
  const body = creationOf(await bridge.invite({ address }), { username: address });
  expect((await bridge.asStep('/api/trial/creation', body)).status).toBe(200);
  return { ...body, address };
};
const outcome = ({ attempt_id, user_id }: { attempt_id: string; user_id: string }) => ({ attempt_id, user_id, outcome: 'committed' });
const makeDue = (attemptId: string) => bridge.db.updateTable('bridge.registration').set({ first_look_at: sql`now() - interval '1 second'` }).where('attempt_id', '=', attemptId).execute();
const registration = (attemptId: string) => bridge.db.selectFrom('bridge.registration').select(['state', 'looks', 'first_look_at']).where('attempt_id', '=', attemptId).executeTakeFirstOrThrow();
const jobsFor = async (attemptId: string) => (await sql`select from graphile_worker.jobs where key = ${`reconcile:${attemptId}`}`.execute(bridge.db)).rows.length;

test('a creation by Keycloak is one statement, and adds no job', async () => {
  const address = `ada.${randomUUID()}@example.com`;
  const body = creationOf(await bridge.invite({ address }), { username: address });
  const statements = await statementsDuring(() => bridge.asStep('/api/trial/creation', body));
  expect(statements.map((text) => text.split('\n', 1)[0])).toEqual(['/* prepared: reserve */']);
  expect(await jobsFor(body.attempt_id)).toBe(0);
});

test('an attempt that nobody confirmed is looked for by itself, once its first look is due', async () => {
  const attempt = await create();
  expect(((await registration(attempt.attempt_id)).first_look_at?.getTime() ?? 0) - Date.now()).toBeGreaterThan(2_000);
  bridge.accounts.add({ id: attempt.user_id, username: attempt.address });
  await makeDue(attempt.attempt_id);
  await eventually(async () => (await registration(attempt.attempt_id)).state === 'confirmed');
});

test('a look that is not due yet is not queued', async () => {
  const attempt = await create();
  await queueFirstLooks(bridge.db, { all: false });
  expect((await registration(attempt.attempt_id)).first_look_at).not.toBeNull();
});

test('nobody looks for what was confirmed', async () => {
  const attempt = await create();
  await bridge.asStep('/api/trial/creation/outcome', outcome(attempt));
  expect(await registration(attempt.attempt_id)).toEqual({ state: 'confirmed', looks: 0, first_look_at: null });
  expect(await jobsFor(attempt.attempt_id)).toBe(0);
});

test('of many sweeps at once, one queues a look, and what is queued has no other', async () => {
  const attempts = await Promise.all(Array.from({ length: 10 }, create));
  bridge.accounts.fail(true);
  try {
    for (const { attempt_id } of attempts) await makeDue(attempt_id);
    const queued = await Promise.all(Array.from({ length: 8 }, () => queueFirstLooks(bridge.db, { all: false })));
    // The bridge's own sweep may have come first.
    expect(queued.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(attempts.length);
    for (const { attempt_id } of attempts) expect([(await registration(attempt_id)).first_look_at, await jobsFor(attempt_id)]).toEqual([null, 1]);
  } finally {
    bridge.accounts.fail(false);
  }
});

test('a bridge that stops leaves no first look behind: an older release would not see it', async () => {
  const own = await openBridge();
  const { db } = own;
  const body = creationOf(await own.invite());
  await own.asStep('/api/trial/creation', body);
  let left: unknown;
  await own.close({ before: async () => void (left = await db.selectFrom('bridge.registration').select('first_look_at').execute()) });
  expect(left).toEqual([{ first_look_at: null }]);
});

test('outcomes of several registrations are taken in one statement, each by its own rule (SECURITY.md 9)', async () => {
  const [one, other, given] = [await create(), await create(), await create()];
  const outcomes = [outcome(other), { ...outcome(one), user_id: randomUUID() }, { ...outcome(given), outcome: 'rolled_back' }, outcome({ attempt_id: randomUUID(), user_id: randomUUID() })];
  expect((await bridge.asStep('/api/trial/creation/outcomes', { outcomes })).body).toEqual({ results: ['confirmed', 'ignored', 'recorded', 'ignored'] });
  expect((await Promise.all([one, other, given].map(({ attempt_id }) => registration(attempt_id)))).map(({ state }) => state)).toEqual(['pending', 'confirmed', 'pending']);
  const statements = await statementsDuring(() => bridge.asStep('/api/trial/creation/outcomes', { outcomes: [one, given].map(outcome) }));
  // Beside it, jobs of other attempts may look at theirs.
  expect(statements.filter((text) => text.startsWith('/* prepared')).map((text) => text.split('\n', 1)[0])).toEqual(['/* prepared: confirm */']);
});

test('many calls with the same outcomes in any order confirm each once, and none waits for another for ever', async () => {
  const attempts = await Promise.all(Array.from({ length: 12 }, create));
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, turn) => {
      const outcomes = attempts.map(outcome);
      return bridge.asStep('/api/trial/creation/outcomes', { outcomes: turn % 2 === 0 ? outcomes : outcomes.toReversed() });
    }),
  );
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  const confirmed = answers.flatMap(({ body }) => body['results'] as string[]).filter((result) => result === 'confirmed');
  expect(confirmed).toHaveLength(attempts.length);
});
