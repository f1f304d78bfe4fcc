import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { lockAccount, type AccountOf } from '../../../bridge/remote-billing/plans/account.store.ts';
import { endPlan, insertPlan } from '../../../bridge/remote-billing/plans/plan.store.ts';
import { statementsDuring } from '../support/statements.ts';
import { basic, billingStatements, newKey, newPerson, newRealm, newServer, openBilling, randomAddress, registrationOf, type RealmOnWire, type Server, type TestBilling } from './support/billing.ts';

let billing: TestBilling;
let server: Server;
let realm: RealmOnWire;
beforeAll(async () => {
  billing = await openBilling();
  ({ server, realm } = await billing.place());
});
afterAll(() => billing.close());

const errorOf = ({ status, body }: { status: number; body: Record<string, unknown> }) => [status, body['result'], body['code']];
const register = (one: Server, more: Record<string, string> = {}) => billing.remote('server/register', { form: { ...registrationOf(one), ...more } });
const status = (headers: Record<string, string>, from = randomAddress()) => billing.remote('server/analytics/status', { headers, from });
const rowOf = (one: RealmOnWire) => billing.db.selectFrom('bridge.remote_realm').selectAll().where('id', '=', one.uuid).executeTakeFirst();
const bad = (name: string, form: Record<string, string | undefined>) => [name, form] as const;
const asFirst = (path: string) => billing.remote(path, { as: server });

