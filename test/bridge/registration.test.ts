import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { lockRegistrant, revokeInvitations } from '../../bridge/trial/invitation.store.ts';
import { eventually } from '../support/eventually.ts';
import { creationOf, NOW, openBridge, type TestBridge } from './support/bridge.ts';

const DAY = 86_400;
const MINUTE = 60;

let bridge: TestBridge;
let address: string;
beforeAll(async () => {
  bridge = await openBridge();
});
afterAll(() => bridge.close());
beforeEach(() => {
  bridge.clock.set(NOW);
  bridge.accounts.fail(false);
  address = `ada.${randomUUID()}@example.com`;
});

const invite = () => bridge.invite({ address });
const create = (token: string, given: Record<string, unknown> = {}) => {
  const body = creationOf(token, { username: address, ...given });
  return bridge.asStep('/api/trial/creation', body).then((answer) => ({ ...answer, ...body }));
};
const outcome = (attempt: { attempt_id: string; user_id: string }, result = 'committed') =>
  bridge.asStep('/api/trial/creation/outcome', { attempt_id: attempt.attempt_id, user_id: attempt.user_id, outcome: result });
const verify = async (token: string) => (await bridge.asStep('/api/trial/verify', { token })).body;
const infos = async (query: Record<string, string>) =>
  (await bridge.asStep(`/api/trial/infos?${new URLSearchParams({ client_id: 'vestibule-proxy', ...query })}`)).body;
const stateOf = async (attemptId: string) =>
  (await bridge.db.selectFrom('bridge.registration').select('state').where('attempt_id', '=', attemptId).executeTakeFirstOrThrow()).state;
const trialsOf = (userId: string) => bridge.db.selectFrom('bridge.trial').selectAll().where('user_id', '=', userId).execute();
/** Two looks that find nobody, the second 10 minutes after the attempt. */
const release = async () => {
  await bridge.hurry();
  bridge.clock.pass(10 * MINUTE);
  await bridge.hurry();
};

/** Every row with the transaction that wrote it: an update shows although it changes nothing. */
const everyRow = async (): Promise<string> => {
  const { rows: tables } = await sql<{ name: string }>`select table_name as name from information_schema.tables where table_schema = 'bridge' order by 1`.execute(bridge.db);
  const all = await Promise.all(tables.map(({ name }) => sql`select t.xmin::text, t::text from ${sql.table(`bridge.${name}`)} t order by t::text`.execute(bridge.db)));
  return JSON.stringify(all.map(({ rows }) => rows));
};

