import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { addressHash } from '../../../bridge/address/address-hash.ts';
import { addJob } from '../../../bridge/db/job.ts';
import { confirmRegistrations } from '../../../bridge/trial/registration.store.ts';
import { sweepLives } from '../../../bridge/life/sweep.service.ts';
import { TRANSITIONS, LIFE_STATES } from '../../../bridge/life/transitions.ts';
import { withClient } from '../../../dev/postgres.ts';
import { loadProducts } from '../../../platform/products.ts';
import { secret } from '../../../platform/secret.ts';
import { creationOf, NOW, openBridge, type TestBridge } from '../support/bridge.ts';
import { eventually, invited, mailsTo, pass, read, signedUp, type Person } from './person.ts';

const DAY = 86_400;
const BECAUSE = { reason: 'They asked by telephone.' };

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge({ product: { roles: ['trial-user'], converted_roles: ['customer'] } });
});
afterAll(() => bridge.close());
beforeEach(async () => {
  bridge.clock.set(NOW);
  bridge.keeper.fail(false);
});

const sweep = async () => {
  await addJob(bridge.db, 'sweep_lives', {}, { key: 'sweep_lives' });
  await bridge.settled();
};
const days = (count: number) => pass(bridge, count, sweep);
const stateOf = async (one: { id: string }) => (await read(bridge, one))['state'];
const kinds = async (one: { id: string }) => (await read(bridge, one)).timeline.map(({ kind }) => kind);
const extend = ({ userId }: Person, wish: object, headers?: Record<string, string>) => bridge.asManager('/api/trial/extend', { user_id: userId, ...BECAUSE, ...wish }, headers);
const convert = ({ userId }: Person, wish: object = {}) => bridge.asManager('/api/trial/completion', { user_id: userId, ...BECAUSE, ...wish });
const revoke = ({ id }: { id: string }) => bridge.asManager(`/api/trial/${id}/revoke`, BECAUSE);
const infos = async ({ userId }: Person) => (await bridge.asStep(`/api/trial/infos?user_id=${userId}`)).body;

test('the table of transitions is the one of the documents, and the one that docs/trial-life.md draws', () => {
  const drawn = Object.entries(TRANSITIONS).flatMap(([command, { from, to }]) => from.map((one) => `${one} ${command} ${to}`));
  const page = [...readFileSync('docs/trial-life.md', 'utf8').matchAll(/^ (.+?) +── (\w+) ─*▶ (\w+)/gm)].flatMap(([, from = '', command, to]) => from.split(', ').map((one) => `${one} ${command} ${to}`));
  expect(page.sort()).toEqual(drawn.toSorted());
  expect(drawn.sort()).toEqual(
    [
      'invited register active',
      ...['active', 'ending', 'grace', 'expired'].map((from) => `${from} release invited`),
      'active remind ending',
      'ending remind ending',
      'active end grace',
      'ending end grace',
      'grace expire expired',
      ...['active', 'ending', 'grace', 'expired'].flatMap((from) => [`${from} extend active`, `${from} extend_shortly ending`, `${from} convert converted`]),
      ...LIFE_STATES.filter((state) => state !== 'converted' && state !== 'revoked').map((from) => `${from} revoke revoked`),
      ...LIFE_STATES.filter((state) => state !== 'expired' && state !== 'revoked').map((from) => `${from} erase revoked`),
    ].sort(),
  );
});

test('a trial goes its whole way, and its person is told once of each turn', async () => {
  const ada = await signedUp(bridge);
  expect(await stateOf(ada)).toBe('active');
  for (const [count, state] of [[6, 'active'], [1, 'ending'], [6, 'ending'], [1, 'grace'], [2, 'grace'], [1, 'expired'], [40, 'expired']] as const) {
    await days(count);
    await Promise.all([sweep(), sweep()]);
    expect(await stateOf(ada)).toBe(state);
  }
  const name = 'Vestibule sample app';
  const [reminder, grace, over] = [`Your trial of ${name} ends soon`, `Your trial of ${name} has ended`, `Your trial of ${name} is over`];
  expect((await mailsTo(bridge, ada.address)).toReversed()).toEqual([reminder, reminder, grace, over]);
  expect((await kinds(ada)).filter((kind) => !kind.startsWith('mail_'))).toEqual(['registered', 'confirmed', 'reminded', 'reminded', 'ended', 'expired']);
  await bridge.hurry();
  expect(bridge.keeper.stampOf(ada.userId)).toMatchObject({ state: 'expired' });
  expect(bridge.keeper.ended).toContain(ada.userId);
});

