import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { eventually } from '../support/bridge.ts';
import { addJob } from '../../../bridge/db/job.ts';
import { newAttempt, newPerson, newRealm, openBilling, TERMS, type PersonOnWire, type RealmOnWire, type Server, type TestBilling } from './support/billing.ts';

const BASIC = { type: 'basic', period: 'month', seats: 10, when: 'now' };

let billing: TestBilling;
let server: Server;
let realm: RealmOnWire;
let ada: PersonOnWire;
let session: string;
beforeAll(async () => {
  billing = await openBilling();
});
beforeEach(async () => {
  ({ server, realm } = await billing.place());
  ada = newPerson();
  session = await signIn(ada);
});
afterAll(() => billing.close());

async function signIn(person = newPerson()): Promise<string> {
  return String((await billing.signIn(server, realm, person)).body['session_id']);
}

/** Somebody who is known already. */
const signInAgain = (token: string) => billing.pages('login/complete', { token, attempt: newAttempt() });

/** Begins these while the rows that `held` takes are locked, and lets go when `count` of them wait. */
async function heldUp<Done>(held: ReturnType<typeof sql>, count: number, begin: () => readonly Promise<Done>[]): Promise<readonly Done[]> {
  const begun: Promise<Done>[] = [];
  await billing.db.transaction().execute(async (trx) => {
    await held.execute(trx);
    begun.push(...begin());
    await waiting(count);
  });
  return Promise.all(begun);
}

