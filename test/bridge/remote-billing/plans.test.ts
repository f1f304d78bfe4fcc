import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { assert, asyncProperty, constantFrom, integer, oneof, record, array } from 'fast-check';
import { sql } from 'kysely';
import { saveDetails } from '../../../bridge/remote-billing/plans/account.service.ts';
import type { InvoiceLine } from '../../../bridge/db/billing-plans.schema.ts';
import { addJob } from '../../../bridge/db/job.ts';
import { lockAccount, type AccountOf } from '../../../bridge/remote-billing/plans/account.store.ts';
import { creditRest, invoice, noPayments } from '../../../bridge/remote-billing/plans/bill.service.ts';
import { loadCatalog, type Catalog } from '../../../bridge/remote-billing/catalog.ts';
import { listInvoices, listLedger } from '../../../bridge/remote-billing/plans/invoice.store.ts';
import { inCurrency, monthsAfter, sumOf } from '../../../bridge/remote-billing/plans/money.ts';
import { agreeToPlan, changeSeats, dropScheduledPlan, quotePlan, quoteSeats, setRenewal, type Acting, type PlanUsing } from '../../../bridge/remote-billing/plans/plan.service.ts';
import { findPlan, insertPlan, isPriced, updatePlan, type Running } from '../../../bridge/remote-billing/plans/plan.store.ts';
import { sweepPlans } from '../../../bridge/remote-billing/plans/sweep.service.ts';
import { endNow, giveEndQuote } from '../../../bridge/remote-billing/support/plan-acts.service.ts';
import { findPlaceOf } from '../../../bridge/remote-billing/support/read-place.service.ts';
import { newPerson, openBilling, type TestBilling } from './support/billing.ts';

const DAY = 86_400;
const MONTH = { type: 'basic', period: 'month', seats: 10 } as const;
const YEAR = { type: 'basic', period: 'year', seats: 10 } as const;

let billing: TestBilling;
let using: PlanUsing;
let of: AccountOf;
let acting: Acting;
let email: string;
beforeAll(async () => {
  billing = await openBilling();
  const hash = { address: () => Buffer.from('a'), mailbox: (address: string) => Buffer.from(address), client: () => 'c' };
  using = { clock: billing.clock, catalog: loadCatalog('billing.yaml'), payments: noPayments, hash };
});
beforeEach(async () => {
  await newCustomer();
  billing.inbox.clear();
});
afterAll(() => billing.close());

async function newCustomer(): Promise<void> {
  const { server, realm } = await billing.place();
  const person = newPerson();
  const { body } = await billing.signIn(server, realm, person);
  email = person.email;
  of = { realmId: realm.uuid };
  acting = { of, audit: { actor: { kind: 'user', id: (body['user'] as { id: string }).id }, serverId: server.id, realmId: realm.uuid, requestId: 'test' } };
}