test('a sweep that comes late goes through what it missed, and says only what is still true', async () => {
  const ada = await signedUp(bridge);
  await days(30);
  expect((await read(bridge, ada)).timeline.filter(({ to, from }) => to !== from).map(({ to }) => to)).toEqual(['active', 'grace', 'expired']);
  expect(await mailsTo(bridge, ada.address)).toEqual(['Your trial of Vestibule sample app is over']);
});

test('a trial that a sweep can’t deal with holds up none of the others, and is named', async () => {
  const [ada, grace, hedy] = [await signedUp(bridge), await signedUp(bridge), await signedUp(bridge)];
  bridge.clock.pass(8 * DAY);
  const using = { products: loadProducts('products.yaml'), clock: bridge.clock, hash: addressHash(secret('0'.repeat(44))) };
  await sql`alter table bridge.life_event add constraint refused check (life_id <> ${sql.lit(grace.id)} or kind <> 'reminded')`.execute(bridge.db);
  try {
    await expect(sweepLives(bridge.db, using)).rejects.toThrow(`1 of the trials that were due could not be dealt with: ${grace.id}`);
    expect([await stateOf(ada), await stateOf(grace), await stateOf(hedy)]).toEqual(['ending', 'active', 'ending']);
  } finally {
    await sql`alter table bridge.life_event drop constraint refused`.execute(bridge.db);
  }
  await sweep();
  expect(await stateOf(grace)).toBe('ending');
});

test('two reminders that are both late are one mail', async () => {
  const ada = await signedUp(bridge);
  await days(13.5);
  expect(await stateOf(ada)).toBe('ending');
  expect(await mailsTo(bridge, ada.address)).toHaveLength(1);
});

test('a mail that waited until it was not true any more is not sent', async () => {
  const ada = await signedUp(bridge);
  await days(7);
  await extend(ada, { days: 30 });
  await bridge.db.updateTable('bridge.mail').set({ state: 'queued' }).where('life_id', '=', ada.id).where('kind', '=', 'trial_reminder').execute();
  const { id } = await bridge.db.selectFrom('bridge.mail').select('id').where('life_id', '=', ada.id).where('kind', '=', 'trial_reminder').executeTakeFirstOrThrow();
  await addJob(bridge.db, 'send_mail', { mail_id: id });
  expect(await mailsTo(bridge, ada.address)).toEqual(['Your trial of Vestibule sample app goes on', 'Your trial of Vestibule sample app ends soon']);
  expect((await read(bridge, ada)).timeline.filter(({ kind }) => kind === 'mail_failed')).toMatchObject([{ detail: { mail: 'trial_reminder', failure: 'overtaken' } }]);
});