const waiting = (count: number) =>
  eventually(async () => {
    const { rows } = await sql<{ waiting: string }>`select count(*) as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(billing.db);
    return Number(rows[0]?.waiting) >= count;
  });

async function signInToServer(next_page?: string): Promise<Record<string, unknown>> {
  const { email } = newPerson();
  const { body } = await billing.pages('server-login/open', { zulip_org_id: server.id, zulip_org_key: server.key, ...(next_page ? { next_page } : {}) });
  await billing.pages('login/mail', { token: body['token'], email });
  const proven = await billing.pages('login/confirmation', { key: await billing.keyTo(email) });
  return (await billing.pages('login/complete', { token: proven.body['token'], attempt: newAttempt(), accepted_terms: TERMS })).body;
}

const call = async (path: string, more: object = {}, by = session) => (await billing.pages(path, { session_id: by, ...more })).body;
const read = (by = session) => call('account/read', {}, by);

const planTypes = async () => {
  const rows = await billing.db.selectFrom('bridge.remote_server as s').innerJoin('bridge.remote_realm as r', 'r.server_id', 's.id').select(['s.plan_type as server', 'r.plan_type as realm']).where('r.id', '=', realm.uuid).execute();
  return rows[0];
};

describe('an account', () => {
  test('is free at first, with what is offered and the seats that the server counted', async () => {
    await billing.report(server, [realm], { realmauditlog_rows: JSON.stringify([{ id: 1, realm: realm.id, event_time: 1_795_000_000, extra_data: { 10: { 11: { 400: 12 } } } }]) });
    expect(await read()).toMatchObject({
      result: 'account',
      plan: null,
      scheduled: null,
      seats_reported: { seats: 12, at: 1_795_000_000 },
      details: { legal_name: '', invoice_recipients: [] },
      ledger: [],
      invoices: [],
      sponsorship: null,
      currency: 'EUR',
      tax_percent: 20,
      offers: [{ type: 'basic', month: 350, year: 4_200, minimum_seats: 5 }, { type: 'business' }],
    });
  });

  test('is upgraded for the total that was shown, and shows plan, ledger and invoice', async () => {
    const quote = await call('plan/quote', BASIC);
    expect(quote).toMatchObject({ result: 'quote', net: 3_500, tax: 700, total: 4_200, credit: { total: 0 } });
    const { invoice_number } = await call('plan/agree', { ...BASIC, total: quote['total'] });
    expect(await read()).toMatchObject({
      plan: { type: 'basic', name: 'Basic', seats: 10, unit_price: 350, period: 'month', renews: true },
      ledger: [{ kind: 'period', seats: 10, total: 4_200, invoice_number }],
      invoices: [{ number: invoice_number, total: 4_200 }],
    });
    expect(await call('plan/renewal', { renews: false })).toEqual({ result: 'done' });
    const more = await call('plan/seats/quote', { seats: 12 });
    expect(more).toMatchObject({ result: 'quote', net: 700, tax: 140, total: 840, seats: 12, now: 10 });
    expect(await call('plan/seats', { seats: 12, total: 839 })).toEqual({ result: 'changed' });
    expect(await call('plan/seats', { seats: 12, total: more['total'] })).toMatchObject({ result: 'begun' });
    expect(await read()).toMatchObject({ plan: { renews: false, seats: 12 } });
    expect(await call('plan/unschedule')).toEqual({ result: 'changed' });
  });

  test('is upgraded once when twenty agree at once', async () => {
    await call('account/save', { legal_name: 'Analytical Society' });
    // Held here, several have looked before the first is written.
    const agreed = await heldUp(sql`lock table bridge.billing_counter in exclusive mode`, 10, () => Array.from({ length: 20 }, () => call('plan/agree', { ...BASIC, total: 4_200 })));
    const results = agreed.map(({ result }) => result);
    expect([results.filter((one) => one === 'begun').length, results.filter((one) => one === 'changed').length]).toEqual([1, 19]);
    expect((await read())['invoices']).toHaveLength(1);
  });

  test.each<[string, () => Promise<unknown>]>([
    ['the person', () => billing.db.updateTable('bridge.billing_user').set({ state: 'deactivated' }).where('realm_id', '=', realm.uuid).execute()],
    ['the realm', () => billing.db.updateTable('bridge.remote_realm').set({ registration_deactivated_at: new Date() }).where('id', '=', realm.uuid).execute()],
    ['the session', () => billing.db.updateTable('bridge.billing_session').set({ ended_at: new Date() }).where('id', '=', session).execute()],
  ])('is not upgraded by who had to wait while %s was shut out', async (_name, shutOut) => {
    const agreed: Promise<unknown>[] = [];
    await billing.db.transaction().execute(async (trx) => {
      await sql`select id from bridge.remote_server where id = ${server.id} for no key update`.execute(trx);
      agreed.push(call('plan/agree', { ...BASIC, total: 4_200 }));
      await waiting(1);
      await shutOut();
    });
    expect(await Promise.all(agreed)).toEqual([{ result: 'changed' }]);
    expect(await planTypes()).toEqual({ server: 'free', realm: 'free' });
  });

  test('keeps on an invoice what its details were then, and mails it to whom they name', async () => {
    const details = { legal_name: 'Analytical Society Ltd', postal_address: '1 Engine Row\nLondon', vat_id: 'GB123', purchase_order: 'PO 7', invoice_recipients: ['Books@Example.org', 'books@example.org'] };
    expect(await call('account/save', details)).toEqual({ result: 'done' });
    expect(await read()).toMatchObject({ details: { ...details, invoice_recipients: ['books@example.org'] } });
    const { invoice_number: number } = await call('plan/agree', { ...BASIC, total: 4_200 });
    await call('account/save', { legal_name: 'Other' });
    expect(await call('invoice/read', { number })).toMatchObject({ result: 'invoice', number, buyer: { legal_name: 'Analytical Society Ltd', vat_id: 'GB123', purchase_order: 'PO 7' }, lines: [{ plan: 'basic', seats: 10, total: 4_200 }], tax_percent: 20 });
    await billing.settled();
    expect(billing.inbox.messages().filter(({ subject }) => subject.startsWith(`Invoice ${String(number)}:`)).map(({ to }) => to)).toEqual(['books@example.org']);
  });

  test('refuses a recipient that is no address, by its field', async () => {
    const answer = await billing.pages('account/save', { session_id: session, invoice_recipients: ['a@example.org', 'b'] });
    expect([answer.status, answer.body['field']]).toEqual([400, 'invoice_recipients.1']);
  });

  test("shows nobody else's invoice", async () => {
    const { invoice_number: number } = await call('plan/agree', { ...BASIC, total: 4_200 });
    ({ server, realm } = await billing.place());
    expect(await call('invoice/read', { number }, await signIn())).toEqual({ result: 'unknown' });
  });

  test('is the same for two people of one realm', async () => {
    await call('plan/agree', { ...BASIC, total: 4_200 });
    expect(await read(await signIn())).toMatchObject({ plan: { type: 'basic' } });
  });

  test('asks for sponsorship once at a time', async () => {
    const wish = { organization_type: 'Open source', website: 'https://example.org', description: 'We count.\nA lot.', expected_users: '100', requested_plan: 'community' };
    const answers = await Promise.all(Array.from({ length: 10 }, () => call('sponsorship/ask', wish)));
    expect(answers.filter(({ result }) => result === 'asked')).toHaveLength(1);
    expect(await read()).toMatchObject({ sponsorship: { state: 'pending', requested_plan: 'community' } });
  });

  test.each<[string, object]>([
    ['account/read', {}],
    ['account/save', {}],
    ['plan/quote', BASIC],
    ['plan/agree', { ...BASIC, total: 4_200 }],
    ['plan/seats/quote', { seats: 10 }],
    ['plan/seats', { seats: 10, total: 0 }],
    ['plan/renewal', { renews: false }],
    ['plan/unschedule', {}],
    ['sponsorship/ask', { organization_type: 'x', description: 'x', expected_users: '1', requested_plan: 'community' }],
    ['invoice/read', { number: 1 }],
    ['server/deactivate', {}],
  ])('answers %s with "over" once signed out, and refuses it where it is deactivated', async (path, more) => {
    await billing.db.updateTable('bridge.remote_realm').set({ registration_deactivated_at: new Date() }).where('id', '=', realm.uuid).execute();
    expect(await call(path, more)).toMatchObject({ result: 'refused', reason: 'deactivated' });
    await billing.db.updateTable('bridge.remote_realm').set({ registration_deactivated_at: null }).where('id', '=', realm.uuid).execute();
    await call('session/end');
    expect(await call(path, more)).toEqual({ result: 'over', login_url: `https://${realm.host}/self-hosted-billing/` });
  });
});

