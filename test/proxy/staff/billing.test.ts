import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { SUPPORT_FORMS } from '../../../proxy/staff/billing/support-acts.ts';
import { ADA, formTokenIn, PAYING, UUID, type BillingStand, type Step } from '../support/billing.ts';
import type { Browser, Reply } from '../support/browser.ts';
import { AT, BOB, FREE_READ, REQUEST, SERVER_READ, startStaffStand } from '../support/staff.ts';

const HOME = '/staff/billing/';
const REASON = 'They asked by telephone.';
const OF = { kind: 'realm', uuid: UUID };

let stand: BillingStand;
let grace: Browser;
let token: string;
beforeAll(async () => {
  stand = await startStaffStand();
  grace = await stand.signedIn();
  token = formTokenIn((await grace.get(HOME)).body);
});
afterAll(() => stand.stop());
beforeEach(() => stand.forget());

const post = (form: Record<string, string>, at = AT): Promise<Reply> => grace.post(at, { form_token: token, ...form });
const formsShown = async () => [...(await grace.get(AT)).body.matchAll(/name="act" value="(\w+)"/g)].map(([, act]) => act).toSorted();
const sent = (step: string) => stand.asked().filter((one) => one.step === `support/${step}`).map(({ message }) => message);
const problem = (code: string, detail: string, status = 409) => ({ status, problem: { code, detail } });

describe('search', () => {
  test('stands sealed in the address, and finds again when the page is loaded again', async () => {
    const asked = await post({ query: ' ada@example.org ' }, HOME);
    expect([asked.status, asked.location]).toEqual([303, expect.stringMatching(/^\/staff\/billing\/\?find=[\w.-]+$/)]);
    expect(asked.location).not.toContain('ada');
    const found = await grace.get(asked.location!);
    expect(sent('search')).toEqual([{ query: 'ada@example.org' }]);
    for (const said of [`href="${AT}"`, 'Analytical Society', 'chat.example.org', 'by a person who signs in, by a link that was sent', 'value="ada@example.org"']) expect(found.body).toContain(said);
    expect(found.body).toContain(`hreflang="fr"`);
    expect(found.body).toMatch(/href="\/staff\/billing\/\?find=[^"]+&amp;lang=fr"|href="\/staff\/billing\/\?find=[^"]+&lang=fr"/);
    expect(stand.log()).not.toContain('ada@example.org');
  });

  test('without anything to look for lists who waits for an answer', async () => {
    expect((await grace.get(HOME)).body).toContain('Sponsorship, waiting for an answer');
    expect([sent('pending'), sent('search')]).toEqual([[{ limit: 50 }], []]);
    stand.answers('support/pending', { result: 'pending', requests: [], more: false });
    expect((await grace.get(HOME)).body).toContain('Nobody waits.');
  });

  test('that finds nothing, or more than it shows, says so', async () => {
    const { location } = await post({ query: 'x' }, HOME);
    stand.answers('support/search', { result: 'found', hits: [], more: false });
    expect((await grace.get(location!)).body).toContain('Nothing fits.');
    stand.answers('support/search', { result: 'found', hits: [], more: true });
    expect((await grace.get(location!)).body).toContain('There are more');
  });

  test.each(['', '   ', 'x'.repeat(321)])('for %j is not made', async (query) => {
    expect((await post({ query }, HOME)).status).toBe(400);
    expect(sent('search')).toEqual([]);
  });

  test('by an address that nobody sealed is none', async () => {
    await grace.get(`${HOME}?find=ada@example.org`);
    expect(sent('search')).toEqual([]);
  });
});

const hitOf = (host_verified: boolean) => ({ kind: 'realm', uuid: UUID, server_uuid: UUID, host: 'chat.example.org', host_verified, name: 'Bank', deactivated: false, matched: ['host'] });
const requestOf = (host_verified: boolean) => ({ kind: 'realm', uuid: UUID, host: 'chat.example.org', host_verified, name: 'Bank', requested_plan: 'community', requested_at: 1 });