describe('extend', () => {
  test.each([
    ['active', 3, NOW + (14 + 10) * DAY],
    ['ending', 8, NOW + (14 + 10) * DAY],
    ['grace', 15, NOW + (15 + 10) * DAY],
    ['expired', 40, NOW + (40 + 10) * DAY],
  ])('of a trial that is %s: ten days more, from the end or from now', async (state, after, endsAt) => {
    const ada = await signedUp(bridge);
    await days(after);
    expect(await stateOf(ada)).toBe(state);
    const { status, body } = await extend(ada, { days: 10 });
    expect(status).toBe(200);
    expect(body).toMatchObject({ state: 'active', trial_ends_at: endsAt, trial_access_until: endsAt + 3 * DAY, held_by_keycloak: true });
    expect(bridge.keeper.stampOf(ada.userId)).toMatchObject({ trial_ends_at: endsAt, trial_access_until: endsAt + 3 * DAY });
    expect(await infos(ada)).toMatchObject({ trial: true, expired: false, trial_ends_at: endsAt });
    expect(await stateOf(ada)).toBe('active');
  });

  test('until an instant, in whole seconds, and reminders come again for the new end', async () => {
    const ada = await signedUp(bridge);
    await days(8);
    const until = NOW + 60 * DAY;
    expect((await extend(ada, { until })).body).toMatchObject({ trial_ends_at: until });
    await days(44);
    expect(await stateOf(ada)).toBe('active');
    await days(1);
    expect(await stateOf(ada)).toBe('ending');
    expect((await kinds(ada)).filter((kind) => kind === 'reminded')).toHaveLength(2);
  });

  test('to an end so near that its first reminder would be past: the trial is ending, and no reminder comes', async () => {
    const ada = await signedUp(bridge);
    await days(14);
    await extend(ada, { days: 2 });
    await sweep();
    expect(await stateOf(ada)).toBe('ending');
    expect((await mailsTo(bridge, ada.address)).filter((subject) => subject.includes('soon'))).toHaveLength(0);
    await days(1);
    expect((await mailsTo(bridge, ada.address)).filter((subject) => subject.includes('soon'))).toHaveLength(1);
  });

  test.each([
    ['an end before the present one', { until: NOW + 3 * DAY }],
    ['the present end', { until: NOW + 14 * DAY }],
    ['both', { until: NOW + 30 * DAY, days: 3 }],
    ['neither', {}],
    ['no day', { days: 0 }],
    ['half a day', { days: 0.5 }],
    ['more than ten years', { days: 3_651 }],
    ['two people', { days: 3, username: 'ada@example.com' }],
    ['an instant beyond all dates', { until: 9_000_000_000_000 }],
    ['an instant whose grace is beyond all dates', { until: 8_640_000_000_000 }],
    ['the last second of the year 9999', { until: 253_402_300_799 }],
    ['more than twenty years from now', { until: NOW + 7_301 * DAY }],
    ['no reason', { days: 3, reason: '' }],
    ['another actor, although not the proxy asks', { days: 3, actor: 'the-boss' }],
  ])('refuses %s', async (_name, wish) => {
    const ada = await signedUp(bridge);
    expect((await extend(ada, wish)).status).toBe(400);
    expect(await infos(ada)).toMatchObject({ trial_ends_at: NOW + 14 * DAY });
  });

  test('ten years three times are more than twenty from now', async () => {
    const ada = await signedUp(bridge);
    expect((await extend(ada, { days: 3_650 })).status).toBe(200);
    expect((await extend(ada, { days: 3_600 })).status).toBe(200);
    expect(await extend(ada, { days: 3_650 })).toMatchObject({ status: 400, body: { field: 'days' } });
  });

  test('by an address that had two owners names nobody, also when the second one is invited only (SECURITY.md 3)', async () => {
    const ada = await signedUp(bridge);
    const eve = await invited(bridge, ada.address);
    const whose = { username: ada.address, ...BECAUSE };
    for (const answer of [await bridge.asManager('/api/trial/completion', whose), await bridge.asManager('/api/trial/extend', { ...whose, days: 1 })]) {
      expect(answer).toMatchObject({ status: 409, body: { code: 'not_possible', field: 'username' } });
    }
    expect(await stateOf(ada)).toBe('active');
    await revoke(eve);
    expect((await bridge.asManager('/api/trial/extend', { ...whose, days: 1 })).body).toMatchObject({ user_id: ada.userId });
    await signedUp(bridge, ada.address);
    expect((await bridge.asManager('/api/trial/extend', { ...whose, days: 1 })).status).toBe(409);
    expect((await extend(ada, { days: 1 })).status).toBe(200);
  });

  test('by address, and of nobody', async () => {
    const ada = await signedUp(bridge);
    expect((await bridge.asManager('/api/trial/extend', { username: ada.address.toUpperCase(), days: 1, ...BECAUSE })).body).toMatchObject({ user_id: ada.userId });
    expect((await bridge.asManager('/api/trial/extend', { username: 'nobody@example.com', days: 1, ...BECAUSE })).status).toBe(404);
    expect((await bridge.asManager('/api/trial/extend', { username: ada.address, product: 'other', days: 1, ...BECAUSE })).status).toBe(400);
  });
});

test('a trial that became a full account never ends: no end, other roles, app kept', async () => {
  const ada = await signedUp(bridge);
  const before = await read(bridge, ada);
  expect((await convert(ada, { plan: 'team' })).body).toMatchObject({ state: 'converted', plan: 'team', trial_ends_at: null, trial_access_until: null, trial_app: before['trial_app'], held_by_keycloak: true });
  expect(bridge.keeper.stampOf(ada.userId)).toMatchObject({ state: 'converted', trial_ends_at: null, trial_access_until: null });
  expect([...bridge.keeper.rolesOf(ada.userId)]).toEqual(['customer']);
  await days(400);
  expect(await infos(ada)).toEqual({ trial: true, state: 'converted', expired: false });
  expect(await stateOf(ada)).toBe('converted');
  expect((await mailsTo(bridge, ada.address)).slice(0, 1)).toEqual(['Your account for Vestibule sample app is yours to keep']);
});