describe("a whole server's plan", () => {
  beforeEach(async () => {
    session = String((await signInToServer())['session_id']);
    await call('plan/agree', { ...BASIC, total: 4_200 });
  });

  test('moves to its only active realm at login, with its ledger; fifty logins at once move it once', async () => {
    await billing.report(server, [realm, newRealm({ is_system_bot_realm: true }), newRealm({ deactivated: true })]);
    const tokens = await Promise.all(Array.from({ length: 50 }, () => billing.access(server, realm, ada)));
    // Held here, as many as there are connections are on their way in before the first has moved anything.
    const answers = await heldUp(sql`lock table bridge.billing_account in exclusive mode`, 9, () => tokens.map(signInAgain));
    // Everybody is in, and lands where the plan is now.
    expect(answers.map(({ status, body }) => [status, body['result'], body['next_page']])).toEqual(answers.map(() => [200, 'signed_in', 'billing']));
    const moved = String(answers[0]?.body['session_id']);
    expect(await read(moved)).toMatchObject({ plan: { type: 'basic', seats: 10 }, ledger: [{ total: 4_200 }], invoices: [{ total: 4_200 }] });
    expect(await planTypes()).toEqual({ server: 'free', realm: 'basic' });
    expect((await billing.audit({ serverId: server.id })).filter(({ act }) => act === 'plan_moved')).toHaveLength(1);
    expect(await read()).toMatchObject({ plan: null });
  });

  test('ends by the sweep while somebody signs in to the realm: neither is in the way of the other', async () => {
    await call('plan/renewal', { renews: false });
    billing.clock.pass(32 * 86_400);
    const token = await billing.access(server, realm, ada);
    const row = sql`select a.id from bridge.billing_account a where a.server_id = ${server.id} for no key update`;
    const begun: Promise<unknown>[] = [];
    await billing.db.transaction().execute(async (trx) => {
      await row.execute(trx);
      await addJob(billing.db, 'sweep_plans', {}, { key: 'sweep_plans' });
      await waiting(1);
      begun.push(signInAgain(token));
      await waiting(2);
    });
    expect(await Promise.all(begun)).toMatchObject([{ status: 200, body: { result: 'signed_in', next_page: 'plans' } }]);
    await billing.settled();
    expect(billing.log()).not.toContain('deadlock');
    expect(await planTypes()).toEqual({ server: 'free', realm: 'free' });
  });

  test('stays where there are several realms: their people are sent to support', async () => {
    await billing.report(server, [realm, newRealm()]);
    expect((await billing.signIn(server, realm)).body).toEqual({ result: 'refused', reason: 'plan_conflict', support_url: 'mailto:support@example.com' });
    expect(await planTypes()).toEqual({ server: 'basic', realm: 'free' });
  });

  test('stays while a request for sponsorship is pending', async () => {
    await call('sponsorship/ask', { organization_type: 'x', description: 'x', expected_users: '1', requested_plan: 'community' });
    expect((await billing.signIn(server, realm)).body).toMatchObject({ reason: 'plan_conflict' });
  });
});

