import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { findDisagreements } from '../../bridge/doctor/consistency.ts';
import type { MakeAccount } from '../../bridge/keycloak/account-maker.ts';
import { AppError } from '../../platform/problem.ts';
import { creationOf, NOW, openBridge, type TestBridge } from './support/bridge.ts';

const DAY = 86_400;
const MINUTE = 60;
const PASSWORD = 'a long pass phrase';

let bridge: TestBridge;
let address: string;
let token: string;
/** What becomes of the next call that makes an account, in the place of Keycloak's own way. */
let fault: ((make: () => ReturnType<MakeAccount>) => ReturnType<MakeAccount>) | undefined;
let made: MakeAccount;
beforeAll(async () => {
  bridge = await openBridge({
    makeAccount: async (account) => {
      const once = fault ?? ((make) => make());
      fault = undefined;
      return once(() => made(account));
    },
  });
  made = bridge.accounts.make;
});
afterAll(() => bridge.close());
beforeEach(async () => {
  bridge.clock.set(NOW);
  bridge.accounts.fail(false);
  fault = undefined;
  address = `ada.${randomUUID()}@example.com`;
  token = await bridge.invite({ address });
});

const create = (given: Record<string, unknown> = {}, clientId?: string) => bridge.asProgram('/api/trial/creation', { token, password: PASSWORD, ...given }, clientId);
const attempts = () => bridge.db.selectFrom('bridge.registration').select(['state', 'made_by', 'user_id', 'attempt_id']).where('address', '=', address).orderBy('attempted_at').execute();
const states = async () => (await attempts()).map(({ state }) => state).sort();
const verify = async () => (await bridge.asStep('/api/trial/verify', { token })).body;
const trials = () => bridge.db.selectFrom('bridge.trial').innerJoin('bridge.registration', 'bridge.registration.attempt_id', 'bridge.trial.attempt_id').select('bridge.trial.user_id').where('address', '=', address).execute();
const holder = () => bridge.accounts.findByAddress(address);
const disagreements = async () => {
  const account = await holder();
  const keycloak = { listStamped: async () => (account === undefined ? [] : [account]), findById: bridge.accounts.findById };
  return (await findDisagreements(bridge.db, keycloak, bridge.clock, { movedClock: false })).filter(({ subject }) => subject.includes(account?.id ?? 'none'));
};
const lost = async (make: () => ReturnType<MakeAccount>) => {
  await make();
  throw new AppError('gateway_timeout', 'Keycloak took too long.');
};
const nothing = async () => {
  throw new AppError('unavailable', "Keycloak can't be reached.");
};