describe('a host that nobody has proven is named so', () => {
  const UNPROVEN = 'chat.example.org (host name not proven)';

  test.each([true, false])('in what is found, and among who waits (%s)', async (proven) => {
    const { location } = await post({ query: 'chat' }, HOME);
    stand.answers('support/search', { result: 'found', hits: [hitOf(proven)], more: false });
    stand.answers('support/pending', { result: 'pending', requests: [requestOf(proven)], more: false });
    for (const page of [location!, HOME]) expect((await grace.get(page)).body.includes(UNPROVEN)).toBe(!proven);
  });

  // Anybody's server may be proven and tell of a realm at any host.
  test.each([[true, true], [true, false], [false, false]])('on the page of a realm, whose server is proven: %s, and itself: %s', async (ofServer, proven) => {
    stand.answers('support/read', { ...FREE_READ, server: { ...FREE_READ.server, host_verified: ofServer }, realm: { ...FREE_READ.realm, host_verified: proven } });
    const { body } = await grace.get(AT);
    expect([/Host name proven<\/dt><dd>(\w+)/.exec(body)?.[1], body.includes('zulip.example.org</a> (host name not proven)')]).toEqual([proven ? 'yes' : 'no', !ofServer]);
  });

  test.each([true, false])('in the list of a server (%s)', async (proven) => {
    stand.answers('support/read', { ...SERVER_READ, realms: [{ ...SERVER_READ.realms[0], host: 'chat.example.org', host_verified: proven }] });
    expect((await grace.get(`/staff/billing/server/${UUID}/`)).body.includes(UNPROVEN)).toBe(!proven);
  });
});

describe('a place', () => {
  test('shows all that is known', async () => {
    const { status, body } = await grace.get(AT);
    expect([status, sent('read')]).toEqual([200, [OF]]);
    const said = ['Analytical Society', 'chat.example.org', 'zulip.example.org', 'root@example.org', '10.1', '37 (October 9, 2025 UTC)', 'Business was asked for', 'Learned society', 'We analyse.\nA lot.', 'Basic', 'Ada Lovelace', 'bob@example.org · deactivated', 'new@example.org · could not be delivered', 'books@example.org', '€1,864.80', 'person deactivated', 'Left the company.', 'plan begun'];
    expect(said.filter((one) => !body.includes(one))).toEqual([]);
    expect(body).toContain(`href="${AT}invoices/7"`);
  });

  test('of a whole server lists its organizations', async () => {
    stand.answers('support/read', SERVER_READ);
    const { body } = await grace.get(`/staff/billing/server/${UUID}/`);
    for (const one of [`href="/staff/billing/realm/${UUID}/"`, 'deactivated or deleted on its server', 'Nobody has signed in yet.', '61 (June 15, 2025 UTC)', 'Deactivate this server']) expect(body).toContain(one);
    expect(sent('read')).toEqual([{ kind: 'server', uuid: UUID }]);
  });

  test('has only forms for what can be done', async () => {
    expect(await formsShown()).toEqual(['approve', 'change', 'decline', 'end', 'end_back', 'seats', 'standing', 'standing', 'standing', 'unschedule']);
    stand.answers('support/read', { ...FREE_READ, plan: PAYING.plan });
    expect(await formsShown()).toEqual(['change', 'end', 'end_back', 'renewal', 'seats', 'standing', 'standing', 'standing']);
    stand.answers('support/read', FREE_READ);
    expect(await formsShown()).toEqual(['change', 'give', 'standing', 'standing', 'standing']);
    stand.answers('support/read', { ...FREE_READ, plan: { ...PAYING.plan, type: 'legacy', seats: null, next_seats: null, unit_price: null, period: null } });
    expect(await formsShown()).toEqual(['change', 'end', 'give', 'standing', 'standing', 'standing']);
  });

  test.each(['/staff/billing/realm/x/', '/staff/billing/user/' + UUID + '/', '/staff/billing/realm/' + UUID])('%s: 404, and nothing is asked', async (path) => {
    expect((await grace.get(path)).status).toBe(404);
    expect(sent('read')).toEqual([]);
  });

  test('that does not exist: 404', async () => {
    stand.answers('support/read', problem('not_found', 'No server, realm or person has this UUID.', 404));
    expect((await grace.get(AT)).status).toBe(404);
  });

  test.each([[500], [401], [403]])('where the bridge answers %i: 502, and nothing of it is shown', async (status) => {
    stand.answers('support/read', problem('internal_error', 'inner words', status));
    const reply = await grace.get(AT);
    expect([reply.status, reply.body.includes('inner words')]).toEqual([502, false]);
  });

  test('shows an invoice, with the way back', async () => {
    const { status, body } = await grace.get(`${AT}invoices/7`);
    expect([status, sent('invoice/read'), body.includes(`href="${AT}"`)]).toEqual([200, [{ ...OF, number: 7 }], true]);
    for (const number of ['0', 'x', '1e3']) expect((await grace.get(`${AT}invoices/${number}`)).status).toBe(404);
  });
});

type Row = [act: string, form: Record<string, string>, says: string[], step: Step, message: object];
const ENDS = Math.floor(Date.UTC(2030, 0, 31, 23, 59, 59) / 1000);