describe('revoke', () => {
  test('withdraws an invitation', async () => {
    const eve = await invited(bridge);
    expect((await revoke(eve)).body).toMatchObject({ state: 'revoked', user_id: null });
    expect((await bridge.asStep('/api/trial/verify', { token: eve.token })).body).toMatchObject({ valid: false, reason: 'revoked' });
  });

  test('ends a trial at once, without grace, and what is open at its clients', async () => {
    const ada = await signedUp(bridge);
    await days(2);
    expect((await revoke(ada)).body).toMatchObject({ state: 'revoked', trial_access_until: NOW + 2 * DAY });
    expect(await infos(ada)).toMatchObject({ expired: true });
    expect(bridge.keeper.ended).toContain(ada.userId);
    expect(bridge.keeper.stampOf(ada.userId)).toMatchObject({ state: 'revoked', trial_access_until: NOW + 2 * DAY });
  });

  test('ends a trial of a product that is not offered any more', async () => {
    const ada = await signedUp(bridge);
    await bridge.db.updateTable('bridge.life').set({ product: 'gone' }).where('id', '=', ada.id).execute();
    expect(await revoke(ada)).toMatchObject({ status: 200, body: { state: 'revoked' } });
    await bridge.db.updateTable('bridge.life').set({ product: 'app' }).where('id', '=', ada.id).execute();
  });
});

test.each([
  ['converted', 'extend'],
  ['converted', 'revoke'],
  ['converted', 'convert'],
  ['revoked', 'extend'],
  ['revoked', 'revoke'],
  ['invited', 'extend'],
  ['invited', 'convert'],
])('a trial that is %s can not %s: 409, and nothing changes', async (state, command) => {
  const ada = state === 'invited' ? { ...(await invited(bridge)), userId: '' } : await signedUp(bridge);
  if (state === 'converted') await convert(ada);
  if (state === 'revoked') await revoke(ada);
  await bridge.settled();
  const before = await read(bridge, ada);
  const whose = { username: ada.address, ...BECAUSE };
  const answers = { extend: () => bridge.asManager('/api/trial/extend', { ...whose, days: 3 }), convert: () => bridge.asManager('/api/trial/completion', whose), revoke: () => revoke(ada) };
  const answer = await answers[command as keyof typeof answers]();
  expect(answer).toMatchObject({ status: 409, body: { code: 'impossible_transition' } });
  expect(await read(bridge, ada)).toEqual(before);
});

describe('Idempotency-Key', () => {
  test('the same request twice, and at once, is done once', async () => {
    const ada = await signedUp(bridge);
    const again = () => extend(ada, { days: 10 }, { 'idempotency-key': 'one' });
    const answers = await Promise.all([again(), again(), again()]);
    expect(answers.map(({ status, body }) => [status, body['trial_ends_at']])).toEqual(answers.map(() => [200, NOW + 24 * DAY]));
    expect((await kinds(ada)).filter((kind) => kind === 'extended')).toHaveLength(1);
  });

  test('a mail is sent again once', async () => {
    const ada = await signedUp(bridge);
    const again = () => bridge.asManager(`/api/trial/${ada.id}/resend`, BECAUSE, { 'idempotency-key': 'one' });
    expect((await Promise.all([again(), again()])).map(({ status }) => status)).toEqual([200, 200]);
    expect((await kinds(ada)).filter((kind) => kind === 'mail_queued')).toHaveLength(1);
    expect(await extend(ada, { days: 3 }, { 'idempotency-key': 'two' })).toMatchObject({ status: 200 });
    expect(await bridge.asManager(`/api/trial/${ada.id}/resend`, BECAUSE, { 'idempotency-key': 'two' })).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  });

  test('with another wish is refused', async () => {
    const ada = await signedUp(bridge);
    await extend(ada, { days: 10 }, { 'idempotency-key': 'one' });
    expect(await extend(ada, { days: 11 }, { 'idempotency-key': 'one' })).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  });
});

