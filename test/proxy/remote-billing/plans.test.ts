import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Browser } from '../support/browser.ts';
import { ADA, ANSWERS, BACK, formTokenIn, INVOICE, PAYING, PLACE, SESSION, startBillingStand, UUID, type BillingStand, type Step } from '../support/billing.ts';

const REALM = `/realm/${UUID}`;
const WANTED = { type: 'basic', period: 'year', seats: '37', when: 'now' };
const SENT = { session_id: SESSION, type: 'basic', period: 'year', seats: 37, when: 'now' };
const GIFT = { requested_plan: 'community', organization_type: 'school', description: 'We teach\r\nmath.', expected_users: '100' };

let stand: BillingStand;
let browser: Browser;
let token: string;
beforeAll(async () => {
  stand = await startBillingStand();
  browser = await stand.inBilling();
  token = formTokenIn((await browser.get(`${REALM}/upgrade/`)).body);
});
afterAll(() => stand.stop());
beforeEach(() => stand.forget());

const act = (page: string, name: string, fields: Record<string, string> = {}) => browser.post(`${REALM}/${page}/`, { form_token: token, act: name, ...fields });
const sent = (step: Step) => stand.asked().flatMap((one) => (one.step === step ? [one.message] : []));

async function signInForServer(): Promise<Browser> {
  const place = { ...PLACE, kind: 'server' };
  stand.answers('login/complete', { result: 'signed_in', session_id: SESSION, user: ADA, place, ends_at: 0, next_path: '/' });
  stand.answers('session/read', { result: 'live', user: ADA, place, ends_at: 0 });
  return stand.inBilling();
}

describe('/plans', () => {
  test('shows what is offered, in the language’s own money', async () => {
    expect((await browser.get(`${REALM}/plans/`)).body).toMatch(/€3\.50 per seat and month[\s\S]*€42\.00 per seat and year[\s\S]*€6\.67 per seat and month/);
    expect((await browser.get(`${REALM}/plans/?lang=fr`)).body).toContain('3,50\u00a0€ par place et par mois');
    await browser.get(`${REALM}/plans/?lang=en`);
  });

  test('shows what costs nothing, too, and where to ask for it', async () => {
    const { body } = await browser.get(`${REALM}/plans/`);
    expect(body).toMatch(/Free<\/h2>[\s\S]*Costs nothing[\s\S]*Community<\/h2>[\s\S]*A gift for/);
    expect(body.match(new RegExp(`href="${REALM}/sponsorship/"`, 'g'))).toHaveLength(2);
  });

  test('yen have no cents', async () => {
    stand.answers('account/read', { ...ANSWERS['account/read'], currency: 'JPY' });
    expect((await browser.get(`${REALM}/plans/`)).body).toContain('¥350 per seat and month');
  });
});