type Wanted = { type: 'basic' | 'business'; period: 'month' | 'year'; seats: number };
const realmId = () => ('realmId' in of ? of.realmId : '');
const shutRealm = (set: object) => billing.db.updateTable('bridge.remote_realm').set(set).where('id', '=', realmId()).execute();
const account = () => billing.db.transaction().execute((trx) => lockAccount(trx, of));
const quote = async (wanted: Wanted, when: 'now' | 'at_end' = 'now', by = using) => quotePlan(billing.db, by, (await account()).id, { ...wanted, when });
const agree = async (wanted: Wanted, when: 'now' | 'at_end' = 'now', by = using) => agreeToPlan(billing.db, by, acting, { ...wanted, when, total: (await quote(wanted, when, by))?.total ?? -1 });
const toSeats = async (seats: number, bill = using) => changeSeats(billing.db, bill, acting, { seats, total: (await quoteSeats(billing.db, bill, (await account()).id, seats))?.total ?? -1 });
const active = async () => (await findPlan(billing.db, (await account()).id, 'active')) as Running;
const ledger = async () => listLedger(billing.db, (await account()).id);
const invoices = async () => (await listInvoices(billing.db, (await account()).id)).toReversed();
const planType = async () => (await billing.db.selectFrom('bridge.remote_realm').select('plan_type').where('id', '=', realmId()).executeTakeFirst())?.plan_type;
const sweep = async () => {
  await addJob(billing.db, 'sweep_plans', {}, { key: 'sweep_plans' });
  await billing.settled();
};
const withTax = (catalog: Catalog, percent: number): Catalog => ({ ...catalog, tax_percent: percent });
/** What is over is the sweep's, whoever asks. */
const refusedMeanwhile = (error: unknown): void => expect(error).toMatchObject({ code: 'not_possible' }) as undefined;
/** Of a plan that runs; of none there is nothing to end. */
const endByStaff = async (back: boolean) => {
  const place = await findPlaceOf(billing.db, { kind: 'realm', uuid: realmId() });
  const plan = await active();
  if (plan === undefined) return;
  const { credit } = await giveEndQuote(billing.db, using, place);
  await endNow(billing.db, using, place, { giveBack: back && isPriced(plan) ? 0 - credit.total : undefined }, { actor: { kind: 'staff', id: 'grace' }, reason: 'They asked.', clientAddress: '::1', requestId: 'test' });
};
const mails = async () => {
  await billing.settled();
  return billing.inbox.messages().filter(({ to }) => to.includes(email)).map(({ subject }) => subject).toReversed();
};
/** Of the mail whose subject begins so; mails of one act arrive in any order. */
const textOf = async (subject: string) => {
  await billing.settled();
  return billing.inbox.messages().find((mail) => mail.to.includes(email) && mail.subject.startsWith(subject))?.text ?? '';
};
const legacy = async (endsInDays: number) => {
  const { id } = await account();
  await billing.db.transaction().execute(async (trx) => {
    const plan = await insertPlan(trx, { accountId: id, type: 'legacy', months: null, seats: null, unitPrice: null, currency: 'EUR', taxBasisPoints: 2_000, agreedAt: billing.clock.now() }, 'active');
    await updatePlan(trx, plan, { period_ends_at: new Date(billing.clock.now().getTime() + endsInDays * DAY * 1000) });
    await trx.updateTable('bridge.remote_realm').set({ plan_type: 'legacy' }).where('id', '=', realmId()).execute();
  });
};

