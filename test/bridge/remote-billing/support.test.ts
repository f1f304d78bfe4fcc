import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { eventually } from '../support/bridge.ts';
import { newPerson, newRealm, openBilling, type PersonOnWire, type RealmOnWire, type Server, type TestBilling } from './support/billing.ts';

const REASON = 'They asked by telephone.';
const BASIC = { type: 'basic', period: 'month', seats: 10, when: 'now' };
const WISH = { organization_type: 'Open source', website: 'https://example.org', description: 'We count.', expected_users: '100', requested_plan: 'community' };
const MONTH_SECONDS = 30 * 86_400;

let billing: TestBilling;
let server: Server;
let realm: RealmOnWire;
let ada: PersonOnWire;
let session: string;
let actor: string;
beforeAll(async () => {
  billing = await openBilling();
});
beforeEach(async () => {
  ({ server, realm } = await billing.place());
  ada = newPerson();
  session = await signIn();
  actor = randomUUID();
});
afterAll(() => billing.close());

async function signIn(): Promise<string> {
  return String((await billing.signIn(server, realm, ada)).body['session_id']);
}

async function support(path: string, body: object) {
  return billing.send(`/api/remote-billing/support/${path}`, { body, headers: { authorization: `Bearer ${await billing.realm.serviceToken('vestibule-proxy', 'support')}`, 'x-forwarded-for': '2001:db8::7' } });
}
const ofRealm = () => ({ kind: 'realm', uuid: realm.uuid });
const ofServer = () => ({ kind: 'server', uuid: server.id });
const act = async (path: string, body: object = {}) => support(path, { actor, reason: REASON, ...ofRealm(), ...body });
const done = async (path: string, body: object = {}) => {
  const { status, body: answer } = await act(path, body);
  expect([status, answer['result'], answer['detail']]).toEqual([200, 'done', undefined]);
  return answer['invoice_number'];
};
const refused = async (path: string, body: object = {}) => {
  const { status, body: answer } = await act(path, body);
  return [status, answer['code']];
};
const NOT_POSSIBLE = [409, 'not_possible'];
const read = async (of: object = ofRealm()) => (await support('read', of)).body;
const own = async (path: string, more: object = {}) => (await billing.pages(path, { session_id: session, ...more })).body;
const standing = async () => (await billing.pages('session/read', { session_id: session, kind: 'realm', uuid: realm.uuid })).body['result'];
const users = async () => (await read())['users'] as { id: string; email: string; state: string }[];
const inSeconds = (seconds: number) => Math.floor(billing.clock.now().getTime() / 1000) + seconds;

const hits = async (query: string) => {
  const { hits: found } = (await support('search', { query })).body as { hits: { kind: string; uuid: string; matched: string[] }[] };
  return found.map(({ kind, uuid, matched }) => [kind, uuid, ...matched]);
};
const someone = async () => billing.db.selectFrom('bridge.billing_user').select(['id', 'user_uuid']).where('realm_id', '=', realm.uuid).executeTakeFirstOrThrow();
const askForSponsorship = async () => {
  await own('sponsorship/ask', WISH);
  return ((await read())['sponsorship'] as { id: string }).id;
};
const setStanding = (of: object, active: boolean) => done('standing', { ...of, active });

/** The mails that answer a request, and whether they say that it is granted. */
const answered = async () => {
  await billing.settled();
  return billing.inbox.messages().filter(({ to, subject }) => to.includes(ada.email) && subject.startsWith('Your request')).map(({ subject, text }) => [subject, text.includes('It is granted')]);
};

/** The last act, as the audit keeps it. */
async function expectKept(name: string, of: object = {}): Promise<void> {
  const row = await billing.db.selectFrom('bridge.billing_audit').selectAll().where('server_id', '=', server.id).orderBy('id', 'desc').limit(1).executeTakeFirst();
  expect(row).toMatchObject({ act: name, actor_kind: 'staff', actor_id: actor, client_address: '2001:db8::7', ...of });
  expect(row?.details).toMatchObject({ reason: REASON });
}

