import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { findDisagreements } from '../../bridge/doctor/consistency.ts';
import type { Account } from '../../bridge/keycloak/accounts.ts';
import { sql, type Updateable } from 'kysely';
import { addJob } from '../../bridge/db/job.ts';
import type { LifeTable } from '../../bridge/db/trial-life.schema.ts';
import { creationOf, NOW, openBridge, type TestBridge } from './support/bridge.ts';

const MINUTE = 60;

let bridge: TestBridge;
let users: Map<string, Account>;
let address: string;
beforeAll(async () => {
  bridge = await openBridge();
});
afterAll(() => bridge.close());
beforeEach(async () => {
  bridge.clock.set(NOW);
  users = new Map();
  address = `ada.${randomUUID()}@example.com`;
  await bridge.settled();
  for (const table of ['bridge.trial', 'bridge.registration', 'bridge.invitation'] as const) await bridge.db.deleteFrom(table).execute();
});

const examine = async () => {
  const keycloak = {
    listStamped: async () => [...users.values()].filter((user) => user.stamps.length > 0),
    findById: async (id: string) => users.get(id),
  };
  return (await findDisagreements(bridge.db, keycloak, bridge.clock, { movedClock: false })).map((finding) => finding.check);
};

/** A person who signed up; Keycloak has what the jar stamps. */
async function signUp(outcome: 'committed' | 'none' = 'committed') {
  const creation = creationOf(await bridge.invite({ address }), { username: address });
  const { body } = await bridge.asStep('/api/trial/creation', creation);
  if (outcome === 'committed') await bridge.asStep('/api/trial/creation/outcome', { attempt_id: creation.attempt_id, user_id: creation.user_id, outcome });
  const { trial_stamp: stamps } = body['attributes'] as { trial_stamp: string[] };
  users.set(creation.user_id, { id: creation.user_id, username: address, emailVerified: true, stamps });
  return creation;
}
const restamp = (userId: string, change: object) => {
  const user = users.get(userId);
  const stamps = user?.stamps.map((stamp) => JSON.stringify({ ...(JSON.parse(stamp) as object), ...change })) ?? [];
  users.set(userId, { ...(user as Account), stamps });
};
const change = async (userId: string, row: Updateable<LifeTable>) => void (await bridge.db.updateTable('bridge.life').set(row).where('user_id', '=', userId).execute());
const moveTo = (attemptId: string, state: 'released' | 'superseded') =>
  bridge.db.updateTable('bridge.registration').set({ state }).where('attempt_id', '=', attemptId).execute();

describe('doctor consistency', () => {
  test('finds nothing on a sound system', async () => {
    await signUp();
    expect(await examine()).toEqual([]);
  });

  test('finds nothing in an attempt that is pending for less than 10 minutes', async () => {
    const { user_id } = await signUp('none');
    users.delete(user_id);
    bridge.clock.pass(10 * MINUTE);
    expect(await examine()).toEqual([]);
  });

  test.each<[string, (signedUp: Awaited<ReturnType<typeof signUp>>) => unknown]>([
    ['confirmed-without-user', ({ user_id }) => users.delete(user_id)],
    ['confirmed-without-trial', async ({ user_id }) => {
      await bridge.db.deleteFrom('bridge.trial').where('user_id', '=', user_id).execute();
    }],
    ['confirmed-without-trial', async () => {
      await bridge.db.deleteFrom('bridge.trial_app').execute();
    }],
    ['trial-without-stamp', ({ user_id }) => users.set(user_id, { ...(users.get(user_id) as Account), stamps: [] })],
    ['stamp-without-trial', () => users.set('x', { id: 'x', username: 'x', emailVerified: true, stamps: ['{"product":"app","trial_ends_at":1,"trial_access_until":2,"trial_app":"x"}'] })],
    ['stamp-differs', ({ user_id }) => restamp(user_id, { trial_ends_at: 1 })],
    ['stamp-differs', ({ user_id }) => restamp(user_id, { trial_access_until: 4_000_000_000 })],
    ['stamp-differs', ({ user_id }) => restamp(user_id, { trial_app: randomUUID() })],
    ['stamp-differs', ({ user_id }) => restamp(user_id, { clients: [] })],
    ['life-without-deadline', ({ user_id }) => change(user_id, { next_deadline: null })],
    ['life-not-swept', ({ user_id }) => change(user_id, { next_deadline: new Date((NOW - 31 * MINUTE) * 1000) })],
    ['life-differs', ({ user_id }) => change(user_id, { state: 'revoked', next_deadline: null })],
    ['life-differs', ({ user_id }) => change(user_id, { state: 'converted', next_deadline: null })],
    ['life-not-kept', ({ user_id }) => change(user_id, { version: '2' })],
    ['life-not-kept', async ({ user_id }) => {
      restamp(user_id, { trial_ends_at: 1 });
      await change(user_id, { version: '2' });
    }],
    ['given-up-with-user', async ({ attempt_id, user_id }) => {
      await moveTo(attempt_id, 'released');
      await bridge.db.deleteFrom('bridge.trial').where('user_id', '=', user_id).execute();
    }],
    ['given-up-with-user', async ({ attempt_id, user_id }) => {
      await moveTo(attempt_id, 'superseded');
      await bridge.db.deleteFrom('bridge.trial').where('user_id', '=', user_id).execute();
    }],
    ['reserved-without-attempt', async ({ attempt_id }) => {
      await bridge.db.updateTable('bridge.invitation').set({ state: 'reserved', attempt_id }).execute();
    }],
    ['foreign-permission', async () => {
      await bridge.db.updateTable('bridge.trial_app_permission').set({ user_id: 'eve' }).where('permission', '=', 'app:edit').execute();
    }],
    ['two-trials', ({ user_id }) => {
      const user = users.get(user_id) as Account;
      users.set(user_id, { ...user, stamps: [...user.stamps, ...user.stamps] });
    }],
  ])('finds %s', async (check, breakIt) => {
    await breakIt(await signUp());
    expect(new Set(await examine())).toEqual(new Set(check === 'confirmed-without-trial' ? await withStampTold(check) : [check]));
  });

  test('finds nothing while a job is about to tell Keycloak, whatever the stamp says; once it was given up, that Keycloak does not know', async () => {
    const { user_id } = await signUp();
    restamp(user_id, { trial_ends_at: 1 });
    await change(user_id, { version: '2' });
    const { id } = await bridge.db.selectFrom('bridge.life').select('id').where('user_id', '=', user_id).executeTakeFirstOrThrow();
    await addJob(bridge.db, 'keep_life', { life_id: id }, { key: `keep:${id}`, inSeconds: 3600, maxAttempts: 1 });
    expect(await examine()).toEqual([]);
    await sql`select graphile_worker.permanently_fail_jobs(array(select jobs.id from graphile_worker.jobs where key = ${`keep:${id}`}), 'Keycloak was away')`.execute(bridge.db);
    expect(await examine()).toEqual(['life-not-kept']);
  });

  test('finds an attempt that is pending for longer than 10 minutes', async () => {
    await signUp('none');
    bridge.clock.pass(10 * MINUTE + 1);
    expect(await examine()).toEqual(['pending-too-long']);
  });

  test('finds two people who share an address and a product', async () => {
    await signUp();
    await signUp();
    expect(await examine()).toEqual(['two-trials']);
  });
});

/** A trial without a small app differs from its stamp as well. */
async function withStampTold(check: string): Promise<readonly string[]> {
  const trials = await bridge.db.selectFrom('bridge.trial').select('id').execute();
  return trials.length > 0 ? [check, 'stamp-differs'] : [check];
}