describe("a realm's plan", () => {
  test('and one of the whole server exclude each other, also for sessions that began before either, and at once', async () => {
    const whole = String((await signInToServer())['session_id']);
    const answers = await Promise.all([call('plan/agree', { ...BASIC, total: 4_200 }), call('plan/agree', { ...BASIC, total: 4_200 }, whole)]);
    expect(answers.map(({ result }) => result).toSorted()).toEqual(['begun', 'refused']);
    expect(answers.find(({ result }) => result === 'refused')).toEqual({ result: 'refused', reason: 'plan_conflict', support_url: 'mailto:support@example.com' });
    const later = answers[0]!['result'] === 'begun' ? await call('plan/agree', { ...BASIC, total: 4_200 }, whole) : await call('plan/agree', { ...BASIC, total: 4_200 });
    expect(later).toMatchObject({ reason: 'plan_conflict' });
    expect((await billing.audit({ serverId: server.id })).at(-1)).toMatchObject({ act: 'refused', actor_kind: 'user', details: { step: 'plan/agree', reason: 'plan_conflict' } });
  });

  test('keeps the whole server out, but for its deactivation', async () => {
    await call('plan/agree', { ...BASIC, total: 4_200 });
    expect(await signInToServer()).toMatchObject({ result: 'refused', reason: 'plan_conflict' });
    expect(await signInToServer('deactivate')).toMatchObject({ result: 'signed_in', next_page: 'deactivate' });
  });
});

describe('a whole server', () => {
  test('is deactivated by its people, and not while it pays', async () => {
    const whole = String((await signInToServer())['session_id']);
    await call('plan/agree', { ...BASIC, total: 4_200 }, whole);
    const refused = await billing.pages('server/deactivate', { session_id: whole });
    expect([refused.status, refused.body['code']]).toEqual([409, 'paid_plan_runs']);
    expect((await billing.audit({ serverId: server.id })).at(-1)).toMatchObject({ act: 'refused', actor_kind: 'user', details: { step: 'server/deactivate', reason: 'paid_plan_runs' } });
    await call('plan/renewal', { renews: false }, whole);
    billing.clock.pass(40 * 86_400);
    await billing.db.updateTable('bridge.billing_plan').set({ state: 'ended' }).execute();
    await billing.db.updateTable('bridge.remote_server').set({ plan_type: 'free' }).where('id', '=', server.id).execute();
    expect(await call('server/deactivate', {}, whole)).toEqual({ result: 'deactivated' });
    expect((await billing.audit({ serverId: server.id })).at(-1)).toMatchObject({ act: 'server_deactivated', actor_kind: 'user' });
    expect((await billing.remote('server/analytics/status', { as: server })).status).toBe(401);
  });

  test('counts the seats of its active realms together, as old as the oldest report', async () => {
    const [second, bots, gone] = [newRealm(), newRealm({ is_system_bot_realm: true }), newRealm({ deactivated: true })];
    const whole = String((await signInToServer())['session_id']);
    expect((await read(whole))['seats_reported']).toBeNull();
    const counts = [[realm, 12, 1_795_000_000], [second, 30, 1_794_000_000], [bots, 3, 1_793_000_000], [gone, 7, 1_793_000_000]] as const;
    const realmauditlog_rows = JSON.stringify(counts.map(([{ id: local }, seats, event_time], index) => ({ id: index + 1, realm: local, event_time, extra_data: { 10: { 11: { 400: seats } } } })));
    await billing.report(server, [realm, second, bots, gone], { realmauditlog_rows });
    expect((await read(whole))['seats_reported']).toEqual({ seats: 42, at: 1_794_000_000 });
    expect((await read())['seats_reported']).toEqual({ seats: 12, at: 1_795_000_000 });
    const { body } = await billing.send('/api/remote-billing/support/read', { body: { kind: 'server', uuid: server.id }, headers: { authorization: `Bearer ${await billing.realm.serviceToken('vestibule-proxy', 'support')}` } });
    expect(body['server']).toMatchObject({ seats_reported: { seats: 42, at: 1_794_000_000 } });
  });

  test('is not deactivated by a realm of it', async () => {
    expect(await call('server/deactivate')).toEqual({ result: 'unknown' });
  });
});