describe('/upgrade', () => {
  test('is prefilled with what the server counted, and says when that was', async () => {
    const { body } = await browser.get(`${REALM}/upgrade/?type=basic`);
    expect(body).toMatch(/name="seats"[^>]* value="37"/);
    expect(body).toContain('Your server counted 37 people on October 3, 2026 UTC.');
  });

  test('never below the fewest seats of the plan', async () => {
    stand.answers('account/read', { ...ANSWERS['account/read'], seats_reported: { seats: 3, at: 0 } });
    expect((await browser.get(`${REALM}/upgrade/?type=business`)).body).toMatch(/name="seats"[^>]* value="25"/);
  });

  test('shows net, tax and total before anybody agrees; nothing is ordered by that', async () => {
    const reply = await act('upgrade', 'quote', WANTED);
    expect([reply.status, sent('plan/quote'), sent('plan/agree')]).toEqual([200, [SENT], []]);
    expect(reply.body).toMatch(/€1,554\.00[\s\S]*€310\.80[\s\S]*€1,864\.80[\s\S]*Agree and pay €1,864\.80/);
    expect(reply.body).toContain('name="total" value="186480"');
  });

  test('agrees to the total that was shown', async () => {
    const reply = await act('upgrade', 'agree', { ...WANTED, total: '186480' });
    expect([reply.status, reply.location, sent('plan/agree')]).toEqual([303, `${REALM}/billing/?note=begun`, [{ ...SENT, total: 186_480 }]]);
  });

  test('another price by now: it is shown, and asked about again', async () => {
    stand.answers('plan/agree', { result: 'changed' });
    const reply = await act('upgrade', 'agree', { ...WANTED, total: '1' });
    expect(reply.body).toContain('nothing was charged');
    expect(reply.body).toContain('name="total" value="186480"');
  });

  test('to the plan that it is already: what to do instead', async () => {
    stand.answers('account/read', PAYING);
    stand.answers('plan/quote', { result: 'changed' });
    const reply = await act('upgrade', 'quote', WANTED);
    expect([reply.status, reply.body.includes('You have this plan already'), reply.body.includes('Something has changed')]).toEqual([400, true, false]);
    expect((await act('upgrade', 'quote', { ...WANTED, type: 'business' })).body).toContain('Something has changed');
  });

  test('at the end of the current plan, as for legacy organizations', async () => {
    stand.answers('account/read', { ...PAYING, plan: { ...PAYING.plan, type: 'legacy', seats: null, unit_price: null } });
    expect((await browser.get(`${REALM}/upgrade/`)).body).toMatch(/value="at_end" checked/);
    stand.answers('plan/agree', { result: 'scheduled' });
    const reply = await act('upgrade', 'agree', { ...WANTED, when: 'at_end', total: '186480' });
    expect([reply.location, sent('plan/agree')[0]?.['when']]).toEqual([`${REALM}/billing/?note=scheduled`, 'at_end']);
  });

  test.each([
    ['seats that are no number', { ...WANTED, seats: 'many' }],
    ['seats below nothing', { ...WANTED, seats: '-5' }],
    ['half a seat', { ...WANTED, seats: '1.5' }],
    ['a plan that is given, not sold', { ...WANTED, type: 'community' }],
    ['a period that is none', { ...WANTED, period: 'day' }],
  ])('%s: the form again, and no call', async (_name, fields) => {
    for (const name of ['quote', 'agree']) expect((await act('upgrade', name, { ...fields, total: '1' })).status).toBe(400);
    expect([...sent('plan/quote'), ...sent('plan/agree')]).toEqual([]);
  });
});