/** Everything that can be done: what is said before, and what is sent then. */
const ACTS: Row[] = [
  ['change', { type: 'basic', period: 'year', seats: '37', when: 'now' }, ['Basic begins at once with 37 seats, billed yearly', '€1,864.80'], 'support/plan/change', { type: 'basic', period: 'year', seats: 37, when: 'now', total: 186_480 }],
  ['change', { type: 'business', period: 'month', seats: '40', when: 'at_end' }, ['Business with 40 seats, billed monthly, begins when the current plan ends'], 'support/plan/change', { type: 'business', period: 'month', seats: 40, when: 'at_end', total: 186_480 }],
  ['give', { type: 'community', ends_on: '' }, ['Community begins at once, costs nothing, and has no end'], 'support/plan/give', { type: 'community' }],
  ['give', { type: 'legacy', ends_on: '2030-01-31' }, ['Legacy begins at once, costs nothing, and ends on January 31, 2030'], 'support/plan/give', { type: 'legacy', ends_at: ENDS }],
  ['seats', { seats: '40' }, ['40 seats instead of 37 from now on', '€151.20'], 'support/plan/seats', { seats: 40, total: 15_120 }],
  ['renewal', { renews: 'no' }, ['The plan ends with its period'], 'support/plan/renewal', { renews: false }],
  ['renewal', { renews: 'yes' }, ['renews at the end of its period after all'], 'support/plan/renewal', { renews: true }],
  ['unschedule', {}, ['does not begin'], 'support/plan/unschedule', {}],
  ['end', {}, ['Basic ends at once', 'Nothing is given back'], 'support/plan/end', {}],
  ['end_back', {}, ['given back by a credit note', '€1,000.00', '€200.00', '€1,200.00'], 'support/plan/end', { give_back: 120_000 }],
  ['approve', { sponsorship_id: REQUEST }, ['The request is granted'], 'support/sponsorship/decide', { sponsorship_id: REQUEST, decision: 'approve' }],
  ['decline', { sponsorship_id: REQUEST }, ['The request is declined'], 'support/sponsorship/decide', { sponsorship_id: REQUEST, decision: 'decline' }],
  ['standing', { active: 'no' }, ['Nobody can sign in for this organization any more'], 'support/standing', { active: false }],
  ['standing', { active: 'yes' }, ['can sign in for this organization again'], 'support/standing', { active: true }],
  ['standing', { active: 'no', user_id: ADA.id }, [`${ADA.email} can’t sign in any more`], 'support/standing', { kind: 'user', uuid: ADA.id, active: false }],
  ['standing', { active: 'yes', user_id: BOB.id }, [`${BOB.email} can sign in again`], 'support/standing', { kind: 'user', uuid: BOB.id, active: true }],
];

test('every act that there is stands in the table', () => {
  expect([...new Set(ACTS.map(([act]) => act))].toSorted()).toEqual(Object.keys(SUPPORT_FORMS).toSorted());
});