test('while Keycloak is away an act is done, says so, and a job tells it', async () => {
  const ada = await signedUp(bridge);
  bridge.keeper.fail(true);
  expect((await extend(ada, { days: 10 })).body).toMatchObject({ trial_ends_at: NOW + 24 * DAY, held_by_keycloak: false });
  expect(await infos(ada)).toMatchObject({ trial_ends_at: NOW + 24 * DAY });
  bridge.keeper.fail(false);
  await bridge.hurry();
  expect(bridge.keeper.stampOf(ada.userId)).toMatchObject({ trial_ends_at: NOW + 24 * DAY });
  expect(await read(bridge, ada)).toMatchObject({ held_by_keycloak: true });
});

test('a registration that came to nothing leaves the trial invited, and the next one goes on with it', async () => {
  const ada = await invited(bridge);
  const first = creationOf(ada.token, { username: ada.address });
  await bridge.asStep('/api/trial/creation', first);
  expect(await read(bridge, ada)).toMatchObject({ state: 'active', user_id: first.user_id });
  const second = creationOf(ada.token, { username: ada.address });
  await bridge.asStep('/api/trial/creation', second);
  expect(await read(bridge, ada)).toMatchObject({ state: 'active', user_id: second.user_id });
  expect(await kinds(ada)).toEqual(['registered', 'released', 'registered']);
});

test('a confirmation waits for whoever writes of the same trial: apps hear of both in the order of commits', async () => {
  const ada = await invited(bridge);
  const creation = creationOf(ada.token, { username: ada.address });
  await bridge.asStep('/api/trial/creation', creation);
  await withClient(bridge.databaseUrl, async (client) => {
    await client.query('begin');
    await client.query('select from bridge.life where id = $1 for no key update', [ada.id]);
    await client.query(`insert into bridge.life_event (life_id, at, kind, actor) values ($1, now(), 'link_opened', 'person')`, [ada.id]);
    let answered = false;
    const answer = bridge.asStep('/api/trial/creation/outcome', { attempt_id: creation.attempt_id, user_id: creation.user_id, outcome: 'committed' }).finally(() => (answered = true));
    await eventually(async () => answered || (await client.query(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)).rows.length > 0);
    expect(answered).toBe(false);
    await client.query('commit');
    await answer;
  });
  expect(await kinds(ada)).toEqual(['registered', 'link_opened', 'confirmed']);
});

test('of several confirmations at once the trials are locked in their order: whoever holds the first holds up none of the others', async () => {
  const people = [];
  for (let one = 0; one < 2; one += 1) {
    const { address, id, token } = await invited(bridge);
    const [attemptId, userId] = [randomUUID(), randomUUID()];
    await bridge.asStep('/api/trial/creation', creationOf(token, { username: address, attempt_id: attemptId, user_id: userId }));
    people.push({ id, attemptId, userId });
  }
  const [first, second] = people.toSorted((one, other) => (one.id < other.id ? -1 : 1));
  for (const order of [[first!, second!], [second!, first!]]) {
    await withClient(bridge.databaseUrl, async (client) => {
      await client.query('begin');
      await client.query('select from bridge.life where id = $1 for no key update', [first!.id]);
      const confirming = confirmRegistrations(bridge.db, order, 'committed', bridge.clock.now());
      await eventually(async () => (await client.query(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)).rows.length > 0);
      await client.query('select from bridge.life where id = $1 for no key update nowait', [second!.id]);
      await client.query('commit');
      await confirming;
    });
    await bridge.db.updateTable('bridge.registration').set({ state: 'pending' }).where('attempt_id', 'in', people.map(({ attemptId }) => attemptId)).execute();
  }
});

test('who acted, and why, stands in the timeline; an invitation and its mail too', async () => {
  const address = `Ada.${Date.now()}@example.com`;
  await bridge.send('/api/trial/register', { body: { username: address } });
  await bridge.settled();
  const { body } = await bridge.asManager(`/api/trial?search=${encodeURIComponent(address.slice(0, 12))}`);
  const [found] = body['trials'] as { id: string; username: string }[];
  expect(found).toMatchObject({ state: 'invited', username: address.toLowerCase(), user_id: null });
  await bridge.asProxy(`/api/trial/${found!.id}/revoke`, { reason: 'By mistake', actor: 'staff-sub' });
  const { timeline } = await read(bridge, found!);
  expect(timeline.map(({ kind }) => kind)).toEqual(['invited', 'mail_queued', 'mail_sent', 'revoked']);
  expect(timeline.at(-1)).toMatchObject({ actor: 'staff:staff-sub', reason: 'By mistake', from: 'invited', to: 'revoked' });
  expect(JSON.stringify(timeline)).not.toContain(address.toLowerCase());
  expect(JSON.stringify(timeline)).not.toMatch(/invitation_token|https?:/);
});