describe('register', () => {
  test('takes a new server in, and says so once', async () => {
    const one = newServer();
    expect((await register(one)).body).toEqual({ result: 'success', msg: '', created: true });
    expect((await register(one)).body).toEqual({ result: 'success', msg: '', created: false });
  });

  test('keeps the key as a hash', async () => {
    const one = await billing.server();
    const row = await billing.db.selectFrom('bridge.remote_server').selectAll().where('id', '=', one.id).executeTakeFirstOrThrow();
    expect(row.key_hash).toHaveLength(32);
    expect(JSON.stringify(row)).not.toContain(one.key);
  });

  test('of a known server changes hostname, contact and key; the old key is over', async () => {
    const one = await billing.server();
    const changed = { ...one, hostname: `moved-${one.hostname}`, contactEmail: 'Other@Example.org' };
    const key = newKey();
    expect((await register(changed, { new_org_key: key })).body['created']).toBe(false);
    expect(await billing.db.selectFrom('bridge.remote_server').select(['hostname', 'contact_email', 'key_generation']).where('id', '=', one.id).executeTakeFirst()).toEqual({
      hostname: changed.hostname,
      contact_email: 'other@example.org',
      key_generation: 2,
    });
    expect(errorOf(await billing.remote('server/analytics/status', { as: one }))).toEqual([401, 'error', 'UNAUTHORIZED']);
    expect((await billing.remote('server/analytics/status', { as: { ...one, key } })).status).toBe(200);
  });

  test.each<[string, Record<string, string>]>([
    ['an id that is no UUID', { zulip_org_id: 'me' }],
    ['a UUID of another version', { zulip_org_id: 'd9c0b6d4-5b1c-11ee-8c99-0242ac120002' }],
    ['a short key', { zulip_org_key: 'x'.repeat(63) }],
    ['a long key', { zulip_org_key: 'x'.repeat(65) }],
    ['a long hostname', { hostname: `${'a.'.repeat(63)}abc` }],
    ['a hostname with a path', { hostname: 'zulip.example.org/x' }],
    ['a hostname with a query', { hostname: 'zulip.example.org?x' }],
    ['a hostname with a fragment', { hostname: 'zulip.example.org#x' }],
    ['a hostname with a user', { hostname: 'x@zulip.example.org' }],
    ['a hostname with a scheme', { hostname: 'https://zulip.example.org' }],
    ['a port that is none', { hostname: 'zulip.example.org:65536' }],
    ['no hostname', { hostname: '' }],
    ['an address that is none', { contact_email: 'admin' }],
    ['a short new key', { new_org_key: 'x' }],
  ])('refuses %s', async (_name, change) => {
    expect(errorOf(await billing.remote('server/register', { form: { ...registrationOf(newServer()), ...change } }))).toEqual([400, 'error', 'BAD_REQUEST']);
  });

  test('takes a hostname with a port', async () => {
    expect((await register(newServer({ hostname: `zulip-${randomUUID()}.example.org:8443` }))).status).toBe(200);
  });

  test('of a taken hostname says so, for a new server and for one that moves', async () => {
    const second = await billing.server();
    for (const one of [newServer({ hostname: server.hostname.toUpperCase() }), { ...second, hostname: server.hostname }]) {
      const answer = await register(one);
      expect(errorOf(answer)).toEqual([400, 'error', 'HOSTNAME_ALREADY_IN_USE_BOUNCER_ERROR']);
      expect((await billing.audit({ serverId: one.id })).at(-1)).toMatchObject({ act: 'refused', actor_kind: 'server', actor_id: one.id, details: { reason: 'hostname_taken', step: 'server/register' } });
    }
  });

  test('of one hostname by fifty servers at once: one has it', async () => {
    const hostname = newServer().hostname;
    const answers = await Promise.all(Array.from({ length: 50 }, () => register(newServer({ hostname }))));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ body }) => body['code'] === 'HOSTNAME_ALREADY_IN_USE_BOUNCER_ERROR')).toHaveLength(49);
  });

  test('of one id fifty times at once: created once', async () => {
    const one = newServer();
    const answers = await Promise.all(Array.from({ length: 50 }, () => register(one)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(answers.filter(({ body }) => body['created'] === true)).toHaveLength(1);
  });

  test('with a wrong key of a known id is refused, and changes nothing', async () => {
    expect(errorOf(await register({ ...server, key: newKey(), hostname: newServer().hostname }))).toEqual([401, 'error', 'UNAUTHORIZED']);
    expect((await billing.db.selectFrom('bridge.remote_server').select('hostname').where('id', '=', server.id).executeTakeFirst())?.hostname).toBe(server.hostname);
  });

  test('is limited per client: 20 a day, with the wait in words', async () => {
    const from = randomAddress();
    const answers = [];
    for (let count = 0; count < 21; count += 1) answers.push(await billing.remote('server/register', { form: registrationOf(newServer()), from }));
    expect(answers.map(({ status }) => status)).toEqual([...Array.from({ length: 20 }, () => 200), 429]);
    expect(answers.at(-1)!.body).toMatchObject({ code: 'RATE_LIMIT_HIT', msg: expect.stringMatching(/^Try again in (24 hours|23 hours and \d+ minutes?)\.$/) });
    expect(Number(answers.at(-1)!.headers.get('retry-after'))).toBeGreaterThan(80_000);
  });
});

