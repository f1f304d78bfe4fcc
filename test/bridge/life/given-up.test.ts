import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { array, assert, asyncProperty, constantFrom, type Arbitrary } from 'fast-check';
import { sql } from 'kysely';
import { addJob } from '../../../bridge/db/job.ts';
import { findDisagreements } from '../../../bridge/doctor/consistency.ts';
import type { Account } from '../../../bridge/keycloak/accounts.ts';
import { creationOf, openBridge, type TestBridge } from '../support/bridge.ts';
import { invited, read } from './person.ts';

const DAY = 86_400;
const GIVEN_UP_SECONDS = 11 * 60;
const BECAUSE = { reason: 'Before the account was there.' };

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge({ env: { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '10000', REGISTER_LIMIT_PER_MINUTE: '10000', MAIL_LIMIT_PER_MAILBOX_PER_DAY: '1000', MAIL_LIMIT_SECONDS_BETWEEN: '0' } });
});
afterAll(() => bridge.close());

interface Attempt {
  attempt_id: string;
  user_id: string;
  /** As the jar writes it when Keycloak commits. */
  stamp: string;
}

interface Someone {
  address: string;
  /** Of the first life. */
  id: string;
  token: string;
  attempts: Attempt[];
  account: Account | undefined;
  erased: boolean;
}

const someone = async (): Promise<Someone> => ({ ...(await invited(bridge)), attempts: [], account: undefined, erased: false });

async function attempt(one: Someone): Promise<void> {
  const creation = creationOf(one.token, { username: one.address });
  const { status, body } = await bridge.asStep('/api/trial/creation', creation);
  if (status !== 200) return;
  const { app, trial_ends_at, trial_access_until } = body as { app: { id: string }; trial_ends_at: number; trial_access_until: number };
  one.attempts.push({ ...creation, stamp: JSON.stringify({ product: 'app', state: 'active', trial_ends_at, trial_access_until, trial_app: app.id, clients: ['vestibule-proxy'] }) });
}

/** Keycloak has committed one of them after all, and nobody told us. */
function appears(one: Someone, which: Attempt | undefined): void {
  // Nobody is erased before what Keycloak may still commit has come through.
  if (which === undefined || one.account !== undefined || one.erased) return;
  one.account = bridge.accounts.add({ id: which.user_id, username: one.address, stamps: [which.stamp] });
}

const reconcileAll = async (one: Someone) => {
  for (const { attempt_id } of one.attempts) await addJob(bridge.db, 'reconcile', { attempt_id }, { key: `reconcile:${attempt_id}` });
  await bridge.settled();
};

const DOES = {
  attempt,
  extend: ({ address }) => bridge.asManager('/api/trial/extend', { username: address, days: 10, ...BECAUSE }),
  convert: ({ address }) => bridge.asManager('/api/trial/completion', { username: address, ...BECAUSE }),
  revoke: ({ id }) => bridge.asManager(`/api/trial/${id}/revoke`, BECAUSE),
  resend: ({ id }) => bridge.asManager(`/api/trial/${id}/resend`, BECAUSE),
  erase: async (one) => {
    const { status, body } = await bridge.asManager(`/api/trial/${one.id}`, BECAUSE, {}, 'DELETE');
    expect([200, 409]).toContain(status);
    if (status === 409) return;
    expect(body['erasure']).toBe('done');
    one.erased = true;
    if (one.account === undefined || !bridge.keeper.removed.includes(one.account.id)) return;
    bridge.accounts.remove(one.account.id);
    one.account = undefined;
  },
  'the last one commits': async (one) => {
    const last = one.attempts.at(-1);
    appears(one, last);
    if (one.account?.id === last?.user_id) await bridge.asStep('/api/trial/creation/outcome', { attempt_id: last?.attempt_id, user_id: last?.user_id, outcome: 'committed' });
  },
  'it is given up': async (one) => {
    await reconcileAll(one);
    bridge.clock.pass(GIVEN_UP_SECONDS);
    await reconcileAll(one);
  },
  'the first one appears': async (one) => {
    appears(one, one.attempts[0]);
    if (one.account) await bridge.asStep(`/api/trial/infos?user_id=${one.account.id}`);
    await bridge.settled();
  },
  'they register again': async (one) => {
    await bridge.send('/api/trial/register', { body: { username: one.address } });
    await bridge.settled();
    const link = bridge.inbox.messages().find(({ to, links }) => to === one.address && links.some((each) => each.includes('invitation_token')))?.links.find((each) => each.includes('invitation_token'));
    if (link !== undefined) one.token = new URL(link).searchParams.get('invitation_token')!;
  },
  'a day goes by': async () => {
    bridge.clock.pass(DAY);
    await addJob(bridge.db, 'sweep_lives', {}, { key: 'sweep_lives' });
    await bridge.settled();
  },
} satisfies Record<string, (one: Someone) => unknown>;
type Does = keyof typeof DOES;

const steps: Arbitrary<Does[]> = array(constantFrom(...(Object.keys(DOES) as Does[])), { minLength: 2, maxLength: 9 });

interface Row {
  life: string | null;
  trial: string | null;
  state: string;
  ends: Date | null;
  has_user: boolean;
}