describe('/billing', () => {
  test('shows plan, its end, what comes after, the ledger and who may sign in', async () => {
    stand.answers('account/read', PAYING);
    const { body } = await browser.get(`${REALM}/billing/`);
    for (const said of ['Basic', '30 from the next period on', 'January 31, 2027', 'Business, 40', '€1,864.80', 'books@example.org, ada@example.org', ADA.email]) expect(body).toContain(said);
    expect(body).toContain(`href="${REALM}/invoices/7"`);
    // It ends anyway, and something else begins.
    expect([body.includes('Take back the change'), body.includes('Let it end with the period')]).toEqual([true, false]);
    stand.answers('account/read', { ...PAYING, scheduled: null });
    expect((await browser.get(`${REALM}/billing/`)).body).toContain('Let it end with the period');
  });

  test('what was agreed to and charged is shown in its own currency', async () => {
    stand.answers('account/read', { ...PAYING, currency: 'USD', plan: { ...PAYING.plan, next_seats: null }, ledger: PAYING.ledger });
    const { body } = await browser.get(`${REALM}/billing/`);
    expect([body.includes('€42.00 per seat'), body.includes('€1,864.80'), body.includes('$')]).toEqual([true, true, false]);
    expect((await browser.get(`${REALM}/plans/`)).body).toContain('$3.50 per seat and month');
  });

  const ACTS: [string, Record<string, string>, Step, object, string][] = [
    ['details', { legal_name: ' Society ', postal_address: 'a\r\nb', vat_id: 'x', purchase_order: '', invoice_recipients: 'a@example.org; b@example.org,' }, 'account/save', { legal_name: 'Society', postal_address: 'a\nb', vat_id: 'x', purchase_order: '', invoice_recipients: ['a@example.org', 'b@example.org'] }, 'saved'],
    ['agree_seats', { seats: '40', total: '15120' }, 'plan/seats', { seats: 40, total: 15_120 }, 'seats'],
    ['renewal', { renews: 'no' }, 'plan/renewal', { renews: false }, 'renewal'],
    ['renewal', { renews: 'yes' }, 'plan/renewal', { renews: true }, 'renewal'],
    ['unschedule', {}, 'plan/unschedule', {}, 'unscheduled'],
  ];
  test.each(ACTS)('%s %j', async (name, fields, step, message, note) => {
    const reply = await act('billing', name, fields);
    expect([reply.status, reply.location, sent(step)]).toEqual([303, `${REALM}/billing/?note=${note}`, [{ ...message, session_id: SESSION }]]);
    expect((await browser.get(reply.location!)).body).toContain('role="status"');
  });

  test('more seats: what they cost is shown before anybody agrees', async () => {
    stand.answers('account/read', PAYING);
    const shown = await act('billing', 'seats', { seats: '40' });
    expect([shown.status, sent('plan/seats/quote'), sent('plan/seats')]).toEqual([200, [{ seats: 40, session_id: SESSION }], []]);
    for (const said of ['40 seats instead of 37', '€126.00', '€25.20', 'Agree and pay €151.20', 'name="total" value="15120"']) expect(shown.body).toContain(said);
    stand.answers('plan/seats', { result: 'changed' });
    const again = await act('billing', 'agree_seats', { seats: '40', total: '1' });
    expect([again.status, again.body.includes('Something has changed'), again.body.includes('Agree and pay €151.20')]).toEqual([200, true, true]);
  });

  test('fewer seats: from when on, and for nothing', async () => {
    stand.answers('account/read', PAYING);
    stand.answers('plan/seats/quote', { result: 'quote', net: 0, tax: 0, total: 0, currency: 'EUR', tax_percent: 20, seats: 30, now: 37, counts_from: PAYING.plan.period_ends_at });
    const { body } = await act('billing', 'seats', { seats: '30' });
    expect(body).toContain('30 seats instead of 37, from January 31, 2027 UTC on. Nothing is charged now.');
  });

  test.each([
    ['seats', { seats: 'many' }],
    ['agree_seats', { seats: '40', total: '1.5' }],
    ['agree_seats', { seats: '', total: '1' }],
  ])('%s %j: the form again, and no call', async (name, fields) => {
    expect((await act('billing', name, fields)).status).toBe(400);
    expect([...sent('plan/seats'), ...sent('plan/seats/quote')]).toEqual([]);
  });

  test.each(ACTS.filter(([name]) => name !== 'agree_seats'))('%s %j, when it is not as it was shown', async (name, fields, step) => {
    stand.answers(step, { result: 'changed' });
    expect((await act('billing', name, fields)).location).toBe(`${REALM}/billing/?note=changed`);
  });

  test.each(ACTS)('%s %j, when the session ended meanwhile', async (name, fields, step) => {
    stand.answers(step, { result: 'over', login_url: BACK });
    const reply = await act('billing', name, fields);
    expect([reply.status, reply.body.includes('was not saved')]).toEqual([401, true]);
  });

  test('what the bridge refuses is said on its field, and what was typed is kept', async () => {
    stand.answers('account/save', { status: 400, problem: { code: 'invalid_request', detail: 'x', field: 'invoice_recipients.0' } });
    const reply = await act('billing', 'details', { legal_name: 'Typed', invoice_recipients: 'nobody' });
    expect([reply.status, reply.body.includes('value="Typed"'), reply.body.includes('id="invoice_recipients-error"')]).toEqual([400, true, true]);
  });

  test.each(['legal_name', 'vat_id', 'purchase_order'])('a %s that the bridge refuses is said on its field', async (field) => {
    stand.answers('account/save', { status: 400, problem: { code: 'invalid_request', detail: 'x', field } });
    expect((await act('billing', 'details', { [field]: 'typed' })).body).toMatch(new RegExp(`id="${field}"[^>]* value="typed"[^>]*aria-invalid="true"`));
  });

  test.each(['nothing', 'quote', 'constructor', '__proto__', ''])('%j is no act of it', async (name) => {
    expect((await act('billing', name)).status).toBe(400);
    expect(stand.asked().map(({ step }) => step)).toEqual(['session/read']);
  });

  test.each(['<script>', 'constructor', 'begun%00'])('a note that is none is not shown: %s', async (note) => {
    expect((await browser.get(`${REALM}/billing/?note=${note}`)).body).not.toMatch(/role="status"|role="alert"/);
  });
});

