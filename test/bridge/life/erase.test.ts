import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { addJob } from '../../../bridge/db/job.ts';
import { findDisagreements } from '../../../bridge/doctor/consistency.ts';
import type { Account } from '../../../bridge/keycloak/accounts.ts';
import { creationOf, NOW, openBridge, type TestBridge } from '../support/bridge.ts';
import { mailsTo, read } from './person.ts';

const MINUTE = 60;
const DAY = 86_400;
const BECAUSE = { reason: 'Their letter of today.' };

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge({
    env: { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '10000', REGISTER_LIMIT_PER_MINUTE: '10000' },
    product: { attributes: [{ id: 'team', label: 'Team', required: false, max_length: 100 }], consents: [{ id: 'terms', label: 'Terms', version: '3', required: false }] },
  });
});
afterAll(() => bridge.close());
beforeEach(() => {
  bridge.clock.set(NOW);
  bridge.keeper.fail(false);
  bridge.keeper.removesAs('removed');
});

interface Known {
  id: string;
  address: string;
  userId: string;
  /** Found nowhere afterwards. */
  names: string[];
}

let count = 0;
/** Somebody who left as many traces as one can. */
async function known(): Promise<Known> {
  count += 1;
  const address = `ada.${count}.${Date.now()}@example.com`;
  const names = [`Adafirst${count}`, `Adalast${count}`, `Adacompany${count}`, `Adateam${count}`];
  const [firstname, lastname, company, team] = names;
  await bridge.send('/api/trial/register', { body: { username: address, firstname, lastname, company, attributes: { team }, consents: [{ id: 'terms', version: '3' }] } });
  await bridge.settled();
  const id = await idOf(address);
  const token = tokenTo(address);
  await bridge.asProxy('/api/trial/opened', { token, signs: [] });
  const { userId } = await register(token, address);
  // Another attempt of the same link, and a mail after the registration.
  await bridge.asStep('/api/trial/creation', creationOf(token, { username: address }));
  await bridge.asManager('/api/trial/extend', { user_id: userId, days: 3, reason: `${firstname} rang` }, { 'idempotency-key': `for-${address}` });
  await bridge.settled();
  return { id, address, userId, names: [...names as string[], address, userId] };
}

async function register(token: string, address: string) {
  const creation = creationOf(token, { username: address });
  await bridge.asStep('/api/trial/creation', creation);
  await bridge.asStep('/api/trial/creation/outcome', { attempt_id: creation.attempt_id, user_id: creation.user_id, outcome: 'committed' });
  bridge.accounts.add({ id: creation.user_id, username: address });
  return { userId: creation.user_id, attemptId: creation.attempt_id };
}

const idOf = async (address: string) => ((await bridge.asManager(`/api/trial?search=${encodeURIComponent(address)}`)).body['trials'] as { id: string }[])[0]!.id;
const tokenTo = (address: string) => new URL(bridge.inbox.messages().filter(({ to }) => to === address).flatMap(({ links }) => links).find((link) => link.includes('invitation_token'))!).searchParams.get('invitation_token')!;
const erase = ({ id }: { id: string }) => bridge.asManager(`/api/trial/${id}`, BECAUSE, {}, 'DELETE');
const sweep = async () => {
  await addJob(bridge.db, 'sweep_lives', {}, { key: 'sweep_lives' });
  await bridge.settled();
};
const gone = ({ userId }: Known) => bridge.accounts.remove(userId);
const again = async ({ address }: Known) => {
  bridge.clock.pass(DAY);
  await bridge.send('/api/trial/register', { body: { username: address } });
  await bridge.settled();
};
const kinds = async (one: { id: string }) => (await read(bridge, one)).timeline.map(({ kind }) => kind);

/** `table.column` of every place in the bridge's schema and in the job queue that holds this text. */
async function placesOf(text: string): Promise<string[]> {
  const { rows } = await sql<{ place: string; type: string }>`select table_schema || '.' || table_name || '.' || column_name as place from information_schema.columns
    where table_schema in ('bridge', 'graphile_worker') order by 1`.execute(bridge.db);
  const places = [];
  for (const { place } of rows) {
    const [schema = '', table = '', column = ''] = place.split('.');
    const found = await sql`select 1 from ${sql.table(`${schema}.${table}`)} where ${sql.ref(column)}::text like ${`%${text}%`} limit 1`.execute(bridge.db).catch(() => ({ rows: [] }));
    if (found.rows.length > 0) places.push(place);
  }
  return places;
}

const findings = async (accounts: readonly Account[] = []) => {
  const keycloak = { listStamped: async () => accounts.filter(({ stamps }) => stamps.length > 0), findById: async (id: string) => accounts.find((one) => one.id === id) };
  return findDisagreements(bridge.db, keycloak, bridge.clock, { movedClock: false });
};