describe('an upgrade', () => {
  test('shows net, tax and total first, and begins with its invoice', async () => {
    expect(await quote(MONTH)).toMatchObject({ net: 3_500, tax: 700, total: 4_200, credit: { total: 0 } });
    const [before] = (await sql<{ value: string }>`select value from bridge.billing_counter`.execute(billing.db)).rows;
    expect(await agree(MONTH)).toEqual({ result: 'begun', invoiceNumber: Number(before?.value) + 1 });
    const now = billing.clock.now();
    expect(await active()).toMatchObject({ type: 'basic', seats: 10, periodStartsAt: now, periodEndsAt: monthsAfter(now, 1), renews: true });
    expect(await planType()).toBe('basic');
    expect(await invoices()).toMatchObject([{ net: 3_500, tax: 700, total: 4_200, issuedAt: now, dueAt: new Date(now.getTime() + 30 * DAY * 1000), content: { lines: [{ kind: 'period', plan: 'basic', seats: 10, unitPrice: 350, total: 4_200 }] } }]);
    expect(await mails()).toEqual(['Confirm your e-mail to sign in to billing', expect.stringMatching(/^Invoice \d+: €42\.00$/)].slice(1));
  });

  test.each<[string, Wanted, number]>([
    ['another total than was shown', MONTH, 1],
    ['fewer seats than the plan begins at', { ...MONTH, seats: 4 }, 1_680],
  ])('to %s is not made', async (_name, wanted, total) => {
    expect(await agreeToPlan(billing.db, using, acting, { ...wanted, when: 'now', total })).toEqual({ result: 'changed' });
    expect([await invoices(), await planType()]).toEqual([[], 'free']);
  });

  test('that is agreed to twenty times at once is made once', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => agreeToPlan(billing.db, using, acting, { ...MONTH, when: 'now', total: 4_200 })));
    expect(answers.filter(({ result }) => result === 'begun')).toHaveLength(1);
    expect(await invoices()).toHaveLength(1);
  });

  test('to a larger plan gives back the rest of the period, to the day', async () => {
    await agree(YEAR);
    const { periodStartsAt, periodEndsAt } = await active();
    billing.clock.pass(73 * DAY);
    const larger = { type: 'business', period: 'year', seats: 30 } as const;
    const back = Math.round((42_000 * (periodEndsAt.getTime() - billing.clock.now().getTime())) / (periodEndsAt.getTime() - periodStartsAt.getTime()));
    expect(await quote(larger)).toMatchObject({ credit: { net: back }, net: 30 * 8_004 - back });
    expect(await agree(larger)).toMatchObject({ result: 'begun' });
    expect((await ledger()).map(({ kind, net }) => [kind, net])).toEqual([['period', 42_000], ['credit', -back], ['period', 240_120]]);
    expect(await planType()).toBe('business');
  });

  test.each([{ currency: 'USD' }, { tax_percent: 21 }])('to a plan at %j, other than before, waits for the end: an invoice is in one currency with one tax', async (change) => {
    await agree(MONTH);
    const changed = { ...using, catalog: { ...using.catalog, ...change } };
    const larger = { type: 'business', period: 'year', seats: 30 } as const;
    const { id } = await account();
    expect(await quotePlan(billing.db, changed, id, { ...larger, when: 'now' })).toBeUndefined();
    const then = await quotePlan(billing.db, changed, id, { ...larger, when: 'at_end' });
    for (const total of [then!.total, then!.total - 4_200]) expect(await agreeToPlan(billing.db, changed, acting, { ...larger, when: 'now', total })).toEqual({ result: 'changed' });
    expect(await agreeToPlan(billing.db, changed, acting, { ...larger, when: 'at_end', total: then!.total })).toEqual({ result: 'scheduled' });
  });

  test('that costs less than what is left waits for the end', async () => {
    await agree({ type: 'business', period: 'year', seats: 30 });
    expect(await quote(MONTH)).toBeUndefined();
    expect(await agree(MONTH, 'at_end')).toEqual({ result: 'scheduled' });
    expect(await textOf('Your Business plan will change on ')).toMatch(/From then on it is Basic with 10 seats\.[\s\S]*Until then you can undo this/);
    billing.clock.pass(366 * DAY);
    await sweep();
    expect(await active()).toMatchObject({ type: 'basic', seats: 10 });
    expect((await invoices()).map(({ net }) => net)).toEqual([240_120, 3_500]);
  });

  test('that is scheduled is taken back before its plan can be let end: nobody is told of an end that is none', async () => {
    await agree({ type: 'business', period: 'year', seats: 30 });
    await agree(MONTH, 'at_end');
    expect(await setRenewal(billing.db, using, acting, false)).toEqual({ result: 'changed' });
    expect([await quoteSeats(billing.db, using, (await account()).id, 29), await toSeats(29)]).toEqual([undefined, { result: 'changed' }]);
    expect(await toSeats(31)).toMatchObject({ result: 'begun' });
    expect(await dropScheduledPlan(billing.db, using, acting)).toEqual({ result: 'done' });
    expect(await setRenewal(billing.db, using, acting, false)).toEqual({ result: 'done' });
    expect((await mails()).filter((subject) => subject.startsWith('Your Business plan will end'))).toHaveLength(1);
  });

  test('of a legacy organization begins when its plan ends, at that instant', async () => {
    await legacy(10);
    const endsAt = (await active()).periodEndsAt;
    expect(await agree(YEAR, 'at_end')).toEqual({ result: 'scheduled' });
    expect([await invoices(), (await active()).type]).toEqual([[], 'legacy']);
    billing.clock.pass(15 * DAY);
    await sweep();
    expect(await active()).toMatchObject({ type: 'basic', periodStartsAt: endsAt, periodEndsAt: monthsAfter(endsAt, 12) });
    expect(await invoices()).toMatchObject([{ issuedAt: endsAt, net: 42_000 }]);
    expect(await planType()).toBe('basic');
  });
});