// SECURITY 18
describe('Basic authentication', () => {
  test.each<[string, () => Promise<Record<string, string>>]>([
    ['nothing', async () => ({})],
    ['a bearer token', async () => ({ authorization: 'Bearer x' })],
    ['no colon', async () => ({ authorization: `Basic ${Buffer.from('x').toString('base64')}` })],
    ['an unknown id', async () => ({ authorization: basic({ id: randomUUID(), key: newKey() }) })],
    ['an id that is no UUID', async () => ({ authorization: basic({ id: "' or 1=1", key: newKey() }) })],
    ['a wrong key', async () => ({ authorization: basic({ ...server, key: newKey() }) })],
    ['an empty key', async () => ({ authorization: basic({ ...server, key: '' }) })],
    ['a deactivated server', async () => {
      const one = await billing.server();
      await billing.remote('server/deactivate', { as: one, form: {} });
      return { authorization: basic(one) };
    }],
  ])('of %s is challenged', async (_name, headers) => {
    const answer = await status(await headers());
    expect(errorOf(answer)).toEqual([401, 'error', 'UNAUTHORIZED']);
    expect(answer.headers.get('www-authenticate')).toBe('Basic realm="vestibule"');
  });

  test('says the same to an unknown id, a wrong key and a deactivated server', async () => {
    const gone = await billing.server();
    await billing.remote('server/deactivate', { as: gone, form: {} });
    const answers = await Promise.all([{ id: randomUUID(), key: newKey() }, { ...server, key: newKey() }, gone].map((one) => status({ authorization: basic(one) })));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  });

  test('costs an unknown id, one that is none, a wrong key and a deactivated server the same statements', async () => {
    const gone = await billing.server();
    await billing.remote('server/deactivate', { as: gone, form: {} });
    const made: (readonly string[])[] = [];
    for (const one of [{ id: randomUUID(), key: newKey() }, { id: 'none', key: newKey() }, { ...server, key: newKey() }, gone]) {
      made.push(billingStatements(await statementsDuring(() => status({ authorization: basic(one) }))));
    }
    expect(made[0]?.length).toBeGreaterThanOrEqual(3);
    expect(made).toEqual(made.map(() => made[0]));
  });

  test('with an @ in the name is a bad request', async () => {
    expect(errorOf(await status({ authorization: basic({ id: 'ada@example.org', key: 'x' }) }))).toEqual([400, 'error', 'BAD_REQUEST']);
  });

  test('with wrong keys is limited per client; then not even the right one is looked at, and others are not affected', async () => {
    const from = randomAddress();
    const wrong = () => status({ authorization: basic({ ...server, key: newKey() }) }, from);
    const statuses = [];
    for (let count = 0; count < 21; count += 1) statuses.push((await wrong()).status);
    expect(statuses).toEqual([...Array.from({ length: 20 }, () => 401), 429]);
    const right = await billing.remote('server/analytics/status', { as: server, from });
    expect([right.status, right.body['code']]).toEqual([429, 'RATE_LIMIT_HIT']);
    expect((await asFirst('server/analytics/status')).status).toBe(200);
  });

  test('notes when a server last called', async () => {
    billing.clock.pass(100);
    await asFirst('server/analytics/status');
    const row = await billing.db.selectFrom('bridge.remote_server').select('last_request_at').where('id', '=', server.id).executeTakeFirst();
    expect(row?.last_request_at).toEqual(billing.clock.now());
  });

  test("believes a client's address of a proxy with a token of its own, and not with a bad one", async () => {
    const answer = await status({ authorization: basic(server), 'vestibule-proxy-authorization': 'Bearer a.b.c' });
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    const token = await billing.realm.serviceToken('vestibule-proxy', 'billing-pages');
    expect((await status({ authorization: basic(server), 'vestibule-proxy-authorization': `Bearer ${token}` })).status).toBe(200);
  });
});

describe('a thousand calls a minute', () => {
  test('of one server, and the other is not affected', async () => {
    const [one, other] = [await billing.server(), await billing.server()];
    const answers: number[] = [];
    for (let batch = 0; batch < 21; batch += 1) {
      const send = batch === 0 ? () => register(one) : () => billing.remote('server/analytics/status', { as: one });
      answers.push(...(await Promise.all(Array.from({ length: 50 }, send))).map(({ status }) => status));
    }
    expect([answers.filter((status) => status === 200).length, answers.filter((status) => status === 429).length]).toEqual([1000, 50]);
    // With the right key it is a call like the others; a wrong one hears nothing of the limit.
    const refused = await register(one);
    expect([...errorOf(refused), refused.body['msg']]).toEqual([429, 'error', 'RATE_LIMIT_HIT', expect.stringMatching(/^Try again in (1 minute|\d+ seconds?|a moment)\.$/)]);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect(errorOf(await register({ ...one, key: newKey() }))).toEqual([401, 'error', 'UNAUTHORIZED']);
    expect([(await billing.remote('server/analytics/status', { as: other })).status, (await register(other)).status]).toEqual([200, 200]);
  });
});