describe('search', () => {
  test.each<[string, () => string | Promise<string>, () => unknown[]]>([
    ["a billing user's address", () => ada.email, () => ['realm', realm.uuid, 'billing_user', 'confirmation']],
    ['the same in capitals', () => ada.email.toUpperCase(), () => ['realm', realm.uuid, 'billing_user', 'confirmation']],
    ["part of a realm's host", () => realm.host.slice(0, 12), () => ['realm', realm.uuid, 'host']],
    ["a server's host", () => server.hostname, () => ['server', server.id, 'host']],
    ["a realm's UUID", () => realm.uuid.toUpperCase(), () => ['realm', realm.uuid, 'uuid']],
    ["a server's UUID", () => server.id, () => ['server', server.id, 'uuid']],
    ["a billing user's UUID", async () => (await someone()).id, () => ['realm', realm.uuid, 'billing_user']],
    ["a person's UUID on their server", () => ada.uuid, () => ['realm', realm.uuid, 'billing_user']],
    ['signs of SQL', () => "%' or true --", () => []],
    ['somebody unknown', () => newPerson().email, () => []],
    ['what is no address', () => '@', () => []],
  ])('finds by %s', async (_name, query, expected) => {
    const [first = [], ...others] = await hits(await query());
    expect([first.toSorted(), others]).toEqual([expected().toSorted(), []]);
  });

  test('finds by the contact address of a server and by who gets invoices', async () => {
    const contactEmail = newPerson().email;
    const other = await billing.server({ contactEmail: contactEmail.replace('ada', 'Ada') });
    expect(await hits(contactEmail)).toEqual([['server', other.id, 'contact_email']]);
    const books = newPerson().email;
    await own('account/save', { invoice_recipients: [books] });
    expect(await hits(books)).toEqual([['realm', realm.uuid, 'invoice_recipient']]);
  });

  test('says that there is more than it shows', async () => {
    const marks = Array.from({ length: 51 }, () => newRealm({ host: `${randomUUID()}.many.example.org` }));
    await billing.report(server, [realm, ...marks]);
    const { body } = await support('search', { query: 'many.example.org' });
    expect([(body['hits'] as unknown[]).length, body['more']]).toEqual([50, true]);
  });
});

