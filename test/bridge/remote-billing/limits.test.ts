import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { eventually } from '../support/bridge.ts';
import { statementsDuring } from '../support/statements.ts';
import { billingStatements, newKey, newPerson, newRealm, openBilling, randomAddress, type Server, type TestBilling } from './support/billing.ts';

const DAY = 86_400;

let billing: TestBilling;
beforeAll(async () => {
  billing = await openBilling();
});
afterAll(() => billing.close());

const mail = async (token: string, { from = randomAddress(), email = newPerson().email } = {}) => billing.pages('login/mail', { token, email }, from);
const statuses = async (count: number, send: () => Promise<{ status: number }>) => {
  const all: number[] = [];
  for (let sent = 0; sent < count; sent += 1) all.push((await send()).status);
  return all;
};
const times = (count: number, status: number) => Array.from({ length: count }, () => status);
const countOf = async (table: 'bridge.billing_login_request' | 'bridge.billing_mail') => (await billing.db.selectFrom(table).select((eb) => eb.fn.countAll<string>().as('n')).executeTakeFirstOrThrow()).n;
const rows = () => Promise.all([countOf('bridge.billing_login_request'), countOf('bridge.billing_mail')]);
const open = (server: Pick<Server, 'id' | 'key'>, from = randomAddress()) => billing.pages('server-login/open', { zulip_org_id: server.id, zulip_org_key: server.key }, from);
const wrong = (server: Server) => ({ id: server.id, key: newKey() });
const token = async () => {
  const { server, realm } = await billing.place();
  return billing.access(server, realm);
};