describe('analytics', () => {
  test('registers realms, takes changes over, marks absent ones and restores them', async () => {
    const { server: own, realm: first } = await billing.place();
    const second = newRealm();
    const told = await billing.report(own, [first, second]);
    expect(told.body).toEqual({
      result: 'success',
      msg: '',
      realms: Object.fromEntries([first, second].map(({ uuid }) => [uuid, { can_push: true, expected_end_timestamp: null }])),
    });
    await billing.report(own, [{ ...second, name: 'Difference Society', deactivated: true }]);
    expect(await rowOf(first)).toMatchObject({ locally_deleted_at: billing.clock.now() });
    expect(await rowOf(second)).toMatchObject({ name: 'Difference Society', deactivated: true });
    await billing.report(own, [first, second]);
    expect([(await rowOf(first))?.locally_deleted_at, (await rowOf(second))?.deactivated]).toEqual([null, false]);
    // In a report realms go by their ids.
    const acts = (await billing.audit({ serverId: own.id })).map(({ act }) => act);
    expect(acts.slice(0, 5)).toEqual(['server_registered', 'realm_registered', 'realm_registered', 'realm_changed', 'realm_locally_deleted']);
    expect(acts.slice(5).toSorted()).toEqual(['realm_changed', 'realm_restored']);
  });

  test('without realms leaves them as they are', async () => {
    const { server: own, realm: first } = await billing.place();
    await billing.remote('server/analytics', { as: own, form: { realm_counts: '[]', installation_counts: '[]', realmauditlog_rows: 'null', realms: 'null', version: 'null' } });
    expect((await rowOf(first))?.locally_deleted_at).toBe(null);
  });

  // SECURITY 18
  test.each<[string, string, (own: RealmOnWire) => Promise<RealmOnWire>]>([
    ['of another server', 'another server', async () => realm],
    ['of its own, with another secret', 'owner secret', async (own) => ({ ...own, uuid_owner_secret: 'guessed' })],
  ])('with a realm %s is refused whole, told in the log, and kept', async (_name, reason, claimed) => {
    const { server: own, realm: first } = await billing.place();
    const before = await rowOf(first);
    const fresh = newRealm();
    const wanted = await claimed({ ...first, name: 'Taken' });
    const answer = await billing.report(own, [fresh, wanted]);
    expect(errorOf(answer)).toEqual([400, 'error', 'BAD_REQUEST']);
    expect([await rowOf(fresh), await rowOf(first)]).toEqual([undefined, before]);
    expect(billing.log()).toContain('a server told of a realm that is not its own');
    expect(await billing.db.selectFrom('bridge.billing_audit').selectAll().where('server_id', '=', own.id).orderBy('id', 'desc').executeTakeFirst()).toMatchObject({
      act: 'refused',
      actor_kind: 'server',
      actor_id: own.id,
      realm_id: wanted.uuid,
      details: { reason, step: 'server/analytics' },
    });
  });

  test('of one new realm by two servers at once: one has it', async () => {
    const servers = await Promise.all([billing.server(), billing.server()]);
    const realms = Array.from({ length: 5 }, () => newRealm());
    const answers = await Promise.all(servers.map((own, index) => billing.report(own, index === 0 ? realms : realms.toReversed())));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400]);
  });

  test('keeps the secret of a realm as a hash', async () => {
    expect(JSON.stringify(await rowOf(realm))).not.toContain(realm.uuid_owner_secret);
  });

  test('knows how far it has come, and the seats last reported with their date', async () => {
    const { server: own, realm: first } = await billing.place();
    const row = (id: number, humans: Record<string, number>, at: number) => ({ id, realm: first.id, event_time: at, backfilled: false, event_type: 101, extra_data: { 10: { 11: humans, 12: 3 } } });
    const later = row(9, { 100: 1, 200: 2, 400: 7, 600: 4 }, 1_795_000_100.5);
    await billing.report(own, [first], {
      realm_counts: JSON.stringify([{ id: 5, property: 'x' }]),
      installation_counts: JSON.stringify([{ id: 7 }, { id: 6 }]),
      realmauditlog_rows: JSON.stringify([later, { ...row(8, { 400: 1 }, 1_795_000_000), extra_data: JSON.stringify(row(8, { 400: 1 }, 0).extra_data) }, { id: 4, realm: first.id, event_time: 1, extra_data: null }]),
      version: '"10.0"',
    });
    expect(await rowOf(first)).toMatchObject({ seats: 10, seats_reported_at: new Date(1_795_000_100_500) });
    await billing.report(own, [first], { realmauditlog_rows: JSON.stringify([row(3, { 600: 51 }, 1_795_000_200)]) });
    expect(await rowOf(first)).toMatchObject({ seats: 11 });
    expect((await billing.remote('server/analytics/status', { as: own })).body).toEqual({ result: 'success', msg: '', last_realm_count_id: 5, last_installation_count_id: 7, last_realmauditlog_id: 9 });
  });

  test.each<[string, Record<string, string>]>([
    ['that are no JSON', { realms: '[' }],
    ['that are no list', { realms: '{}' }],
    ['with an unknown key', { realms: JSON.stringify([{ ...newRealm(), more: 1 }]) }],
    ['without a secret', { realms: JSON.stringify([{ ...newRealm(), uuid_owner_secret: undefined }]) }],
    ['with a host that is a URL', { realms: JSON.stringify([newRealm({ host: 'https://x.example.org/a' })]) }],
  ])('refuses realms %s', async (_name, form) => {
    expect(errorOf(await billing.remote('server/analytics', { as: server, form }))).toEqual([400, 'error', 'BAD_REQUEST']);
  });

  test('refuses a realm told twice', async () => {
    const one = newRealm();
    expect(errorOf(await billing.report(server, [realm, one, one]))).toEqual([400, 'error', 'BAD_REQUEST']);
  });
});