describe('what is read', () => {
  test('is plan, people, invoices, requests and history of a realm', async () => {
    const { invoice_number: number } = await own('plan/agree', { ...BASIC, total: 4_200 });
    await own('sponsorship/ask', WISH);
    expect(await read()).toMatchObject({
      kind: 'realm',
      server: { uuid: server.id, host: server.hostname, host_verified: false, contact_email: 'admin@example.org', deactivated: false },
      realm: { uuid: realm.uuid, host: realm.host, plan_type: 'basic', deactivated: false, deactivated_there: false },
      plan: { type: 'basic', seats: 10 },
      invoices: [{ number, total: 4_200 }],
      ledger: [{ kind: 'period' }],
      sponsorship: { state: 'pending', description: 'We count.', requested_plan: 'community' },
      users: [{ email: ada.email, state: 'confirmed' }],
      confirmations: [],
      history: [{ act: 'sponsorship_requested' }, { act: 'plan_begun' }, ...Array.from({ length: 5 }, () => ({ act: expect.any(String) }))],
    });
    expect((await support('invoice/read', { ...ofRealm(), number })).body).toMatchObject({ result: 'invoice', number, lines: [{ plan: 'basic' }] });
    expect((await support('invoice/read', { ...ofServer(), number })).status).toBe(404);
  });

  test('says of a host that it is proven only where the challenge was for it', async () => {
    const atHome = newRealm({ host: server.hostname });
    await billing.report(server, [realm, atHome]);
    await own('sponsorship/ask', WISH);
    const said = async () => {
      const whole = (await read(ofServer())) as { server: { host_verified: boolean }; realms: { uuid: string; host_verified: boolean }[] };
      const ofOne = async (uuid: string) => ((await read({ kind: 'realm', uuid }))['realm'] as { host_verified: boolean }).host_verified;
      const listed = (uuid: string) => whole.realms.find((one) => one.uuid === uuid)?.host_verified;
      const hit = async (uuid: string) => ((await support('search', { query: uuid })).body['hits'] as { host_verified: boolean }[])[0]?.host_verified;
      const waiting = ((await support('pending', { limit: 100 })).body['requests'] as { uuid: string; host_verified: boolean }[]).find(({ uuid }) => uuid === realm.uuid)?.host_verified;
      return { server: whole.server.host_verified, own: [await ofOne(atHome.uuid), listed(atHome.uuid), await hit(atHome.uuid)], other: [await ofOne(realm.uuid), listed(realm.uuid), await hit(realm.uuid), waiting] };
    };
    expect(await said()).toEqual({ server: false, own: [false, false, false], other: [false, false, false, false] });
    await billing.db.updateTable('bridge.remote_server').set({ hostname_verified_at: new Date() }).where('id', '=', server.id).execute();
    expect(await said()).toEqual({ server: true, own: [true, true, true], other: [false, false, false, false] });
  });

  test('is of a whole server with its realms, free at first', async () => {
    expect(await read(ofServer())).toMatchObject({ kind: 'server', realm: null, realms: [{ uuid: realm.uuid }], plan: null, sponsorship: null, users: [] });
  });

  test('names open confirmations, and holds neither their link nor a key', async () => {
    const someone = newPerson();
    await billing.pages('login/mail', { token: await billing.access(server, realm, someone), email: someone.email });
    const key = await billing.keyTo(someone.email);
    const answers = JSON.stringify([await read(), await read(ofServer()), (await support('search', { query: someone.email })).body]);
    expect((await read())['confirmations']).toMatchObject([{ email: someone.email, mail: 'sent' }]);
    for (const secret of [key, server.key, realm.uuid_owner_secret, session, '/do_confirm/']) expect(answers).not.toContain(secret);
    // An opened link makes somebody pending, and stays open for its time.
    await billing.pages('login/confirmation', { key });
    expect((await users()).map(({ email, state }) => [email, state]).toSorted()).toEqual([[ada.email, 'confirmed'], [someone.email, 'pending']].toSorted());
    billing.clock.pass(25 * 3_600);
    expect((await read())['confirmations']).toEqual([]);
  });
});