describe('mails', () => {
  test('are 5 a day per client; a refusal names the wait, writes nothing and counts against no server', async () => {
    const from = randomAddress();
    const { server, realm } = await billing.place();
    const mine = await billing.access(server, realm);
    expect(await statuses(5, () => mail(mine, { from }))).toEqual(times(5, 200));
    billing.clock.pass(3_000);
    const before = await rows();
    const refused = await mail(mine, { from });
    expect([refused.status, refused.body['code'], refused.body['detail'], refused.headers.get('retry-after')]).toEqual([429, 'rate_limited', 'Try again in 23 hours and 10 minutes.', String(DAY - 3_000)]);
    expect(await statuses(10, () => mail(mine, { from }))).toEqual(times(10, 429));
    expect(await rows()).toEqual(before);
    // Five are left to the server.
    expect(await statuses(6, () => mail(mine))).toEqual([...times(5, 200), 429]);
    billing.clock.pass(DAY - 3_000);
    expect(await statuses(1, () => mail(mine, { from }))).toEqual([200]);
  });

  test('are 10 a day per server, with its realms and both variants; the other server is not affected', async () => {
    const { server, realm } = await billing.place();
    const second = newRealm();
    await billing.report(server, [realm, second]);
    const whole = String((await billing.pages('server-login/open', { zulip_org_id: server.id, zulip_org_key: server.key })).body['token']);
    const tokens = [await billing.access(server, realm), await billing.access(server, second), whole];
    const sent = [];
    for (let count = 0; count < 11; count += 1) sent.push((await mail(tokens[count % 3]!)).status);
    expect(sent).toEqual([...times(10, 200), 429]);
    expect((await mail(await token())).status).toBe(200);
  });

  test('are 10 a day per mailbox, whoever asks and however it is spelled (SECURITY 18)', async () => {
    const tag = randomUUID();
    const sent = [];
    for (let count = 0; count < 11; count += 1) sent.push((await mail(await token(), { email: `ada.${tag}+${count}@example.org` })).status);
    expect(sent).toEqual([...times(10, 200), 429]);
  });

  test('asked for fifty times at once are exactly as many', async () => {
    const mine = await token();
    const from = randomAddress();
    const asked: Promise<{ status: number }>[] = [];
    // Held here, ten of them are under way before the first is written.
    await billing.db.transaction().execute(async (trx) => {
      await sql`lock table bridge.billing_mail in access exclusive mode`.execute(trx);
      asked.push(...Array.from({ length: 50 }, () => mail(mine, { from })));
      await eventually(async () => {
        const { rows } = await sql<{ waiting: string }>`select count(*) as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(billing.db);
        return Number(rows[0]?.waiting) >= 10;
      });
    });
    const answers = await Promise.all(asked);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(45);
  });

  test('count IPv6 by /64', async () => {
    const mine = await token();
    let last = 0;
    expect(await statuses(6, () => mail(mine, { from: `2001:db8:77:1::${(last += 1)}` }))).toEqual([...times(5, 200), 429]);
  });
});

test('invoices to who does not sign in here are 10 a day per mailbox, of all accounts and however it is spelled; the pages have them all', async () => {
  const books = newPerson().email;
  const spelled = books.replace('@', '+b@');
  const ada = newPerson();
  const account = async () => {
    const { server, realm } = await billing.place();
    const session_id = String((await billing.signIn(server, realm, ada)).body['session_id']);
    const act = async (path: string, body: object) => (await billing.pages(path, { session_id, ...body })).body;
    await act('account/save', { invoice_recipients: [books, spelled, ada.email] });
    await act('plan/agree', { type: 'basic', period: 'month', seats: 10, when: 'now', total: 4_200 });
    return act;
  };
  const mailed = async () => {
    await billing.settled();
    const invoices = billing.inbox.messages().filter(({ subject }) => subject.startsWith('Invoice'));
    return [invoices.filter(({ to }) => to.includes(books) || to.includes(spelled)).length, invoices.filter(({ to }) => to.includes(ada.email)).length];
  };
  billing.inbox.clear();
  const moreSeats = async (act: Awaited<ReturnType<typeof account>>, seats: number) => act('plan/seats', { seats, total: (await act('plan/seats/quote', { seats }))['total'] });
  const [first, second] = [await account(), await account()];
  for (const seats of [11, 12, 13, 14]) expect(await moreSeats(seats % 2 === 0 ? first : second, seats)).toMatchObject({ result: 'begun' });
  expect(await mailed()).toEqual([10, 6]);
  expect((await first('account/read', {}))['invoices']).toHaveLength(3);
  billing.clock.pass(DAY);
  await moreSeats(first, 15);
  expect(await mailed()).toEqual([12, 7]);
});

// SECURITY 18
describe('a key typed by hand', () => {
  test('that is wrong, of an unknown id or of a deactivated server gets one answer, at one price', async () => {
    const [known, gone] = [await billing.server(), await billing.server()];
    await billing.remote('server/deactivate', { as: gone, form: {} });
    const ways = [wrong(known), { id: randomUUID(), key: newKey() }, { id: 'none', key: newKey() }, gone];
    const answers = await Promise.all(ways.map((one) => open(one)));
    expect(answers.map(({ body }) => body)).toEqual(answers.map(() => ({ result: 'refused', reason: 'credentials', support_url: 'mailto:support@example.com' })));
    const made: (readonly string[])[] = [];
    for (const one of ways) made.push(billingStatements(await statementsDuring(() => open(one))));
    expect(made[0]?.length).toBeGreaterThanOrEqual(4);
    expect(made).toEqual(made.map(() => made[0]));
  });

  test('may be wrong 10 times an hour per id, then not even the right one is looked at', async () => {
    const server = await billing.server();
    expect(await statuses(11, () => open(wrong(server)))).toEqual([...times(10, 200), 429]);
    expect((await open(server)).status).toBe(429);
    expect((await open(await billing.server())).body['result']).toBe('email_form');
  });

  test('may be wrong 20 times in ten minutes per client, of many ids and at once', async () => {
    const from = randomAddress();
    const answers = await Promise.all(Array.from({ length: 50 }, () => open({ id: randomUUID(), key: newKey() }, from)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(20);
  });

  test('that is right counts for nothing', async () => {
    const server = await billing.server();
    const from = randomAddress();
    expect(await statuses(25, () => open(server, from))).toEqual(times(25, 200));
  });
});