describe('an invoice', () => {
  test('is shown as it was issued', async () => {
    stand.answers('invoice/read', INVOICE);
    const { status, body } = await browser.get(`${REALM}/invoices/7`);
    expect([status, sent('invoice/read')]).toEqual([200, [{ session_id: SESSION, number: 7 }]]);
    for (const said of ['Invoice 7', 'Analytical Society\n1 St James Square', 'PO 5', 'GB1', '€1,554.00', '€310.80', '€1,864.80', 'March 2, 2026']) expect(body).toContain(said);
  });

  test.each(['8', '0', 'x', '1e3'])('%s: 404', async (number) => {
    expect((await browser.get(`${REALM}/invoices/${number}`)).status).toBe(404);
  });
});

describe('/sponsorship', () => {
  test('asks, and says so', async () => {
    const reply = await act('sponsorship', 'ask', GIFT);
    expect([reply.location, sent('sponsorship/ask')]).toEqual([`${REALM}/sponsorship/?note=asked`, [{ ...GIFT, description: 'We teach\nmath.', website: '', paid_users: '', session_id: SESSION }]]);
  });

  test.each(['requested_plan', 'organization_type', 'description', 'expected_users'])('without %s: the form again, filled, and no call', async (name) => {
    const reply = await act('sponsorship', 'ask', { ...GIFT, website: 'https://typed.example', [name]: ' ' });
    expect([reply.status, reply.body.includes('https://typed.example'), sent('sponsorship/ask')]).toEqual([400, true, []]);
  });

  test.each(['pending', 'granted', 'declined'])('%s: is shown, and only who was declined may ask again', async (state) => {
    stand.answers('account/read', { ...ANSWERS['account/read'], sponsorship: { state, requested_plan: 'community', requested_at: 0 } });
    expect((await browser.get(`${REALM}/sponsorship/`)).body.includes('name="description"')).toBe(state === 'declined');
  });
});

describe('/deactivate of a whole server', () => {
  const PAGE = `/server/${UUID}/deactivate/`;

  test('asks, then ends server and session', async () => {
    const operator = await signInForServer();
    const reply = await stand.submit(operator, PAGE, { act: 'deactivate' });
    expect([reply.status, reply.body.includes('The server is deactivated'), (await operator.get(PAGE)).status]).toEqual([200, true, 401]);
  });

  test('not while a paid plan runs, and that is said', async () => {
    const operator = await signInForServer();
    stand.answers('server/deactivate', { status: 409, problem: { code: 'paid_plan_runs', detail: 'x' } });
    const reply = await stand.submit(operator, PAGE, { act: 'deactivate' });
    expect((await operator.get(reply.location!)).body).toContain('A paid plan runs');
  });

  test('a realm has no such page', async () => {
    expect((await act('deactivate', 'deactivate')).status).toBe(404);
    expect(sent('server/deactivate')).toEqual([]);
  });
});

test('plans that are in each other’s way are refused at login, with a way to support', async () => {
  stand.answers('login/open', { result: 'confirm_login' });
  const other = await stand.browser();
  const { body } = await other.get('/serverlogin/');
  stand.answers('login/complete', { result: 'refused', reason: 'plan_conflict', support_url: 'mailto:support@example.com' });
  const reply = await other.post('/remote-billing-login/token', { form_token: formTokenIn(body), tos_consent: '1.0' });
  expect([reply.status, reply.body.includes('href="mailto:support@example.com"')]).toEqual([409, true]);
});