describe('a plan', () => {
  test('is begun for the total of the quote, as people would', async () => {
    const { body: quote } = await support('plan/quote', { ...ofRealm(), ...BASIC });
    expect(quote).toMatchObject({ result: 'quote', total: 4_200 });
    expect(await refused('plan/change', { ...BASIC, total: 1 })).toEqual(NOT_POSSIBLE);
    const number = await done('plan/change', { ...BASIC, total: quote['total'] });
    await expectKept('plan_begun', { realm_id: realm.uuid });
    expect(await read()).toMatchObject({ plan: { type: 'basic' }, invoices: [{ number }] });
    expect((await support('plan/quote', { ...ofRealm(), ...BASIC })).status).toBe(409);
  });

  test('takes more seats with an invoice, stops and goes on', async () => {
    await own('plan/agree', { ...BASIC, total: 4_200 });
    const { body: more } = await support('plan/seats/quote', { ...ofRealm(), seats: 12 });
    expect(more).toMatchObject({ result: 'quote', total: 840, now: 10 });
    expect(await refused('plan/seats', { seats: 12, total: 841 })).toEqual(NOT_POSSIBLE);
    expect(await done('plan/seats', { seats: 12, total: 840 })).toEqual(expect.any(Number));
    await expectKept('seats_changed');
    expect(await refused('plan/seats', { seats: 1, total: 0 })).toEqual(NOT_POSSIBLE);
    expect((await support('plan/seats/quote', { ...ofRealm(), seats: 1 })).status).toBe(409);
    expect(await done('plan/renewal', { renews: false })).toBeNull();
    await expectKept('renewal_stopped');
    await done('plan/renewal', { renews: true });
    await expectKept('renewal_resumed');
  });

  test('ends at once, and gives back what is left of the period where that is said', async () => {
    await own('plan/agree', { ...BASIC, total: 4_200 });
    expect((await support('plan/end/quote', ofRealm())).body).toMatchObject({ result: 'quote', plan: 'basic', net: 3_500, tax: 700, total: 4_200 });
    expect(await refused('plan/end', { give_back: 4_199 })).toEqual(NOT_POSSIBLE);
    const number = await done('plan/end', { give_back: 4_200 });
    await expectKept('plan_ended');
    const { ledger, ...account } = await read();
    expect(account).toMatchObject({ plan: null, realm: { plan_type: 'free' }, invoices: [{ number, total: -4_200 }, { total: 4_200 }] });
    expect((ledger as { total: number }[]).reduce((sum, { total }) => sum + total, 0)).toBe(0);
    await own('plan/agree', { ...BASIC, total: 4_200 });
    expect(await done('plan/end')).toBeNull();
    expect((await read())['plan']).toBeNull();
    expect(await refused('plan/end')).toEqual(NOT_POSSIBLE);
    expect((await support('plan/end/quote', ofRealm())).status).toBe(409);
  });

  test('is ended once by twenty of the staff', async () => {
    await own('plan/agree', { ...BASIC, total: 4_200 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => act('plan/end', { give_back: 4_200 })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array.from({ length: 19 }, () => 409)]);
    expect((await read())['invoices']).toHaveLength(2);
  });

  test('of legacy has an end, at which another one is scheduled to begin', async () => {
    expect(await refused('plan/give', { type: 'legacy' })).toEqual(NOT_POSSIBLE);
    expect(await refused('plan/give', { type: 'legacy', ends_at: inSeconds(0) })).toEqual(NOT_POSSIBLE);
    expect(await refused('plan/change', { ...BASIC, when: 'at_end', total: 4_200 })).toEqual(NOT_POSSIBLE);
    const endsAt = inSeconds(MONTH_SECONDS);
    await done('plan/give', { type: 'legacy', ends_at: endsAt });
    await expectKept('plan_given', { details: { plan: 'legacy', reason: REASON, ends_at: new Date(endsAt * 1000).toISOString() } });
    await done('plan/change', { ...BASIC, when: 'at_end', total: 4_200 });
    await expectKept('plan_scheduled');
    expect(await read()).toMatchObject({ plan: { type: 'legacy', period_ends_at: endsAt }, scheduled: { type: 'basic', seats: 10 }, realm: { plan_type: 'legacy' } });
    expect(await refused('plan/give', { type: 'community' })).toEqual(NOT_POSSIBLE);
    await done('plan/unschedule');
    await expectKept('schedule_dropped');
    expect(await refused('plan/unschedule')).toEqual(NOT_POSSIBLE);
    await done('plan/give', { type: 'community' });
    expect(await read()).toMatchObject({ plan: { type: 'community', period_ends_at: null }, scheduled: null });
    expect((await support('plan/end/quote', ofRealm())).body).toMatchObject({ plan: 'community', total: 0 });
    expect(await refused('plan/end', { give_back: 0 })).toEqual(NOT_POSSIBLE);
  });

  test('is not given to a realm while its whole server gets one, at once', async () => {
    const answers = await Promise.all([act('plan/give', { type: 'community' }), act('plan/change', { ...BASIC, ...ofServer(), total: 4_200 }), act('plan/give', { type: 'community' }), act('plan/give', { type: 'community', ...ofServer() })]);
    const plans = await billing.db.selectFrom('bridge.remote_server as s').innerJoin('bridge.remote_realm as r', 'r.server_id', 's.id').select(['s.plan_type as server', 'r.plan_type as realm']).where('s.id', '=', server.id).executeTakeFirstOrThrow();
    expect(answers.map(({ status }) => status).every((status) => status === 200 || status === 409)).toBe(true);
    expect([plans.server, plans.realm].filter((type) => type === 'free')).toHaveLength(1);
  });

  test('is not given beside a paid one, nor to a realm beside that of its server', async () => {
    await own('plan/agree', { ...BASIC, total: 4_200 });
    expect(await refused('plan/give', { type: 'community' })).toEqual(NOT_POSSIBLE);
    expect(await refused('plan/give', { type: 'community', ...ofServer() })).toEqual(NOT_POSSIBLE);
    expect(await refused('plan/change', { ...BASIC, ...ofServer(), total: 4_200 })).toEqual(NOT_POSSIBLE);
    await done('plan/end');
    await done('plan/give', { type: 'community', ...ofServer() });
    await expectKept('plan_given', { realm_id: null });
    expect(await refused('plan/give', { type: 'community' })).toEqual(NOT_POSSIBLE);
    expect(await refused('plan/change', { ...BASIC, total: 4_200 })).toEqual(NOT_POSSIBLE);
  });
});