describe('billing', () => {
  test('answers with an address of the proxy that says nothing of whom it is for', async () => {
    const person = newPerson();
    const answer = await billing.billing(server, realm, person, { next_page: 'plans' });
    expect(answer.status).toBe(200);
    const url = String(answer.body['billing_access_url']);
    expect(url).toMatch(/^http:\/\/billing\.test\/remote-billing-login\/[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(Buffer.from(url.split('/').at(-1)!.replaceAll('.', ''), 'base64url').toString('latin1')).not.toContain(person.email);
    expect(billing.log()).not.toContain(url.split('/').at(-1));
  });

  test.each([
    bad('no user', { user: undefined }),
    bad('a user that is no JSON', { user: 'ada' }),
    bad('a user without a name', { user: JSON.stringify({ ...newPerson(), full_name: undefined }) }),
    bad('a user whose UUID is none', { user: JSON.stringify(newPerson({ uuid: '1' })) }),
    bad('no realm', { realm: undefined }),
    bad('a realm with an unknown key', { realm: JSON.stringify({ ...newRealm(), admin: true }) }),
    bad('a scheme that is none', { uri_scheme: 'ftp://' }),
    bad('a page that is none', { next_page: 'https://evil.example' }),
    bad('the page of whole servers', { next_page: 'deactivate' }),
  ])('refuses %s', async (_name, change) => {
    const form = Object.fromEntries(Object.entries({ user: JSON.stringify(newPerson()), realm: JSON.stringify(realm), ...change }).filter((entry): entry is [string, string] => entry[1] !== undefined));
    expect(errorOf(await billing.remote('server/billing', { as: server, form }))).toEqual([400, 'error', 'BAD_REQUEST']);
  });

  test('does not know a realm that was never told of; told of, it does', async () => {
    const own = await billing.server();
    const fresh = newRealm();
    expect(errorOf(await billing.billing(own, fresh))).toEqual([403, 'error', 'MISSING_REMOTE_REALM']);
    await billing.report(own, [fresh]);
    expect((await billing.billing(own, fresh)).status).toBe(200);
  });

  test('does not know a realm that the server deleted, until it tells of it again', async () => {
    const { server: own, realm: first } = await billing.place();
    await billing.report(own, [newRealm()]);
    expect(errorOf(await billing.billing(own, first))).toEqual([403, 'error', 'MISSING_REMOTE_REALM']);
  });

  // SECURITY 18
  test('refuses the realm of another server and a wrong secret alike, with a warning', async () => {
    const { server: other } = await billing.place();
    const answers = [await billing.billing(other, realm), await billing.billing(server, { ...realm, uuid_owner_secret: 'guessed' })];
    expect(answers.map(errorOf)).toEqual(answers.map(() => [403, 'error', 'REMOTE_REALM_SERVER_MISMATCH_ERROR']));
    expect(answers[0]!.body).toEqual(answers[1]!.body);
    expect(billing.log().match(/a server asked for a realm that is not its own/g)).toHaveLength(2);
    expect((await billing.audit({ serverId: other.id })).at(-1)).toMatchObject({ act: 'refused', actor_kind: 'server', actor_id: other.id, details: { reason: 'another server' } });
  });

  test.each<[string, (own: Server, first: RealmOnWire) => Promise<RealmOnWire>]>([
    ['deactivated there', async (own, first) => (await billing.report(own, [{ ...first, deactivated: true }]), first)],
    ['said to be deactivated', async (_own, first) => ({ ...first, deactivated: true })],
    ['deactivated here', async (_own, first) => {
      await billing.db.updateTable('bridge.remote_realm').set({ registration_deactivated_at: new Date() }).where('id', '=', first.uuid).execute();
      return first;
    }],
  ])('refuses a realm %s', async (_name, change) => {
    const { server: own, realm: first } = await billing.place();
    expect(errorOf(await billing.billing(own, await change(own, first)))).toEqual([403, 'error', 'REALM_DEACTIVATED']);
  });
});

describe('deactivate', () => {
  test.each(['basic', 'business'] as const)('is refused while the %s plan runs, of the server or of a realm', async (plan) => {
    const { server: own, realm: first } = await billing.place();
    const begin = (of: AccountOf) =>
      billing.db.transaction().execute(async (trx) => insertPlan(trx, { accountId: (await lockAccount(trx, of)).id, type: plan, months: 1, seats: 30, unitPrice: 350, currency: 'EUR', taxBasisPoints: 2_000, agreedAt: billing.clock.now() }, 'active'));
    const ofRealm = await begin({ realmId: first.uuid });
    expect(errorOf(await billing.remote('server/deactivate', { as: own, form: {} }))).toEqual([400, 'error', 'BAD_REQUEST']);
    expect((await billing.audit({ serverId: own.id })).at(-1)).toMatchObject({ act: 'refused', actor_kind: 'server', actor_id: own.id, details: { reason: 'paid_plan_runs' } });
    await billing.db.transaction().execute((trx) => endPlan(trx, ofRealm, billing.clock.now()));
    await begin({ serverId: own.id });
    expect(errorOf(await billing.remote('server/deactivate', { as: own, form: {} }))).toEqual([400, 'error', 'BAD_REQUEST']);
  });

  test('ends the registration and frees the hostname', async () => {
    const own = await billing.server();
    expect((await billing.remote('server/deactivate', { as: own, form: {} })).body).toEqual({ result: 'success', msg: '' });
    expect((await register(newServer({ hostname: own.hostname }))).status).toBe(200);
  });
});

describe('/api/v1/remotes/', () => {
  test.each<[string, string, number]>([
    ['POST', 'server/analytics/status', 405],
    ['POST', 'push/notify', 404],
  ])('%s %s answers %i in the same shape', async (method, path, status) => {
    expect(errorOf(await billing.remote(path, { method }))).toEqual([status, 'error', 'BAD_REQUEST']);
  });
});