describe('a creation by a program', () => {
  test('answers the trial and not the stamp, and spends every invitation of the address', async () => {
    const sibling = await bridge.invite({ address });
    const { status, body } = await create();
    expect([status, Object.keys(body).sort()]).toEqual([200, ['app', 'product', 'trial_access_until', 'trial_ends_at', 'user_id', 'username']]);
    expect(body).toMatchObject({ username: address, trial_ends_at: NOW + 14 * DAY, trial_access_until: NOW + 17 * DAY });
    expect(await attempts()).toMatchObject([{ state: 'confirmed', made_by: 'a-program', user_id: body['user_id'] }]);
    expect((await bridge.asStep('/api/trial/verify', { token: sibling })).body).toMatchObject({ valid: false, reason: 'spent' });
    expect(await disagreements()).toEqual([]);
  });

  test('gives the same request the same answer, days later too, with an attempt_id or without', async () => {
    const first = await create();
    bridge.clock.pass(DAY);
    expect((await create()).body).toEqual(first.body);
    const { attempt_id } = (await attempts())[0]!;
    expect((await create({ attempt_id })).body).toEqual(first.body);
  });

  test.each<[string, Record<string, unknown>, number, string]>([
    ['for another address', { username: 'eve@example.com' }, 409, 'username_mismatch'],
    ['with an unknown token', { token: 'A'.repeat(43) }, 410, 'invitation_unknown'],
    ['with an attempt_id that is no uuid', { attempt_id: 'one' }, 400, 'invalid_request'],
    ['with the fields of Keycloak’s steps', { user_id: 'x' }, 400, 'invalid_request'],
    ['with a password of nothing', { password: '' }, 400, 'invalid_request'],
    ['with a password that the policy refuses', { password: 'short' }, 422, 'password_refused'],
  ])('%s is refused and leaves the invitation good', async (_name, given, status, code) => {
    const { body, ...answer } = await create(given);
    expect([answer.status, body['code']]).toEqual([status, code]);
    expect(await verify()).toMatchObject({ valid: true });
    expect([await holder(), await trials()]).toEqual([undefined, []]);
  });

  test('takes the invited address in any spelling', async () => {
    expect((await create({ username: address.toUpperCase() })).status).toBe(200);
  });

  test('after the invitation has expired is refused', async () => {
    bridge.clock.pass(8 * DAY);
    expect((await create()).body['code']).toBe('invitation_expired');
  });

  test('with an attempt_id of another program, or of Keycloak, is refused', async () => {
    const [mine, steps] = [randomUUID(), randomUUID()];
    await create({ attempt_id: mine });
    expect((await create({ attempt_id: mine }, 'another-program')).body).toMatchObject({ status: 409, code: 'attempt_conflict', field: 'attempt_id' });
    address = `bob.${randomUUID()}@example.com`;
    token = await bridge.invite({ address });
    await bridge.asStep('/api/trial/creation', creationOf(token, { username: address, attempt_id: steps }));
    expect((await create({ attempt_id: steps })).body['code']).toBe('attempt_conflict');
  });

  test('by a step of Keycloak, with a password, is refused', async () => {
    expect((await bridge.asStep('/api/trial/creation', { token, password: PASSWORD })).status).toBe(400);
  });

  test('in a realm that is not set up for it is told so, and leaves the invitation good', async () => {
    fault = async () => ({ result: 'unable', detail: 'The realm has no group.' });
    expect((await create()).body).toMatchObject({ status: 503, code: 'unavailable', detail: 'The realm has no group.' });
    expect([await states(), (await verify())['valid']]).toEqual([['released'], true]);
  });

  test('a refused password can be another one at once, by the same attempt or a new one', async () => {
    const attempt_id = randomUUID();
    expect((await create({ attempt_id, password: 'short' })).status).toBe(422);
    expect((await create({ attempt_id: randomUUID(), password: 'short' })).status).toBe(422);
    expect((await create({ attempt_id })).status).toBe(200);
    expect(await states()).toEqual(['confirmed', 'released']);
  });
});

describe('the answer of Keycloak is lost', () => {
  test('the same request gets the account it made', async () => {
    fault = lost;
    expect((await create()).body['code']).toBe('gateway_timeout');
    expect(await states()).toEqual(['pending']);
    const again = await create();
    expect([again.status, again.body['user_id']]).toEqual([200, (await holder())!.id]);
    expect(await states()).toEqual(['confirmed']);
  });

  test('and nobody repeats it: the job confirms what Keycloak shows', async () => {
    fault = lost;
    await create();
    expect(await disagreements()).toEqual([]);
    await bridge.hurry();
    expect(await attempts()).toMatchObject([{ state: 'confirmed', user_id: (await holder())!.id }]);
    expect(await trials()).toHaveLength(1);
    expect((await create()).status).toBe(200);
    expect(await disagreements()).toEqual([]);
  });

  test('and a step of Keycloak says "committed": only the account decides', async () => {
    fault = nothing;
    await create();
    const [attempt] = await attempts();
    await bridge.asStep('/api/trial/creation/outcome', { attempt_id: attempt!.attempt_id, user_id: 'x', outcome: 'committed' });
    expect(await states()).toEqual(['pending']);
  });

  test('and the doctor names it once it is old and nothing settled it', async () => {
    fault = lost;
    await create();
    bridge.clock.pass(11 * MINUTE);
    expect((await disagreements()).map(({ check }) => check)).toEqual(['pending-too-long']);
    await bridge.hurry();
    expect(await disagreements()).toEqual([]);
  });
});

describe('Keycloak made nothing', () => {
  test('the same request works once it answers', async () => {
    fault = nothing;
    expect((await create()).body).toMatchObject({ status: 503, code: 'unavailable' });
    expect((await create()).status).toBe(200);
  });

  test('and nobody repeats it: after ten minutes and two looks the invitation is good again', async () => {
    fault = nothing;
    await create();
    await bridge.hurry();
    bridge.clock.pass(9 * MINUTE);
    await bridge.hurry();
    expect(await states()).toEqual(['pending']);
    bridge.clock.pass(MINUTE);
    await bridge.hurry();
    expect([await states(), (await verify())['valid']]).toEqual([['released'], true]);
    const { body } = await create();
    expect(body['trial_ends_at']).toBe(NOW + 10 * MINUTE + 14 * DAY);
  });

  test('a repeated request is looked for from then on', async () => {
    fault = nothing;
    await create();
    await bridge.hurry();
    bridge.clock.pass(9 * MINUTE);
    fault = nothing;
    await create();
    await bridge.hurry();
    bridge.clock.pass(2 * MINUTE);
    await bridge.hurry();
    expect(await states()).toEqual(['pending']);
  });

  test('and the look at accounts fails after it was made: the same request finds it', async () => {
    fault = async (make) => {
      const making = await make();
      bridge.accounts.fail(true);
      return making;
    };
    expect((await create()).status).toBe(503);
    bridge.accounts.fail(false);
    expect((await create()).status).toBe(200);
  });
});