test('before an erasure a person stands in many places; after it nowhere, but the feed keeps an id for a month', async () => {
  const ada = await known();
  expect(await placesOf(ada.address)).toEqual(['bridge.invitation.address', 'bridge.life.address', 'bridge.life_event.idempotency_key', 'bridge.mail.address', 'bridge.not_me.address', 'bridge.registration.address', 'bridge.sign_up_request.address']);
  const { status, body } = await erase(ada);
  expect([status, body]).toMatchObject([200, { id: ada.id, state: 'revoked', username: null, user_id: null, trial_app: null, erasure: 'done', second_trial: 'refused' }]);
  await bridge.hurry();
  const left = Object.fromEntries(await Promise.all(ada.names.map(async (name) => [name, await placesOf(name)] as const)));
  expect(Object.values(left).flat()).toEqual(['bridge.trial_change.user_id']);
  expect(bridge.keeper.removed).toContain(ada.userId);
  bridge.clock.pass(31 * DAY);
  await sweep();
  expect(await placesOf(ada.userId)).toEqual([]);
});

test('the feed says that somebody is forgotten; who comes again is not', async () => {
  const ada = await known();
  bridge.keeper.removesAs('kept_account');
  await erase(ada);
  const told = () => bridge.db.selectFrom('bridge.trial_change').selectAll().where('user_id', '=', ada.userId).executeTakeFirst();
  expect(await told()).toMatchObject({ forgotten_by: ada.id, trial_access_until: null });
  const token = await bridge.invite({ address: ada.address });
  await bridge.asStep('/api/trial/creation', creationOf(token, { username: ada.address, user_id: ada.userId }));
  expect(await told()).toMatchObject({ forgotten_by: null, trial_access_until: expect.any(Date) });
  bridge.clock.pass(31 * DAY);
  await sweep();
  expect(await told()).toBeDefined();
});

test('the timeline stays without them: who erased and why, and no other word of anybody', async () => {
  const ada = await known();
  await bridge.asProxy(`/api/trial/${ada.id}/revoke`, { reason: 'Ada Lovelace was rude', actor: 'staff-sub' });
  await erase(ada);
  const { timeline } = await read(bridge, ada);
  expect(timeline.slice(-2)).toMatchObject([
    { kind: 'erase_asked', actor: 'client:a-manager', reason: BECAUSE.reason },
    { kind: 'erased', actor: 'bridge', reason: null, detail: { account: 'removed' } },
  ]);
  expect(timeline.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['invited', 'mail_sent', 'registered', 'confirmed', 'extended', 'revoked']));
  expect(timeline.filter(({ reason }) => reason !== null)).toHaveLength(1);
});

test.each([
  ['active', 0, true],
  ['ending', 10, true],
  ['grace', 18, true],
  ['expired', 40, false],
])('a trial that is %s is over first, and the proxies hear of it', async (_state, days, ends) => {
  const ada = await known();
  bridge.clock.pass(days * DAY);
  await bridge.db.updateTable('bridge.life').set({ state: _state as 'active' }).where('id', '=', ada.id).execute();
  bridge.keeper.fail(true);
  await erase(ada);
  const [told] = await bridge.db.selectFrom('bridge.trial_change').selectAll().where('user_id', '=', ada.userId).execute();
  expect(told!.trial_access_until!.getTime() / 1000).toBe(ends ? NOW + days * DAY : NOW + 20 * DAY);
  expect((await bridge.asStep(`/api/trial/infos?user_id=${ada.userId}`)).body).toMatchObject({ expired: true });
  expect((await kinds(ada)).includes('revoked')).toBe(ends);
});

test('a full account, too', async () => {
  const ada = await known();
  await bridge.asManager('/api/trial/completion', { user_id: ada.userId, ...BECAUSE });
  expect((await erase(ada)).body).toMatchObject({ state: 'revoked', erasure: 'done' });
  const [told] = await bridge.db.selectFrom('bridge.trial_change').selectAll().where('user_id', '=', ada.userId).execute();
  expect(told!.trial_access_until!.getTime() / 1000).toBe(NOW);
});

test('whose account stays is an ordinary person: the feed says that there is no end any more', async () => {
  const ada = await known();
  bridge.keeper.removesAs('kept_account');
  expect((await erase(ada)).body).toMatchObject({ erasure: 'done' });
  const [told] = await bridge.db.selectFrom('bridge.trial_change').selectAll().where('user_id', '=', ada.userId).execute();
  expect(told).toMatchObject({ trial_access_until: null });
  expect((await bridge.asStep(`/api/trial/infos?user_id=${ada.userId}`)).body).toEqual({ trial: false, expired: false });
});