describe.each(ACTS)('%s %j', (act, form, says, step, message) => {
  const done = () => stand.asked().filter((one) => one.step === step);

  test('says first what will happen, and does nothing yet', async () => {
    const { status, body } = await post({ act, ...form });
    expect(status).toBe(200);
    expect(says.filter((one) => !body.includes(one))).toEqual([]);
    expect(done()).toEqual([]);
  });

  test('is done with a reason, for what was shown, in the name of who did it', async () => {
    const shown = await post({ act, ...form });
    const hidden = Object.fromEntries([...shown.body.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)">/g)].map(([, name = '', value = '']) => [name, value]));
    const reply = await grace.post(AT, { ...hidden, reason: ` ${REASON} ` });
    expect([reply.status, reply.location]).toEqual([303, expect.stringMatching(new RegExp(`^${AT}\\?done=${act}`))]);
    expect(done().map((one) => one.message)).toEqual([{ ...OF, ...message, actor: 'staff-grace', reason: REASON }]);
    expect((await grace.get(reply.location!)).body).toContain('Done. It stands in the history.');
  });

  test.each([['no reason', ''], ['blanks', '   '], ['too long a reason', 'x'.repeat(501)]])('is not done with %s: the question again, filled', async (_name, reason) => {
    const reply = await post({ act, ...form, confirmed: 'yes', ...('total' in message ? { total: String(message.total) } : {}), ...('give_back' in message ? { total: String(message.give_back) } : {}), reason });
    expect([reply.status, reply.body.includes('Say why')]).toEqual([400, true]);
    expect(done()).toEqual([]);
  });

  test('that the bridge refuses is said on the page, with its reason', async () => {
    stand.answers(step, problem('not_possible', 'The stars are wrong.'));
    const shown = await post({ act, ...form });
    const hidden = Object.fromEntries([...shown.body.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)">/g)].map(([, name = '', value = '']) => [name, value]));
    const reply = await grace.post(AT, { ...hidden, reason: REASON });
    expect([reply.status, reply.body.includes('That can’t be done as things are.'), reply.body.includes('lang="en">The stars are wrong.')]).toEqual([409, true, true]);
  });
});

describe('an act', () => {
  test.each<[string, Record<string, string>]>([
    ['change', { type: 'community', period: 'year', seats: '1' }],
    ['change', { type: 'basic', period: 'day', seats: '1' }],
    ['change', { type: 'basic', period: 'year', seats: '0' }],
    ['change', { type: 'basic', period: 'year', seats: '1.5' }],
    ['change', { type: 'basic', period: 'year', seats: '12345678' }],
    ['give', { type: 'basic', ends_on: '2030-01-31' }],
    ['give', { type: 'legacy', ends_on: '' }],
    ['give', { type: 'legacy', ends_on: '2030-13-31' }],
    ['give', { type: 'legacy', ends_on: 'soon' }],
    ['seats', { seats: 'many' }],
    ['approve', { sponsorship_id: 'x' }],
    ['decline', {}],
    ['standing', { active: 'no', user_id: 'x' }],
  ])('%s with %j can’t be read: said, and nothing is asked for', async (act, form) => {
    const reply = await post({ act, ...form, confirmed: 'yes', reason: REASON, total: '1' });
    expect([reply.status, reply.body.includes('can’t be read')]).toEqual([400, true]);
    expect(stand.asked().map(({ step }) => step)).toEqual(['support/read']);
  });

  test.each(['nothing', 'constructor', '__proto__', ''])('%j is none', async (act) => {
    expect((await post({ act, confirmed: 'yes', reason: REASON })).status).toBe(400);
    expect(stand.asked()).toEqual([]);
  });

  test.each([['change', { type: 'basic', period: 'year', seats: '37' }, 'plan/change'], ['seats', { seats: '40' }, 'plan/seats'], ['end_back', {}, 'plan/end']] as const)('%s that costs something is shown again where its total is missing', async (act, form, step) => {
    expect((await post({ act, ...form, confirmed: 'yes', reason: REASON })).status).toBe(200);
    expect(sent(step)).toEqual([]);
  });

  test('that the bridge can’t even quote is said on the page', async () => {
    stand.answers('support/plan/quote', problem('not_possible', 'Too few seats.'));
    const reply = await post({ act: 'change', type: 'basic', period: 'year', seats: '1' });
    expect([reply.status, reply.body.includes('Too few seats.')]).toEqual([409, true]);
  });

  test.each([['paid_plan_runs', 'A paid plan runs'], ['hostname_taken', 'Another server has this host name now']])('refused as %s has words of its own', async (code, words) => {
    stand.answers('support/standing', problem(code, 'x'));
    expect((await post({ act: 'standing', active: 'yes', confirmed: 'yes', reason: REASON })).body).toContain(words);
  });

  test('of which the answer was lost: 502, and the way back', async () => {
    stand.answers('support/standing', problem('internal_error', 'x', 500));
    expect((await post({ act: 'standing', active: 'no', confirmed: 'yes', reason: REASON })).status).toBe(502);
  });

  test('has one actor, whatever the form says', async () => {
    await post({ act: 'standing', active: 'no', confirmed: 'yes', reason: REASON, actor: 'somebody-else', kind: 'server', uuid: 'x' });
    expect(sent('standing')).toEqual([{ ...OF, active: false, actor: 'staff-grace', reason: REASON }]);
  });

  test('leaves what was typed as text', async () => {
    const { body } = await post({ act: 'standing', active: 'no', confirmed: 'yes', reason: '' , user_id: ADA.id });
    expect(body).not.toContain('<script>');
    stand.answers('support/read', { ...FREE_READ, history: [{ at: 0, act: 'login', actor_kind: 'user', actor: null, user_id: null, reason: '<script>alert(1)</script>' }] });
    expect((await grace.get(AT)).body).toContain('&lt;script&gt;alert(1)');
  });
});

test('every act that the bridge keeps has words in every language', () => {
  const [, union = ''] = /BillingAct =([^;]+);/.exec(readFileSync('bridge/remote-billing/audit.store.ts', 'utf8')) ?? [];
  const acts = [...union.matchAll(/'(\w+)'/g)].map(([, act]) => act);
  expect(acts.length).toBeGreaterThan(30);
  for (const file of readdirSync('proxy/pages/messages')) {
    const messages = JSON.parse(readFileSync(`proxy/pages/messages/${file}`, 'utf8')) as Record<string, string>;
    expect(acts.filter((act) => messages[`staff.history.${act}`] === undefined)).toEqual([]);
  }
});