describe('creation', () => {
  test('provisions the small app with its permissions', async () => {
    const created = await create(await invite());
    const rows = await bridge.db
      .selectFrom('bridge.trial_app')
      .innerJoin('bridge.trial_app_permission', 'trial_app_id', 'id')
      .select(['name', 'path', 'permission'])
      .where('user_id', '=', created.user_id)
      .orderBy('permission')
      .execute();
    const { id } = created.body['app'] as { id: string };
    expect(rows).toEqual(['app:edit', 'app:view'].map((permission) => ({ name: 'Trial workspace', path: `/apps/${id}`, permission })));
  });

  test('gives the same attempt the same answer, later too', async () => {
    const token = await invite();
    const first = await create(token);
    bridge.clock.pass(DAY);
    const again = await create(token, { attempt_id: first.attempt_id, user_id: first.user_id });
    expect(again.body).toEqual(first.body);
    await outcome(first);
    expect((await create(token, { attempt_id: first.attempt_id, user_id: first.user_id })).body).toEqual(first.body);
  });

  test('computes the end anew for each attempt', async () => {
    const token = await invite();
    const first = await create(token);
    bridge.clock.pass(DAY);
    const second = await create(token);
    expect(second.body['trial_ends_at']).toBe(Number(first.body['trial_ends_at']) + DAY);
  });

  test('by a new attempt supersedes the pending one: one trial, one small app', async () => {
    const token = await invite();
    const first = await create(token);
    const second = await create(token);
    expect(second.status).toBe(200);
    expect(await stateOf(first.attempt_id)).toBe('superseded');
    expect(await trialsOf(first.user_id)).toEqual([]);
    expect(await trialsOf(second.user_id)).toHaveLength(1);
  });

  test('by a sibling token supersedes as well, and the first token is good again', async () => {
    const [one, other] = [await invite(), await invite()];
    const first = await create(one);
    await create(other);
    expect(await stateOf(first.attempt_id)).toBe('superseded');
    expect(await verify(one)).toMatchObject({ valid: true });
  });

  test('takes the invited address in any spelling, as one canonical form', async () => {
    expect((await create(await invite(), { username: address.toUpperCase() })).status).toBe(200);
  });

  test('replayed for a superseded attempt is refused', async () => {
    const token = await invite();
    const first = await create(token);
    await create(token);
    const replay = await create(token, { attempt_id: first.attempt_id, user_id: first.user_id });
    expect([replay.status, replay.body['code']]).toEqual([409, 'attempt_conflict']);
  });

  test('with an attempt id of somebody else is refused', async () => {
    const first = await create(await invite());
    address = `eve.${randomUUID()}@example.com`;
    const stolen = await create(await invite(), { attempt_id: first.attempt_id, user_id: first.user_id });
    expect([stolen.status, stolen.body['code']]).toEqual([409, 'attempt_conflict']);
  });

  test('for a user who has this trial is refused, and leaves nothing behind', async () => {
    const first = await create(await invite());
    await outcome(first);
    address = `renamed.${randomUUID()}@example.com`;
    const token = await invite();
    const second = await create(token, { user_id: first.user_id });
    expect([second.status, second.body['code']]).toEqual([409, 'trial_exists']);
    expect(await verify(token)).toMatchObject({ valid: true });
  });

  test('an invitation that is withdrawn between the look and the reservation is not reserved', async () => {
    const token = await invite();
    const answer = await bridge.db.transaction().execute(async (trx) => {
      await lockRegistrant(trx, { product: 'app', address });
      const creating = create(token);
      // It has looked, and waits for the lock that this transaction holds.
      await eventually(async () => {
        const { rows } = await sql`select from pg_locks join pg_database on pg_database.oid = database where locktype = 'advisory' and not granted and datname = current_database()`.execute(trx);
        return rows.length > 0;
      });
      await revokeInvitations(trx, address);
      return { creating };
    });
    const refused = await answer.creating;
    expect([refused.status, refused.body['code']]).toEqual([410, 'invitation_revoked']);
    expect(await trialsOf(refused.user_id)).toEqual([]);
  });

  test('50 at once with different attempts leave one pending, and no 500', async () => {
    const token = await invite();
    const answers = await Promise.all(Array.from({ length: 50 }, () => create(token)));
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 50 }, () => 200));
    const states = await bridge.db.selectFrom('bridge.registration').select(['state']).where('address', '=', address).execute();
    expect(states.filter(({ state }) => state === 'pending')).toHaveLength(1);
    const trials = await Promise.all(answers.map((answer) => trialsOf(answer.user_id)));
    expect(trials.flat()).toHaveLength(1);
  });

  test('50 at once of the same attempt get one answer', async () => {
    const token = await invite();
    const same = { attempt_id: randomUUID(), user_id: randomUUID() };
    const answers = await Promise.all(Array.from({ length: 50 }, () => create(token, same)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer.body))).size).toBe(1);
  });
});

describe('outcome', () => {
  test('committed spends the token and its siblings', async () => {
    const [one, other] = [await invite(), await invite()];
    expect((await outcome(await create(one))).body).toEqual({ result: 'confirmed' });
    expect(await verify(one)).toMatchObject({ valid: false, reason: 'spent' });
    expect(await verify(other)).toMatchObject({ valid: false, reason: 'spent' });
  });

  test('rolled back is recorded only: the same person tries again', async () => {
    const token = await invite();
    const created = await create(token);
    expect((await outcome(created, 'rolled_back')).body).toEqual({ result: 'recorded' });
    expect(await stateOf(created.attempt_id)).toBe('pending');
    expect(await verify(token)).toMatchObject({ valid: true });
  });

  test.each([
    ['of an unknown attempt', async () => ({ attempt_id: randomUUID(), user_id: randomUUID() })],
    ['with another user id', async () => ({ ...(await create(await invite())), user_id: randomUUID() })],
    [
      'of a superseded attempt (SECURITY.md 9)',
      async () => {
        const token = await invite();
        const first = await create(token);
        await create(token);
        return first;
      },
    ],
  ])('%s is ignored', async (_name, attempt) => {
    expect((await outcome(await attempt())).body).toEqual({ result: 'ignored' });
  });

  test('and creation at once: the token ends spent, or the new attempt is the only pending one', async () => {
    const token = await invite();
    const first = await create(token);
    const [said, second] = await Promise.all([outcome(first), create(token)]);
    expect([
      ['confirmed', 410],
      ['ignored', 200],
    ]).toContainEqual([said.body['result'], second.status]);
    expect((await Promise.all([first, second].map((one) => trialsOf(one.user_id)))).flat()).toHaveLength(1);
  });

  test('a late report of a settled attempt changes nothing, not even what was recorded (SECURITY.md 9)', async () => {
    const created = await create(await invite());
    await outcome(created);
    expect((await outcome(created, 'rolled_back')).body).toEqual({ result: 'ignored' });
    const row = await bridge.db.selectFrom('bridge.registration').select(['state', 'outcome']).where('attempt_id', '=', created.attempt_id).executeTakeFirst();
    expect(row).toEqual({ state: 'confirmed', outcome: 'committed' });
  });
});