test('an invitation that nobody followed: its link is dead, Keycloak is not asked', async () => {
  const address = `eve.${Date.now()}@example.com`;
  await bridge.send('/api/trial/register', { body: { username: address } });
  await bridge.settled();
  const [id, token, before] = [await idOf(address), tokenTo(address), bridge.keeper.removed.length];
  expect((await erase({ id })).body).toMatchObject({ state: 'revoked', erasure: 'done' });
  expect((await bridge.asStep('/api/trial/verify', { token })).body).toEqual({ valid: false, reason: 'unknown' });
  expect(bridge.keeper.removed).toHaveLength(before);
  expect(await placesOf(address)).toEqual([]);
});

test('while Keycloak is away the erasure is under way, which the doctor finds; then a job goes on where it stood', async () => {
  const ada = await known();
  bridge.keeper.fail(true);
  expect((await erase(ada)).body).toMatchObject({ erasure: 'under_way', user_id: ada.userId });
  expect(await read(bridge, ada)).toMatchObject({ possible: [] });
  await bridge.hurry();
  bridge.clock.pass(11 * MINUTE);
  const half = (await findings()).filter(({ subject }) => subject.includes(ada.id) || subject.includes(ada.userId));
  expect(half.map(({ check }) => check)).toContain('erasure-not-done');
  bridge.keeper.fail(false);
  await bridge.hurry();
  const { timeline, ...after } = await read(bridge, ada);
  expect(after).toMatchObject({ erasure: 'done', username: null });
  const requests = timeline.filter(({ kind }) => kind.startsWith('erase')).map(({ request_id }) => request_id);
  expect(requests).toEqual([expect.any(String), requests[0]]);
  gone(ada);
  expect((await findings()).filter(({ subject }) => subject.includes(ada.id) || subject.includes(ada.userId))).toEqual([]);
});

test('a bridge that was killed after Keycloak had forgotten goes on from there', async () => {
  const ada = await known();
  bridge.keeper.fail(true);
  await erase(ada);
  bridge.keeper.fail(false);
  bridge.keeper.removesAs('unknown_user');
  await bridge.hurry();
  expect((await read(bridge, ada)).timeline.at(-1)).toMatchObject({ kind: 'erased', detail: { account: 'unknown_user' } });
  expect(await placesOf(ada.address)).toEqual([]);
});