describe('a request for sponsorship', () => {
  test('waits in a list, until it is decided', async () => {
    const waiting = async () => ((await support('pending', { limit: 100 })).body['requests'] as { uuid: string }[]).filter(({ uuid }) => uuid === realm.uuid);
    expect(await waiting()).toEqual([]);
    const sponsorship_id = await askForSponsorship();
    expect(await waiting()).toMatchObject([{ kind: 'realm', host: realm.host, name: realm.name, requested_plan: 'community' }]);
    await done('sponsorship/decide', { sponsorship_id, decision: 'decline' });
    expect(await waiting()).toEqual([]);
  });

  test('is approved once, which gives the community plan', async () => {
    const sponsorship_id = await askForSponsorship();
    const answers = await Promise.all(Array.from({ length: 10 }, () => act('sponsorship/decide', { sponsorship_id, decision: 'approve' })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array.from({ length: 9 }, () => 409)]);
    await expectKept('sponsorship_granted');
    expect(await answered()).toEqual([['Your request for sponsorship: granted', true]]);
    expect(await own('account/read')).toMatchObject({ plan: { type: 'community' }, sponsorship: { state: 'granted' } });
  });

  test('is declined, and another one may be asked for', async () => {
    const sponsorship_id = await askForSponsorship();
    await done('sponsorship/decide', { sponsorship_id, decision: 'decline' });
    await expectKept('sponsorship_declined');
    expect(await answered()).toEqual([['Your request for sponsorship', false]]);
    expect(await refused('sponsorship/decide', { sponsorship_id, decision: 'approve' })).toEqual(NOT_POSSIBLE);
    expect(await own('account/read')).toMatchObject({ plan: null, sponsorship: { state: 'declined' } });
    expect(await own('sponsorship/ask', WISH)).toEqual({ result: 'asked' });
  });

  test('stays pending where it can not be granted, and is not decided at another place', async () => {
    await own('plan/agree', { ...BASIC, total: 4_200 });
    const sponsorship_id = await askForSponsorship();
    expect(await refused('sponsorship/decide', { sponsorship_id, decision: 'approve' })).toEqual(NOT_POSSIBLE);
    expect(await refused('sponsorship/decide', { sponsorship_id, decision: 'decline', ...ofServer() })).toEqual([404, 'not_found']);
    expect(await read()).toMatchObject({ plan: { type: 'basic' }, sponsorship: { state: 'pending' } });
  });
});