test('each line of an act, its mails too, has the request and whoever made it', async () => {
  const ada = await signedUp(bridge);
  const requestId = '0f0e0d0c-0000-4000-8000-00000000000a';
  await extend(ada, { days: 10 }, { 'x-request-id': requestId });
  await bridge.settled();
  const { timeline } = (await read(bridge, ada)) as unknown as { timeline: { kind: string; actor: string; request_id: string | null }[] };
  expect(timeline.slice(2).map(({ kind, actor, request_id }) => [kind, actor, request_id])).toEqual([
    ['extended', 'client:a-manager', requestId],
    ['mail_queued', 'client:a-manager', requestId],
    ['mail_sent', 'bridge', requestId],
  ]);
});

describe('the list', () => {
  test('by state and product, page by page, newest first', async () => {
    bridge.clock.set(NOW + 1_000 * DAY);
    const people = [];
    for (let count = 0; count < 5; count += 1) {
      bridge.clock.pass(60);
      people.unshift((await invited(bridge)).id);
    }
    const seen: string[] = [];
    for (let cursor = ''; seen.length < 5; ) {
      const { body } = await bridge.asManager(`/api/trial?state=invited&product=app&limit=2${cursor && `&cursor=${cursor}`}`);
      seen.push(...(body['trials'] as { id: string }[]).map(({ id }) => id));
      cursor = String(body['next_cursor']);
    }
    expect(seen.slice(0, 5)).toEqual(people);
  });

  test.each([
    ['the beginning of the address', ({ address }: Person) => address.slice(0, 20)],
    ['the end of the address', ({ address }: Person) => `@${address.split('@')[1]}`],
    ["the user's id", ({ userId }: Person) => userId],
    ['its own id', ({ id }: Person) => id],
    ['capitals', ({ address }: Person) => address.slice(0, 20).toUpperCase()],
  ])('finds by %s', async (_name, search) => {
    const ada = await signedUp(bridge);
    const { body } = await bridge.asManager(`/api/trial?limit=200&search=${encodeURIComponent(search(ada))}`);
    expect((body['trials'] as { id: string }[]).map(({ id }) => id)).toContain(ada.id);
  });

  test.each(['%', '_', '\\', '@%', "'"])('%j stands for itself', async (search) => {
    expect((await bridge.asManager(`/api/trial?search=${encodeURIComponent(search)}`)).body).toMatchObject({ trials: [], next_cursor: null });
  });

  test.each(['x', Buffer.from('1 2').toString('base64url'), ...[`x ${'0'.repeat(36)}`, `1 ${'0'.repeat(36)}`, `1 ${'-'.repeat(36)}`, `999999999999999 ${crypto.randomUUID()}`].map((text) => Buffer.from(text).toString('base64url'))])('refuses the cursor %j', async (cursor) => {
    expect((await bridge.asManager(`/api/trial?cursor=${cursor}`)).body).toMatchObject({ code: 'invalid_request', field: 'cursor' });
  });
});

describe('resend', () => {
  test('an invitation goes out with another link; both work until one is used', async () => {
    const address = `ada.${Date.now()}.again@example.com`;
    await bridge.send('/api/trial/register', { body: { username: address } });
    await bridge.settled();
    const { body } = await bridge.asManager(`/api/trial?search=${encodeURIComponent(address)}`);
    const [{ id } = { id: '' }] = body['trials'] as { id: string }[];
    expect((await bridge.asManager(`/api/trial/${id}/resend`, BECAUSE)).status).toBe(200);
    await bridge.settled();
    const links = bridge.inbox.messages().filter(({ to }) => to === address).map(({ links: all }) => all.find((link) => link.includes('invitation_token')));
    expect(new Set(links).size).toBe(2);
    expect(await kinds({ id })).toEqual(['invited', 'mail_queued', 'mail_sent', 'mail_queued', 'mail_sent']);
  });

  test('not to a mailbox that wants no mails, and not of a trial that was revoked', async () => {
    const ada = await signedUp(bridge);
    await revoke(ada);
    expect((await bridge.asManager(`/api/trial/${ada.id}/resend`, BECAUSE)).status).toBe(409);
  });
});