function fits({ life, trial, state, ends, has_user }: Row): boolean {
  if (life === null || has_user !== (trial !== null)) return false;
  if (trial === null) return ['invited', 'revoked', 'converted'].includes(state);
  if (state === 'revoked') return ends !== null && ends <= bridge.clock.now();
  return (ends === null) === (state === 'converted');
}

/** What Postgres holds of this address fits itself, and what Keycloak holds. */
async function agree(one: Someone): Promise<void> {
  await DOES['it is given up'](one);
  await DOES['a day goes by']();
  if (one.account) await bridge.asStep(`/api/trial/infos?user_id=${one.account.id}`);
  await bridge.hurry();
  const { rows } = await sql<Row>`
    select life.id as life, trial.id as trial, life.state, trial.trial_access_until as ends, life.user_id is not null as has_user
    from bridge.life full join bridge.trial on trial.user_id = life.user_id and trial.product = life.product
    where life.address = ${one.address} or trial.attempt_id = any(${one.attempts.map(({ attempt_id }) => attempt_id)}::uuid[])`.execute(bridge.db);
  expect(rows.filter((row) => !fits(row))).toEqual([]);
  const { account } = one;
  expect(account === undefined || rows.filter(({ has_user }) => has_user).length === 1).toBe(true);
  const kept = account && bridge.keeper.stampOf(account.id);
  const seen = account && { ...account, stamps: kept ? [JSON.stringify(kept)] : account.stamps };
  const findings = await findDisagreements(bridge.db, { listStamped: async () => (seen ? [seen] : []), findById: async (id) => (id === seen?.id ? seen : undefined) }, bridge.clock, { movedClock: false });
  const about = [one.address, one.id, ...rows.flatMap(({ life, trial }) => [life, trial]), ...one.attempts.flatMap(({ attempt_id, user_id }) => [attempt_id, user_id])];
  expect(findings.filter(({ subject }) => about.some((name) => name !== null && subject.includes(name)))).toEqual([]);
}

test('whatever is decided, given up and seen after all, in whatever order: rows fit each other, and the doctor finds nothing', async () => {
  await assert(
    asyncProperty(steps, async (all) => {
      const one = await someone();
      for (const step of all) await DOES[step](one);
      await agree(one);
      if (one.account) bridge.accounts.remove(one.account.id);
      // Erased, so that what is left of one run is not found by the next.
      await sql`update bridge.life set next_deadline = null where address = ${one.address}`.execute(bridge.db);
    }),
    // Found by it once: an extension of an attempt that was superseded, and whose account was there all the same.
    { numRuns: 60, examples: [[['attempt', 'the first one appears', 'extend', 'attempt', 'attempt']]] },
  );
});

test.each<[Does, string, object]>([
  ['revoke', 'revoked', { expired: true }],
  ['convert', 'converted', { state: 'converted', expired: false }],
  ['extend', 'active', { state: 'active', expired: false }],
])('%s, given up, and seen after all: the trial is %s, for the bridge and for Keycloak', async (decision, state, infos) => {
  const one = await someone();
  await attempt(one);
  await DOES[decision](one);
  await DOES['it is given up'](one);
  expect((await read(bridge, one))['user_id']).toBeNull();
  await DOES['the first one appears'](one);
  await bridge.hurry();
  const { user_id, state: now, timeline, held_by_keycloak } = await read(bridge, one);
  expect({ user_id, now, held_by_keycloak }).toEqual({ user_id: one.account?.id, now: state, held_by_keycloak: true });
  expect(timeline.map(({ kind }) => kind).filter((kind) => !kind.startsWith('mail'))).toEqual(['registered', { revoke: 'revoked', convert: 'converted', extend: 'extended' }[decision as 'revoke'], 'released', 'registered', 'confirmed']);
  expect((await bridge.asStep(`/api/trial/infos?user_id=${one.account?.id}`)).body).toMatchObject(infos);
  expect(bridge.keeper.stampOf(one.account!.id)?.state ?? 'active').toBe(state);
});

test('a full account that was promised before there was an account is one for whoever comes by the next link', async () => {
  const one = await someone();
  await attempt(one);
  await DOES.convert(one);
  await DOES['it is given up'](one);
  bridge.clock.pass(DAY);
  await DOES['they register again'](one);
  await attempt(one);
  await DOES['the last one commits'](one);
  await bridge.hurry();
  expect(await read(bridge, one)).toMatchObject({ state: 'converted', user_id: one.account!.id, trial_ends_at: null });
  expect(bridge.keeper.stampOf(one.account!.id)).toMatchObject({ state: 'converted', trial_access_until: null });
});

test('the request that made an account stands in its timeline, from its creation on', async () => {
  const one = await someone();
  const creation = creationOf(one.token, { username: one.address });
  const requestId = randomUUID();
  await bridge.send('/api/trial/creation', { body: creation, headers: { authorization: `Bearer ${await bridge.realm.stepToken()}`, 'x-request-id': requestId } });
  await bridge.asStep('/api/trial/creation/outcome', { attempt_id: creation.attempt_id, user_id: creation.user_id, outcome: 'committed' });
  const { timeline } = (await read(bridge, one)) as unknown as { timeline: { kind: string; request_id: string | null }[] };
  expect(timeline.map(({ kind, request_id }) => [kind, request_id])).toEqual([['registered', requestId], ['confirmed', requestId]]);
});