describe('standing', () => {
  test.each<[string, () => object | Promise<object>, string]>([
    ['server', ofServer, 'server'],
    ['realm', ofRealm, 'realm'],
    ['user', async () => {
      await billing.signIn(server, realm, newPerson());
      return { kind: 'user', uuid: (await users()).find(({ email }) => email === ada.email)!.id };
    }, 'user'],
  ])('of a %s is taken and given back; sessions end', async (_name, find, name) => {
    const of = await find();
    expect(await refused('standing', { ...of, active: true })).toEqual(NOT_POSSIBLE);
    await setStanding(of, false);
    await expectKept(`${name}_deactivated`);
    expect(await standing()).toBe('refused');
    expect((await billing.billing(server, realm, ada)).status).toBe(name === 'server' ? 401 : 403);
    expect(await refused('standing', { ...of, active: false })).toEqual(NOT_POSSIBLE);
    await setStanding(of, true);
    await expectKept(`${name}_reactivated`);
    // What was signed in before stays out.
    expect(await standing()).toBe('over');
    expect((await billing.billing(server, realm, ada)).status).toBe(200);
  });

  test('of who pays is not taken', async () => {
    await own('plan/agree', { ...BASIC, total: 4_200 });
    for (const place of [ofRealm(), ofServer()]) expect(await refused('standing', { ...place, active: false })).toEqual([409, 'paid_plan_runs']);
  });

  test.each(['realm', 'server'] as const)('of a %s with a paid plan scheduled behind legacy is not taken', async (whose) => {
    const of = whose === 'realm' ? ofRealm() : ofServer();
    await done('plan/give', { ...of, type: 'legacy', ends_at: inSeconds(MONTH_SECONDS) });
    await done('plan/change', { ...of, ...BASIC, when: 'at_end', total: 4_200 });
    for (const place of whose === 'realm' ? [ofRealm(), ofServer()] : [ofServer()]) expect(await refused('standing', { ...place, active: false })).toEqual([409, 'paid_plan_runs']);
    await done('plan/unschedule', of);
    await setStanding(of, false);
  });

  test('of a server is not given back while another has its hostname', async () => {
    await setStanding(ofServer(), false);
    await billing.server({ hostname: server.hostname });
    expect(await refused('standing', { ...ofServer(), active: true })).toEqual([409, 'hostname_taken']);
  });

  test('of the last one who may sign in is not taken, by staff or by a colleague at the same time', async () => {
    const only = { kind: 'user', uuid: (await users())[0]!.id };
    expect(await refused('standing', { ...only, active: false })).toEqual(NOT_POSSIBLE);
    expect(await standing()).toBe('live');
    const bob = (await billing.signIn(server, realm, newPerson())).body;
    const done: Promise<unknown>[] = [];
    await billing.db.transaction().execute(async (trx) => {
      await sql`lock table bridge.billing_session in exclusive mode`.execute(trx);
      done.push(act('standing', { ...only, active: false }), billing.pages('users/deactivate', { session_id: session, user_id: (bob['user'] as { id: string }).id }));
      await eventually(async () => {
        const { rows } = await sql<{ waiting: string }>`select count(*) as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(billing.db);
        return Number(rows[0]?.waiting) === 2;
      });
    });
    await Promise.all(done);
    expect((await users()).filter(({ state }) => state === 'confirmed')).toHaveLength(1);
    // Of a whole server, too.
    await billing.db.insertInto('bridge.billing_user').values({ server_id: server.id, realm_id: null, user_uuid: null, email: 'root@example.org', full_name: '', state: 'confirmed', date_joined: new Date(), last_login: new Date(), tos_version: '1.0' }).execute();
    const [root] = (await read(ofServer()))['users'] as { id: string }[];
    expect(await refused('standing', { kind: 'user', uuid: root!.id, active: false })).toEqual(NOT_POSSIBLE);
  });

  // SECURITY.md 17
  test('given back confirms nobody who had only opened a link', async () => {
    const someone = newPerson();
    await billing.pages('login/mail', { token: await billing.access(server, realm, someone), email: someone.email });
    await billing.pages('login/confirmation', { key: await billing.keyTo(someone.email) });
    const pending = (await users()).find(({ state }) => state === 'pending')!;
    await setStanding({ kind: 'user', uuid: pending.id }, false);
    await setStanding({ kind: 'user', uuid: pending.id }, true);
    expect((await users()).find(({ id }) => id === pending.id)).toMatchObject({ state: 'pending' });
  });
});