test('asked for many times at once, and again, it is done once', async () => {
  const ada = await known();
  const answers = await Promise.all([erase(ada), erase(ada), erase(ada)]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect((await erase(ada)).body).toMatchObject({ erasure: 'done' });
  await bridge.hurry();
  expect((await kinds(ada)).filter((kind) => kind.startsWith('erase'))).toEqual(['erase_asked', 'erased']);
});

describe('nothing else can be done with it', () => {
  test.each<[string, (one: Known) => Promise<{ status: number }>]>([
    ['extend', ({ userId }) => bridge.asManager('/api/trial/extend', { user_id: userId, days: 3, ...BECAUSE })],
    ['convert', ({ userId }) => bridge.asManager('/api/trial/completion', { user_id: userId, ...BECAUSE })],
    ['resend', ({ id }) => bridge.asManager(`/api/trial/${id}/resend`, BECAUSE)],
    ['revoke', ({ id }) => bridge.asManager(`/api/trial/${id}/revoke`, BECAUSE)],
  ])('%s, while it is under way: 409', async (_name, act) => {
    const ada = await known();
    bridge.clock.pass(40 * DAY);
    await bridge.db.updateTable('bridge.life').set({ state: 'expired' }).where('id', '=', ada.id).execute();
    bridge.keeper.fail(true);
    await erase(ada);
    const before = await read(bridge, ada);
    expect(await act(ada)).toMatchObject({ status: 409, body: { code: 'impossible_transition' } });
    expect(await read(bridge, ada)).toEqual(before);
  });
});

test.each(['pending', 'superseded', 'released'] as const)('a registration that is %s and may still come through: 409 for ten minutes', async (state) => {
  const address = `eve.${state}.${Date.now()}@example.com`;
  await bridge.send('/api/trial/register', { body: { username: address } });
  await bridge.settled();
  const id = await idOf(address);
  const creation = creationOf(tokenTo(address), { username: address });
  await bridge.asStep('/api/trial/creation', creation);
  if (state !== 'pending') await bridge.db.updateTable('bridge.registration').set({ state }).where('attempt_id', '=', creation.attempt_id).execute();
  expect(await erase({ id })).toMatchObject({ status: 409, body: { code: 'not_possible' } });
  expect(await read(bridge, { id })).toMatchObject({ erasure: null, username: address });
  if (state === 'pending') return;
  bridge.clock.pass(11 * MINUTE);
  expect((await erase({ id })).body).toMatchObject({ erasure: 'done' });
});

describe('a second trial of an erased address', () => {
  test('is a decision: no invitation, no trace; once allowed, the next register invites', async () => {
    const ada = await known();
    await erase(ada);
    gone(ada);
    const before = (await mailsTo(bridge, ada.address)).length;
    await again(ada);
    expect(await mailsTo(bridge, ada.address)).toHaveLength(before);
    expect(await placesOf(ada.address)).toEqual([]);
    // Found by whoever knows the address, and by nobody else.
    const { body } = await bridge.asManager(`/api/trial?search=${encodeURIComponent(ada.address.toUpperCase())}`);
    expect(body['trials']).toMatchObject([{ id: ada.id, username: null }]);
    expect((await bridge.asManager(`/api/trial/${ada.id}/allow-again`, BECAUSE)).body).toMatchObject({ second_trial: 'allowed' });
    expect((await bridge.asManager(`/api/trial/${ada.id}/allow-again`, BECAUSE)).status).toBe(200);
    expect((await kinds(ada)).filter((kind) => kind === 'second_allowed')).toHaveLength(1);
    await again(ada);
    expect(await mailsTo(bridge, ada.address)).toHaveLength(before + 1);
    const { userId } = await register(tokenTo(ada.address), ada.address);
    expect((await bridge.asStep(`/api/trial/infos?user_id=${userId}`)).body).toMatchObject({ trial: true, expired: false });
  });

  test('is refused from the moment that erasure is asked for', async () => {
    const ada = await known();
    bridge.keeper.fail(true);
    await erase(ada);
    gone(ada);
    const before = (await mailsTo(bridge, ada.address)).length;
    await again(ada);
    expect(await mailsTo(bridge, ada.address)).toHaveLength(before);
  });

  test('of a trial that is not erased there is nothing to allow', async () => {
    const ada = await known();
    expect(await bridge.asManager(`/api/trial/${ada.id}/allow-again`, BECAUSE)).toMatchObject({ status: 409, body: { code: 'not_possible' } });
  });
});

/** SECURITY 3: the next owner of an address has nothing to do with the one before. */
test('whoever had the address before, with an account of their own, keeps their trial', async () => {
  const before = await known();
  const address = `renamed.${Date.now()}@example.com`;
  bridge.accounts.remove(before.userId);
  bridge.accounts.add({ id: before.userId, username: address });
  bridge.clock.pass(DAY);
  await bridge.send('/api/trial/register', { body: { username: before.address } });
  await bridge.settled();
  const id = await idOf(before.address);
  expect(id).not.toBe(before.id);
  expect((await erase({ id })).body).toMatchObject({ erasure: 'done' });
  expect((await bridge.asStep(`/api/trial/infos?user_id=${before.userId}`)).body).toMatchObject({ trial: true, expired: false });
  expect(await read(bridge, before)).toMatchObject({ state: 'active', user_id: before.userId, erasure: null });
});

describe('an export', () => {
  test('has everything of a person, no link and no token', async () => {
    const ada = await known();
    const { status, body } = await bridge.asManager(`/api/trial/${ada.id}/export`);
    expect(status).toBe(200);
    const text = JSON.stringify(body);
    for (const name of ada.names) expect(text).toContain(name);
    expect(body).toMatchObject({
      trial: { id: ada.id, state: 'active', username: ada.address },
      sign_up_requests: [{ consents: [{ id: 'terms', version: '3' }], result: 'invitation' }],
      registrations: [{ state: 'confirmed', user_id: ada.userId }],
      given_consents: [{ consent: 'terms', version: '3', step: 'sign_up' }],
      small_apps: [{ permissions: expect.any(Array) }],
      account: { id: ada.userId, username: ada.address },
    });
    expect((body['mails'] as { kind: string }[]).map(({ kind }) => kind)).toEqual(['invitation', 'trial_extended']);
    expect(text).not.toContain(tokenTo(ada.address));
    expect(text).not.toMatch(/https?:|token_hash|invitation_token|mailbox_hash|address_hash/);
  });

  test('of somebody erased has the timeline and nothing else', async () => {
    const ada = await known();
    await erase(ada);
    const { body } = await bridge.asManager(`/api/trial/${ada.id}/export`);
    expect(body).toMatchObject({ sign_up_requests: [], mails: [], invitations: [], registrations: [], given_attributes: [], given_consents: [], small_apps: [], account: null });
    for (const name of ada.names) expect(JSON.stringify(body)).not.toContain(name);
  });

  test('while Keycloak is away is not half of it: 503', async () => {
    const ada = await known();
    bridge.accounts.fail(true);
    try {
      expect((await bridge.asManager(`/api/trial/${ada.id}/export`)).status).toBe(503);
    } finally {
      bridge.accounts.fail(false);
    }
  });
});