describe('seats', () => {
  test('that are more are charged for the rest of the period', async () => {
    await agree(YEAR);
    const { periodStartsAt, periodEndsAt } = await active();
    billing.clock.pass(73 * DAY);
    const worth = (seats: number) => Math.round((seats * 4_200 * (periodEndsAt.getTime() - billing.clock.now().getTime())) / (periodEndsAt.getTime() - periodStartsAt.getTime()));
    expect(await toSeats(15)).toMatchObject({ result: 'begun' });
    expect((await ledger()).at(-1)).toMatchObject({ kind: 'seats', seats: 5, net: worth(15) - worth(10) });
    expect((await active()).seats).toBe(15);
  });

  test('that are fewer count from the next period on', async () => {
    await agree(MONTH);
    expect(await toSeats(6)).toEqual({ result: 'done' });
    expect(await textOf('Your Basic plan will change on ')).toContain('From then on it is Basic with 6 seats.');
    expect(await active()).toMatchObject({ seats: 10, nextSeats: 6 });
    billing.clock.pass(32 * DAY);
    await sweep();
    expect(await active()).toMatchObject({ seats: 6, nextSeats: null });
    expect((await invoices()).map(({ net }) => net)).toEqual([3_500, 2_100]);
  });

  test.each([4, 1_000_001])('are not %i', async (seats) => {
    await agree(MONTH);
    expect(await quoteSeats(billing.db, using, (await account()).id, seats)).toBeUndefined();
    expect(await changeSeats(billing.db, using, acting, { seats, total: 0 })).toEqual({ result: 'changed' });
  });

  test('cost what was shown, and are not changed for another total', async () => {
    await agree(MONTH);
    billing.clock.pass(10 * DAY + 1_799);
    const shown = await quoteSeats(billing.db, using, (await account()).id, 15);
    const { periodStartsAt, periodEndsAt } = await active();
    const [hours, all] = [10 * 24, (periodEndsAt.getTime() - periodStartsAt.getTime()) / 3_600_000];
    expect(shown).toMatchObject({ net: Math.round((15 * 350 * (all - hours)) / all) - Math.round((10 * 350 * (all - hours)) / all), countsFrom: billing.clock.now() });
    expect(await changeSeats(billing.db, using, acting, { seats: 15, total: shown!.total - 1 })).toEqual({ result: 'changed' });
    expect(await changeSeats(billing.db, using, acting, { seats: 6, total: 1 })).toEqual({ result: 'changed' });
    // Half an hour to read it.
    billing.clock.pass(1_800);
    expect(await changeSeats(billing.db, using, acting, { seats: 15, total: shown!.total })).toMatchObject({ result: 'begun' });
    expect((await invoices()).at(-1)).toMatchObject({ total: shown!.total });
    expect(await quoteSeats(billing.db, using, (await account()).id, 6)).toMatchObject({ total: 0, countsFrom: periodEndsAt });
  });

  test('for ten thousand at once: the price of the change holds while somebody reads it', async () => {
    await agree({ type: 'basic', period: 'year', seats: 10_000 });
    billing.clock.pass(40 * DAY);
    const larger = { type: 'business', period: 'year', seats: 10_000 } as const;
    const shown = await quote(larger);
    billing.clock.pass(30 * 60);
    expect(await agreeToPlan(billing.db, using, acting, { ...larger, when: 'now', total: shown!.total })).toMatchObject({ result: 'begun' });
  });
});