describe('reconcile', () => {
  test('confirms an attempt whose user exists, without an outcome', async () => {
    const token = await invite();
    const created = await create(token);
    bridge.accounts.add({ id: created.user_id, username: address });
    await bridge.hurry();
    expect(await stateOf(created.attempt_id)).toBe('confirmed');
    expect(await verify(token)).toMatchObject({ valid: false, reason: 'spent' });
  });

  test('releases after two looks that find nobody, the second 10 minutes after the attempt', async () => {
    const token = await invite();
    const created = await create(token);
    await bridge.hurry();
    bridge.clock.pass(10 * MINUTE - 1);
    await bridge.hurry();
    expect(await stateOf(created.attempt_id)).toBe('pending');
    bridge.clock.pass(1);
    await bridge.hurry();
    expect(await stateOf(created.attempt_id)).toBe('released');
    expect(await trialsOf(created.user_id)).toEqual([]);
    expect(await verify(token)).toMatchObject({ valid: true });
  });

  test('never releases at the first look, however late it comes', async () => {
    const created = await create(await invite());
    bridge.clock.pass(DAY);
    await bridge.hurry();
    expect(await stateOf(created.attempt_id)).toBe('pending');
    await bridge.hurry();
    expect(await stateOf(created.attempt_id)).toBe('released');
  });

  test('releases when the name belongs to another id, and the other account stays', async () => {
    const created = await create(await invite());
    const other = bridge.accounts.add({ username: address });
    await release();
    expect(await stateOf(created.attempt_id)).toBe('released');
    expect(await bridge.accounts.findById(other.id)).toEqual(other);
  });

  test('waits while Keycloak does not answer', async () => {
    const created = await create(await invite());
    bridge.accounts.fail(true);
    await release();
    expect(await stateOf(created.attempt_id)).toBe('pending');
    bridge.accounts.fail(false);
    bridge.accounts.add({ id: created.user_id, username: address });
    await bridge.hurry();
    expect(await stateOf(created.attempt_id)).toBe('confirmed');
  });

  test("A's release that arrives after B's confirmation does nothing (SECURITY.md 9)", async () => {
    const token = await invite();
    const a = await create(token);
    await bridge.hurry();
    const b = await create(token);
    bridge.accounts.add({ id: b.user_id, username: address });
    await outcome(b);
    bridge.clock.pass(10 * MINUTE);
    await bridge.hurry();
    expect([await stateOf(a.attempt_id), await stateOf(b.attempt_id)]).toEqual(['superseded', 'confirmed']);
    expect(await trialsOf(b.user_id)).toHaveLength(1);
    expect(await verify(token)).toMatchObject({ valid: false, reason: 'spent' });
  });

  test('confirms a superseded attempt whose user exists after all', async () => {
    const token = await invite();
    const first = await create(token);
    const second = await create(token);
    bridge.accounts.add({ id: first.user_id, username: address });
    await release();
    expect([await stateOf(first.attempt_id), await stateOf(second.attempt_id)]).toEqual(['confirmed', 'released']);
    expect(await trialsOf(first.user_id)).toHaveLength(1);
    expect(await verify(token)).toMatchObject({ valid: false, reason: 'spent' });
  });

  test('provisions a released attempt again with the small app and the end that were stamped, once its user is seen', async () => {
    const created = await create(await invite());
    await release();
    bridge.accounts.add({ id: created.user_id, username: address });
    expect(await infos({ user_id: created.user_id })).toMatchObject({ trial: true, trial_ends_at: created.body['trial_ends_at'] });
    await bridge.settled();
    expect(await stateOf(created.attempt_id)).toBe('confirmed');
    const [app] = await bridge.db
      .selectFrom('bridge.trial_app')
      .innerJoin('bridge.trial', 'bridge.trial.id', 'trial_id')
      .select('bridge.trial_app.id')
      .where('user_id', '=', created.user_id)
      .execute();
    expect(app).toEqual({ id: (created.body['app'] as { id: string }).id });
  });

  test('creation, outcome and release at once never lose or double a trial', async () => {
    const token = await invite();
    const first = await create(token);
    await bridge.hurry();
    bridge.clock.pass(10 * MINUTE);
    const [, second] = await Promise.all([outcome(first), create(token), bridge.hurry()]);
    await bridge.settled();
    const states = [await stateOf(first.attempt_id), second.status === 200 ? await stateOf(second.attempt_id) : 'refused'];
    expect([
      ['confirmed', 'refused'],
      ['superseded', 'pending'],
      ['released', 'pending'],
    ]).toContainEqual(states);
    expect((await Promise.all([first, second].map((one) => trialsOf(one.user_id)))).flat()).toHaveLength(1);
  });
});