describe('meanwhile', () => {
  test('a browser registers: the program’s account loses, and its request says so', async () => {
    const user_id = randomUUID();
    const browser = creationOf(token, { username: address, user_id });
    fault = async (make) => {
      await bridge.asStep('/api/trial/creation', browser);
      bridge.accounts.add({ id: user_id, username: address });
      await bridge.asStep('/api/trial/creation/outcome', { attempt_id: browser.attempt_id, user_id, outcome: 'committed' });
      return make();
    };
    expect((await create()).body).toMatchObject({ status: 409, code: 'account_exists' });
    expect(await states()).toEqual(['confirmed', 'superseded']);
    expect(await trials()).toEqual([{ user_id }]);
  });

  test('a browser’s attempt that is rolled back leaves the program its account', async () => {
    fault = async (make) => {
      await bridge.asStep('/api/trial/creation', creationOf(token, { username: address }));
      return make();
    };
    expect((await create()).status).toBe(200);
    expect(await states()).toEqual(['confirmed', 'pending']);
    await bridge.hurry();
    bridge.clock.pass(10 * MINUTE);
    await bridge.hurry();
    expect(await states()).toEqual(['confirmed', 'released']);
    expect([await trials(), (await verify())['reason']]).toEqual([[{ user_id: (await holder())!.id }], 'spent']);
  });

  test('another try of the same attempt is refused its password: the account is confirmed all the same', async () => {
    fault = async (make) => {
      expect((await create({ password: 'short' })).status).toBe(422);
      return make();
    };
    expect((await create()).status).toBe(200);
    expect(await states()).toEqual(['confirmed']);
  });

  test('another try of the same attempt is refused, and a third one begins: both know the account by its stamp', async () => {
    fault = async (make) => {
      await create({ password: 'short' });
      const making = await make();
      expect((await create()).status).toBe(200);
      return making;
    };
    expect((await create()).status).toBe(200);
    expect(await states()).toEqual(['confirmed']);
  });

  test('"this wasn’t me" before the account is made: refused, and nothing exists', async () => {
    fault = nothing;
    await create();
    await bridge.db.updateTable('bridge.invitation').set({ state: 'revoked' }).where('address', '=', address).execute();
    expect((await create()).body['code']).toBe('invitation_revoked');
    expect(await holder()).toBeUndefined();
  });
});

describe('SECURITY 9: two programs', () => {
  test('with different attempts: one account, and the other is told', async () => {
    const answers = await Promise.all(['one', 'other', 'third'].map((clientId) => create({}, clientId)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.flatMap(({ body }) => body['code'] ?? []).filter((code) => code !== 'account_exists' && code !== 'invitation_spent')).toEqual([]);
    await bridge.hurry();
    expect((await states()).filter((state) => state === 'confirmed')).toHaveLength(1);
    expect(await trials()).toHaveLength(1);
  });
});

test('SECURITY 14: no password stands in a log line or a table', async () => {
  const password = `never written ${randomUUID()}`;
  fault = async () => {
    throw new AppError('bad_gateway', 'Keycloak failed.', { cause: new Error('cause') });
  };
  await create({ password });
  await create({ password, first_name: 7 });
  await bridge.send('/api/trial/creation', { body: `{"password":"${password}"`, headers: { authorization: `Bearer ${await bridge.realm.serviceToken('a-program', 'trial-create')}` } });
  expect((await create({ password })).status).toBe(200);
  const rows = await Promise.all(['registration', 'invitation', 'sign_up_request'].map((table) => bridge.db.selectFrom(`bridge.${table}` as 'bridge.registration').selectAll().execute()));
  expect(`${bridge.log()}${JSON.stringify(rows)}`).not.toContain(password);
});