describe('the sweep', () => {
  test('renews each period at its own instant, however late and often it runs, and in many processes at once', async () => {
    await agree(MONTH);
    const begun = billing.clock.now();
    billing.clock.pass(95 * DAY);
    await Promise.all([sweep(), sweep(), sweep()]);
    await sweep();
    expect((await invoices()).map(({ issuedAt }) => issuedAt)).toEqual([0, 1, 2, 3].map((months) => monthsAfter(begun, months)));
  });

  test('ends what does not renew: a mail, undoable until then', async () => {
    await agree(MONTH);
    const { periodEndsAt } = await active();
    await setRenewal(billing.db, using, acting, false);
    await setRenewal(billing.db, using, acting, true);
    await setRenewal(billing.db, using, acting, false);
    billing.clock.pass(32 * DAY);
    await sweep();
    expect([await active(), await planType()]).toEqual([undefined, 'free']);
    expect(await invoices()).toHaveLength(1);
    expect((await mails()).filter((subject) => subject.startsWith('Your Basic plan will end'))).toHaveLength(2);
    const [ended] = await billing.db.selectFrom('bridge.billing_plan').select('ended_at').where('account_id', '=', (await account()).id).execute();
    expect(ended?.ended_at).toEqual(periodEndsAt);
  });

  describe('has not come yet to a period that is over', () => {
    const larger = { type: 'business', period: 'year', seats: 30 } as const;
    const atOnce = async (when: 'now' | 'at_end', total: number) => agreeToPlan(billing.db, using, acting, { ...larger, when, total });
    test.each<[string, () => Promise<unknown>, () => Promise<unknown>]>([
      ['another plan at once', () => agree(MONTH), () => atOnce('now', 30 * 8_004 * 1.2)],
      ['another plan at the end', () => agree(MONTH), () => atOnce('at_end', 30 * 8_004 * 1.2)],
      ['another plan at the end of legacy', () => legacy(31), () => atOnce('at_end', 30 * 8_004 * 1.2)],
      ['no renewal', () => agree(MONTH), () => setRenewal(billing.db, using, acting, false)],
      ['more seats', () => agree(MONTH), () => changeSeats(billing.db, using, acting, { seats: 20, total: 0 })],
      ['fewer seats', () => agree(MONTH), () => changeSeats(billing.db, using, acting, { seats: 5, total: 0 })],
      ['not what was scheduled', async () => (await legacy(31), agree(MONTH, 'at_end')), () => dropScheduledPlan(billing.db, using, acting)],
    ])('%s: to be looked at again, once it is dealt with', async (_what, begin, change) => {
      await begin();
      const [before, made] = [await active(), await invoices()];
      billing.clock.pass(32 * DAY);
      const { id } = await account();
      expect([await quote(larger), await quote(larger, 'at_end'), await quoteSeats(billing.db, using, id, 20), await change()]).toEqual([undefined, undefined, undefined, { result: 'changed' }]);
      const place = await findPlaceOf(billing.db, { kind: 'realm', uuid: realmId() });
      await expect(giveEndQuote(billing.db, using, place)).rejects.toThrow('has just ended');
      await expect(endNow(billing.db, using, place, { giveBack: undefined }, { actor: { kind: 'staff', id: 'grace' }, reason: 'x', clientAddress: '::1', requestId: 'test' })).rejects.toThrow('has just ended');
      expect([await active(), await invoices()]).toEqual([before, made]);
    });
  });

  describe.each<[string, () => Promise<unknown>]>([
    ['a realm that its server has deactivated', () => shutRealm({ deactivated: true })],
    ['a realm that its server has deleted', () => shutRealm({ locally_deleted_at: new Date() })],
    ['a realm that staff has deactivated', () => shutRealm({ registration_deactivated_at: new Date() })],
    ['a deactivated server', () => billing.db.updateTable('bridge.remote_server').set({ deactivated_at: new Date() }).where('id', '=', acting.audit.serverId ?? '').execute()],
  ])('of %s', (_name, shut) => {
    test.each<[string, () => Promise<unknown>, number]>([
      ['renews nothing', () => agree(MONTH), 1],
      ['begins nothing that is scheduled', async () => (await legacy(20), agree(MONTH, 'at_end')), 0],
    ])('%s: the plan ends, and people were told of it', async (_what, begin, invoiced) => {
      await begin();
      await shut();
      const { type, periodEndsAt } = await active();
      billing.clock.set(periodEndsAt.getTime() / 1000 - 13 * DAY);
      await sweep();
      expect((await mails()).filter((subject) => / ends on /.test(subject))).toHaveLength(1);
      billing.clock.pass(14 * DAY);
      await sweep();
      const { id } = await account();
      expect([await active(), await findPlan(billing.db, id, 'scheduled'), await planType(), (await invoices()).length]).toEqual([undefined, undefined, 'free', invoiced]);
      expect(await billing.db.selectFrom('bridge.billing_audit').selectAll().where('realm_id', '=', realmId()).orderBy('id', 'desc').executeTakeFirst()).toMatchObject({ act: 'plan_ended', actor_kind: 'system', details: { plan: type, reason: 'deactivated' } });
    });
  });

  test.each<[string, () => Promise<unknown>, RegExp[]]>([
    ['the renewal of a year', () => agree(YEAR), [/^Your Basic plan renews on /]],
    ['no renewal of a month', () => agree(MONTH), []],
    ['the end of a month', async () => (await agree(MONTH), setRenewal(billing.db, using, acting, false)), [/^Your Basic plan ends on /]],
    ['the end of a year', async () => (await agree(YEAR), setRenewal(billing.db, using, acting, false)), [/^Your Basic plan ends on /]],
    ['the end of a legacy plan', () => legacy(60), [/^Your legacy plan ends on /]],
    ['what comes after a legacy plan', async () => (await legacy(60), agree(MONTH, 'at_end')), [/^Your legacy plan changes on /]],
    ['what comes after a year', async () => (await agree(YEAR), agree({ ...YEAR, type: 'business', seats: 30 }, 'at_end')), [/^Your Basic plan changes on /]],
    ['what comes after a month', async () => (await agree(MONTH), agree({ ...YEAR, type: 'business', seats: 30 }, 'at_end')), [/^Your Basic plan changes on /]],
  ])('reminds of %s, once, two weeks before', async (_name, begin, expected) => {
    await begin();
    await mails();
    billing.inbox.clear();
    billing.clock.set((await active()).periodEndsAt.getTime() / 1000 - 15 * DAY);
    await sweep();
    expect(await mails()).toEqual([]);
    billing.clock.pass(2 * DAY);
    await sweep();
    await sweep();
    expect(await mails()).toEqual(expected.map((one) => expect.stringMatching(one)));
  });

  test.each([
    ['en', 'Your Basic plan changes on ', 'From then on it is Business with 30 seats, and you get an invoice.'],
    ['fr', 'Votre formule Basic change le ', 'Ensuite, ce sera Business avec 30 places, et vous recevrez une facture.'],
  ])('reminds of a change with what comes then (%s)', async (locale, subject, says) => {
    await agree(MONTH);
    await agree({ ...YEAR, type: 'business', seats: 30 }, 'at_end');
    billing.clock.pass(20 * DAY);
    await sweepPlans(billing.db, { ...using, catalog: { ...using.catalog, locale } });
    await billing.settled();
    const mail = billing.inbox.messages().find((one) => one.to.includes(email) && one.subject.startsWith(subject));
    expect(mail?.text).toContain(says);
    expect(mail?.html.replace(/<[^>]+>/g, '')).toContain(says);
  });

  test('leaves an account that can not be dealt with for the next time, and sees to all the others', async () => {
    const [first, other] = [acting, of];
    await agree({ ...MONTH, seats: 17 });
    await newCustomer();
    await agree(MONTH);
    billing.clock.pass(32 * DAY);
    const failing: PlanUsing = { ...using, payments: { collect: async (_trx, { total }) => (total === 7_140 ? Promise.reject(new Error('the provider is away')) : undefined) } };
    await expect(sweepPlans(billing.db, failing)).rejects.toThrow('1 of the accounts');
    expect(await invoices()).toHaveLength(2);
    [acting, of] = [first, other];
    expect(await invoices()).toHaveLength(1);
    await sweepPlans(billing.db, using);
    expect(await invoices()).toHaveLength(2);
    const { rows } = await sql<{ gaps: string }>`select max(number) - count(*) as gaps from bridge.billing_invoice`.execute(billing.db);
    expect(Number(rows[0]?.gaps)).toBe(0);
  });
});