describe('verify', () => {
  test('writes nothing: mail scanners open links', async () => {
    const token = await invite();
    const before = await everyRow();
    const looks = await Promise.all([token, token, token].map(verify));
    for (const look of looks) expect(look).toMatchObject({ valid: true, username: address });
    expect(await everyRow()).toBe(before);
  });

  test('asks nothing of Keycloak', async () => {
    const token = await invite();
    await verify(token);
    const requests = bridge.realm.requests();
    bridge.accounts.fail(true);
    await verify(token);
    await create(token);
    expect(bridge.realm.requests()).toBe(requests);
  });

  test('leaves out names that nobody gave', async () => {
    const token = await bridge.invite({ address, firstName: null, lastName: null });
    expect(Object.keys(await verify(token)).sort()).toEqual(['expires_at', 'locale', 'username', 'valid']);
  });

  test('expires to the second', async () => {
    const token = await invite();
    bridge.clock.pass(7 * DAY - 1);
    expect(await verify(token)).toMatchObject({ valid: true });
    bridge.clock.pass(1);
    expect(await verify(token)).toMatchObject({ valid: false, reason: 'expired' });
  });

  test('keeps an invitation good past its lifetime while its registration is pending', async () => {
    const token = await invite();
    bridge.clock.pass(7 * DAY - 1);
    await create(token);
    bridge.clock.pass(1);
    expect(await verify(token)).toMatchObject({ valid: true });
  });
});

describe('infos', () => {
  test('counts a pending trial', async () => {
    expect(await infos({ user_id: (await create(await invite())).user_id })).toMatchObject({ trial: true, state: 'active' });
  });

  test('finds a person by the address under which they registered', async () => {
    await outcome(await create(await invite()));
    expect(await infos({ username: address.toUpperCase() })).toMatchObject({ trial: true });
  });

  test('keys on the user id: the next owner of the address inherits nothing (SECURITY.md 3)', async () => {
    await outcome(await create(await invite()));
    expect(await infos({ user_id: randomUUID() })).toEqual({ trial: false, expired: false });
  });

  test.each([
    ['active', 'the last second before the end', 14 * DAY - 1, 1],
    ['grace', 'the end', 14 * DAY, 0],
    ['grace', 'the last second before access ends', 17 * DAY - 1, 0],
    ['expired', 'the end of access', 17 * DAY, 0],
  ])('says %s at %s', async (state, _moment, seconds, daysLeft) => {
    const { user_id } = await create(await invite());
    bridge.clock.pass(seconds);
    expect(await infos({ user_id })).toMatchObject({ state, expired: state === 'expired', days_left: daysLeft });
  });

  test('without a client means the default product', async () => {
    const { user_id } = await create(await invite());
    expect((await bridge.asStep(`/api/trial/infos?user_id=${user_id}`)).body).toMatchObject({ trial: true });
  });

  test.each([
    ['neither user_id nor username', ''],
    ['both', 'user_id=a&username=b@example.com'],
    ['an unknown parameter', 'user_id=a&auth=1'],
    ['a parameter twice', 'user_id=a&user_id=b'],
  ])('with %s is refused', async (_name, query) => {
    expect((await bridge.asStep(`/api/trial/infos?${query}`)).status).toBe(400);
  });
});

test('an invitation of a product that is not offered any more is withdrawn, and the bridge does not seem to fail', async () => {
  const token = await bridge.invite({ product: 'gone' });
  expect((await bridge.asStep('/api/trial/verify', { token })).body).toMatchObject({ valid: false, reason: 'revoked' });
  for (const answer of [await bridge.asStep('/api/trial/creation', creationOf(token)), await bridge.asProgram('/api/trial/creation', { token, password: 'a long pass phrase' })]) {
    expect([answer.status, answer.body]).toMatchObject([410, { code: 'invitation_revoked' }]);
  }
});