describe('invoices', () => {
  test('are numbered without gaps, also where acts are refused or break off', async () => {
    const first = (await sql<{ value: string }>`select value from bridge.billing_counter`.execute(billing.db)).rows[0]!.value;
    const failing: PlanUsing = { ...using, payments: { collect: async () => Promise.reject(new Error('the provider is away')) } };
    await agree(MONTH);
    await expect(toSeats(20, failing)).rejects.toThrow('the provider is away');
    await Promise.all([11, 12, 13].map((seats) => toSeats(seats)));
    // Of many customers at once, some of whom break off.
    const customers: [AccountOf, Acting][] = [];
    for (let count = 0; count < 6; count += 1) {
      await newCustomer();
      customers.push([of, acting]);
    }
    const agreed = { ...MONTH, when: 'now', total: 4_200 } as const;
    await Promise.allSettled(customers.flatMap(([, by]) => [failing, using, using].map((bill) => agreeToPlan(billing.db, bill, by, agreed))));
    const { rows } = await sql<{ number: string }>`select number from bridge.billing_invoice where number > ${first} order by number`.execute(billing.db);
    expect(rows.map(({ number }) => Number(number))).toEqual(rows.map((_one, index) => Number(first) + 1 + index));
  });

  test('are mailed whole, also to who can’t sign in', async () => {
    const books = newPerson().email;
    await saveDetails(billing.db, using, acting, { legalName: 'Analytical Society', postalAddress: '1 St James Square\nLondon', vatId: 'GB1', purchaseOrder: 'PO 5', invoiceRecipients: [books, email] });
    await agree(MONTH);
    await toSeats(12);
    await billing.settled();
    const mailed = (to: string) => billing.inbox.messages().filter((mail) => mail.to.includes(to) && mail.subject.startsWith('Invoice')).toReversed();
    const [first, second] = mailed(email).toSorted((one, other) => one.subject.localeCompare(other.subject, 'en', { numeric: true }));
    expect(first!.text).toMatch(/^Invoice \d+\n/);
    for (const said of ['due on ', 'To: Analytical Society, 1 St James Square, London, GB1, PO 5', 'Basic, 10 seats, ', ': €35.00', 'Net: €35.00', 'Tax (20%): €7.00', 'Total: €42.00']) expect(first!.text).toContain(said);
    expect(second!.text).toContain('Basic, 2 more seats, ');
    // SECURITY 11: nobody has shown that this address wants what somebody typed.
    expect(mailed(books).map(({ text }) => [text.includes('Total: €'), /Analytical|St James|GB1|PO 5/.test(text)])).toEqual([[true, false], [true, false]]);
  });

  test.each([['en', 'Credit note', 'in your favour: you have nothing to pay'], ['fr', 'Avoir', 'en votre faveur']])('that give back are called credit notes, and nothing is due (%s)', async (locale, title, favour) => {
    const bill = { ...using, catalog: { ...using.catalog, locale } };
    await agree(MONTH);
    await mails();
    billing.inbox.clear();
    const { realmId, id } = await account();
    const running = await active();
    await billing.db.transaction().execute((trx) => invoice(trx, { ...bill, requestId: 'test' }, { id, realmId, serverId: null, legalName: '', postalAddress: '', vatId: '', purchaseOrder: '', invoiceRecipients: [] }, [creditRest(running, billing.clock.now())], billing.clock.now()));
    await billing.settled();
    const mail = billing.inbox.messages().find(({ to }) => to.includes(email));
    const amount = inCurrency(4_200, 'EUR', locale);
    expect([mail!.subject.replace(/\d+/, 'N'), mail!.text.includes(favour), mail!.text.includes(amount), /due on|échéance|règler/i.test(mail!.text), mail!.text.includes('invitation')]).toEqual([locale === 'en' ? `${title} N: ${amount}` : `${title} N : ${amount}`, true, true, false, false]);
  });

  test.each(['update bridge.billing_invoice set total = 0, net = 0, tax = 0', 'delete from bridge.billing_ledger', 'update bridge.billing_ledger set seats = 1', 'delete from bridge.billing_invoice', 'truncate bridge.billing_ledger', 'truncate bridge.billing_invoice cascade'])('are immutable: %s', async (statement) => {
    await agree(MONTH);
    await expect(sql.raw(statement).execute(billing.db)).rejects.toThrow(/is never changed/);
  });
});

/** By hours that were begun, before it is rounded. */
function worthOf({ kind, seats, unitPrice, periodStartsAt, periodEndsAt }: InvoiceLine, issuedAt: Date): number {
  const [begin, end] = [Date.parse(periodStartsAt), Date.parse(periodEndsAt)];
  const hours = Math.floor((issuedAt.getTime() - begin) / 3_600_000);
  const rest = kind === 'period' ? 1 : Math.max(0, 1 - (hours * 3_600_000) / (end - begin));
  return (kind === 'credit' ? -1 : 1) * seats * unitPrice * rest;
}

test('in every order of acts the ledger is the sum of what each seat was worth while it was held', async () => {
  const act = oneof(
    record({ kind: constantFrom('pass' as const), seconds: integer({ min: 0, max: 200 * DAY }), sweepIsAway: constantFrom(false, false, true) }),
    record({ kind: constantFrom('unschedule' as const) }),
    record({ kind: constantFrom('tax' as const), percent: constantFrom(0, 7.7, 20) }),
    record({ kind: constantFrom('seats' as const), seats: integer({ min: 5, max: 60 }) }),
    record({ kind: constantFrom('renew' as const), on: constantFrom(true, false) }),
    record({ kind: constantFrom('end' as const), back: constantFrom(true, false) }),
    record({ kind: constantFrom('agree' as const), type: constantFrom('basic' as const, 'business' as const), period: constantFrom('month' as const, 'year' as const), seats: integer({ min: 25, max: 60 }), when: constantFrom('now' as const, 'at_end' as const) }),
  );
  await assert(
    asyncProperty(array(act, { minLength: 1, maxLength: 10 }), constantFrom(false, true), async (acts, fromLegacy) => {
      await newCustomer();
      if (fromLegacy) await legacy(40);
      let now = using;
      for (const one of acts) {
        if (one.kind === 'pass') {
          billing.clock.pass(one.seconds);
          if (!one.sweepIsAway) await sweep();
        } else if (one.kind === 'seats') await toSeats(one.seats, now);
        else if (one.kind === 'unschedule') await dropScheduledPlan(billing.db, now, acting);
        else if (one.kind === 'tax') now = { ...using, catalog: withTax(using.catalog, one.percent) };
        else if (one.kind === 'renew') await setRenewal(billing.db, now, acting, one.on);
        else if (one.kind === 'end') await endByStaff(one.back).catch(refusedMeanwhile);
        else await agree({ type: one.type, period: one.period, seats: one.seats }, one.when, now);
      }
      const [entries, made] = [await ledger(), await invoices()];
      expect(sumOf(entries)).toEqual(sumOf(made));
      for (const { number, ...invoice } of made) {
        const own = entries.filter(({ invoiceNumber }) => invoiceNumber === number);
        expect(sumOf(own)).toEqual({ net: invoice.net, tax: invoice.tax, total: invoice.total });
        expect(sumOf(invoice.content.lines)).toEqual(sumOf(own));
        // Only what is given back by itself is below nothing.
        expect(invoice.total >= 0 || own.every(({ kind }) => kind === 'credit')).toBe(true);
        for (const line of invoice.content.lines) expect(Math.abs(line.net - worthOf(line, invoice.issuedAt))).toBeLessThanOrEqual(1);
      }
      // No period of a plan is charged twice, and a credit never exceeds what was charged for its period.
      for (const period of Map.groupBy(entries, ({ planId, periodStartsAt }) => `${planId} ${periodStartsAt.toISOString()}`).values()) {
        expect(period.filter(({ kind }) => kind === 'period')).toHaveLength(1);
        expect(sumOf(period).net).toBeGreaterThanOrEqual(0);
        const held = period.filter(({ kind }) => kind !== 'credit').reduce((sum, { seats }) => sum + seats, 0);
        expect(period.filter(({ kind }) => kind === 'credit').map(({ seats }) => seats)).toEqual(period.some(({ kind }) => kind === 'credit') ? [held] : []);
      }
      expect(Boolean(await active())).toBe((await planType()) !== 'free');
    }),
    { numRuns: 12 },
  );
}, 240_000);
