import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { loadProducts, type Product } from '../../platform/products.ts';
import type { Browser, Reply } from './support/browser.ts';
import { startStand, type Stand } from './support/stand.ts';

const [APP] = loadProducts('products.yaml');
const LAB: Product = {
  ...APP,
  id: 'lab',
  name: 'Lab',
  start_url: '/lab',
  attributes: [{ id: 'team', label: 'Your team', required: true, max_length: 40 }, { id: 'role', label: 'Your role', required: false, max_length: 40 }],
  consents: [{ id: 'terms', label: 'I accept the terms', version: '2', required: true }],
};
const TOKEN = 'o'.repeat(43);
const AT = `/trial/join?t=${TOKEN}`;
const ADA = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada Lovelace' };
const GRACE = { sub: 'user-grace', email: 'grace@example.com', name: 'Grace Hopper' };
const OPEN = { open: true, product: 'app', username: ADA.email, given: { attributes: [], consents: [] } };

let stand: Stand;
let offer: object;
let answered: [number, object];
let accept: Stand['bridge']['answer'];
beforeAll(async () => {
  stand = await startStand({ products: [APP, LAB] });
  accept = stand.bridge.answer;
});
afterAll(() => stand.stop());
beforeEach(() => {
  [offer, answered] = [OPEN, [200, { product: 'app' }]];
  stand.provider.person = ADA;
  stand.bridge.received.length = 0;
  stand.bridge.answer = (req, res, body) => {
    const given: [number, object] | undefined = req.url === '/api/trial/offer' ? [200, offer] : req.url === '/api/trial/join' ? answered : undefined;
    if (given === undefined) return accept(req, res, body);
    return void res.writeHead(given[0], { 'content-type': 'application/json' }).end(JSON.stringify(given[1]));
  };
});
afterEach(() => {
  stand.bridge.answer = accept;
});

const asked = (path: string) => stand.bridge.received.filter(({ url }) => url === path).map(({ body }) => JSON.parse(body) as Record<string, unknown>);
const joins = () => asked('/api/trial/join');
const post = (browser: Browser, form: Record<string, string> = {}): Promise<Reply> => browser.post('/trial/join', { t: TOKEN, ...form });
const problem = (status: number, code: string, field?: string): [number, object] => [status, { code, detail: 'x', ...(field !== undefined && { field }) }];
const logins = () => stand.provider.authorizations.length;

describe('the page of the link', () => {
  test('says what begins with which account, and changes nothing: no cookie, no sign-in, no join', async () => {
    const before = logins();
    const page = await stand.browser().get(`${AT}&next_page=/reports`);
    expect([page.status, page.headers.getSetCookie(), page.headers.get('referrer-policy'), page.headers.get('cache-control'), page.body.includes('<script')]).toEqual([200, [], 'no-referrer', 'no-store', false]);
    for (const words of ['Start your trial of Vestibule sample app', 'ada@example.com', '14 days', 'name="next_page" value="/reports"']) expect(page.body).toContain(words);
    expect([logins() - before, joins(), asked('/api/trial/offer')]).toEqual([0, [], [{ token: TOKEN }]]);
  });

  test('asks for what the product can’t do without and nobody gave, and keeps what was typed', async () => {
    offer = { ...OPEN, product: 'lab' };
    const page = await stand.browser().get(AT);
    expect([page.body.includes('Your team'), page.body.includes('I accept the terms'), page.body.includes('Your role')]).toEqual([true, true, false]);
    const wrong = await post(stand.browser(), { 'attributes.team': 'Engines' });
    expect([wrong.status, wrong.body.includes('value="Engines"'), wrong.body.includes('Please tick this to go on.')]).toEqual([400, true, true]);
    offer = { ...OPEN, product: 'lab', given: { attributes: ['team'], consents: ['terms'] } };
    const complete = (await stand.browser().get(AT)).body;
    expect([complete.includes('Your team'), complete.includes('I accept the terms')]).toEqual([false, false]);
    expect(joins()).toEqual([]);
  });

  test('in another language keeps what was typed', async () => {
    offer = { ...OPEN, product: 'lab' };
    const page = await post(stand.browser(), { switch_lang: 'fr', 'attributes.team': 'Engines' });
    expect([page.status, page.body.includes('<html lang="fr"'), page.body.includes('value="Engines"'), page.body.includes(TOKEN)]).toEqual([200, true, true, true]);
  });

  test.each([
    ['expired', 410, 'This link no longer works', '/trial/new-link?product=app'],
    ['revoked', 410, 'This link no longer works', '/trial/new-link?product=app'],
    ['unknown', 410, 'This link no longer works', '/trial/new-link?product=app'],
    ['spent', 200, 'Your trial has begun', '/api/login?next_page=%2F'],
  ])('of a link that is %s says so, and how to go on', async (reason, status, words, href) => {
    offer = { open: false, reason, product: 'app' };
    for (const page of [await stand.browser().get(AT), await post(stand.browser())]) {
      expect([page.status, page.body.includes(words), page.body.includes(`href="${href}`)]).toEqual([status, true, true]);
    }
    expect(joins()).toEqual([]);
  });

  test.each(['/trial/join', '/trial/join?t=cut', '/trial/join?t[]=a', `/trial/join?t=${'x'.repeat(300)}`])('of %s says that the link is not complete', async (path) => {
    const page = await stand.browser().get(path);
    expect([page.status, page.body.includes('not complete'), asked('/api/trial/offer')]).toEqual([400, true, []]);
  });
});

describe('starting it', () => {
  test('signs in first, never tells the provider of the token, and signs in once more for the new claims', async () => {
    const browser = stand.browser();
    const before = logins();
    const start = await post(browser, { next_page: '/reports?year=2026' });
    expect([start.status, new URL(String(start.location)).origin]).toEqual([303, new URL(stand.provider.issuer).origin]);
    const end = await browser.follow(start);
    expect([end.status, new URL(end.at).pathname + new URL(end.at).search, end.body]).toEqual([200, '/reports?year=2026', 'the app']);
    expect(joins()).toEqual([{ token: TOKEN, user_id: ADA.sub }]);
    const sent = stand.provider.authorizations.slice(before);
    expect([sent.length, JSON.stringify(sent.map(({ inUrl, effective }) => [...inUrl, ...effective])).includes(TOKEN)]).toEqual([2, false]);
    expect(stand.log()).not.toContain(TOKEN);
  });

  test('of somebody who is signed in asks nobody, and brings the new claims too', async () => {
    const browser = await stand.signedIn();
    const before = logins();
    const end = await browser.follow(await post(browser));
    expect([end.status, end.body, joins().length, logins() - before]).toEqual([200, 'the app', 1, 1]);
  });

  test('passes on what was answered', async () => {
    offer = { ...OPEN, product: 'lab' };
    const browser = stand.browser();
    await browser.follow(await post(browser, { 'attributes.team': ' Engines ', 'consents.terms': '2' }));
    expect(joins()).toEqual([{ token: TOKEN, user_id: ADA.sub, attributes: { team: 'Engines' }, consents: [{ id: 'terms', version: '2' }] }]);
  });

  test('with an account that has it already leads into the app', async () => {
    answered = problem(409, 'trial_exists');
    const browser = stand.browser();
    expect((await browser.follow(await post(browser))).body).toBe('the app');
  });

  test('an answer of the provider that comes twice joins once', async () => {
    const browser = stand.browser();
    const start = await post(browser);
    const back = await fetch(String(start.location), { redirect: 'manual' });
    const url = new URL(String(back.headers.get('location')));
    for (let time = 0; time < 2; time += 1) await browser.get(url.pathname + url.search);
    expect(joins().length).toBe(1);
  });
});

describe('a page says why not', () => {
  test.each<[string, [number, object], number, string[]]>([
    ['somebody else is signed in', problem(409, 'other_account'), 409, ['This is for another account', 'ada@example.com', 'href="/api/logout"']],
    ['the account may not', problem(409, 'not_possible'), 409, ['This account can’t begin the trial', 'https://example.com/contact']],
    ['Keycloak is away', problem(503, 'unavailable'), 502, ['it goes on where it stood', 'action="/trial/join"', TOKEN]],
    ['the bridge says what it never should', [500, {}], 502, ['it goes on where it stood']],
  ])('%s', async (_, answer, status, words) => {
    answered = answer;
    for (const browser of [stand.browser(), await stand.signedIn()]) {
      const page = await browser.follow(await post(browser));
      expect(page.status).toBe(status);
      for (const one of words) expect(page.body).toContain(one);
    }
  });

  test('the link went meanwhile', async () => {
    answered = problem(410, 'invitation_revoked');
    const browser = stand.browser();
    const start = await post(browser);
    offer = { open: false, reason: 'revoked', product: 'app' };
    const page = await browser.follow(start);
    expect([page.status, page.body.includes('This link no longer works')]).toEqual([410, true]);
  });

  test('a question changed meanwhile: the form again, with what was typed, and it goes on without signing in again', async () => {
    offer = { ...OPEN, product: 'lab' };
    answered = problem(400, 'invalid_request', 'consents.terms');
    const browser = stand.browser();
    const page = await browser.follow(await post(browser, { 'attributes.team': 'Engines', 'consents.terms': '2' }));
    expect([page.status, page.body.includes('This has changed'), page.body.includes('value="Engines"')]).toEqual([400, true, true]);
    answered = [200, { product: 'lab' }];
    const before = logins();
    expect((await browser.follow(await post(browser, { 'attributes.team': 'Engines', 'consents.terms': '2' }))).status).toBe(200);
    expect(logins() - before).toBe(1);
  });
});

describe('SECURITY 8: another person in this browser', () => {
  test('whoever is signed in by then is asked before they are replaced, and only who goes on begins', async () => {
    for (const [choice, begun] of [['stay', []], ['go_on', [ADA.sub]]] as const) {
      stand.bridge.received.length = 0;
      const browser = stand.browser();
      const start = await post(browser);
      const back = await fetch(String(start.location), { redirect: 'manual' });
      stand.provider.person = GRACE;
      await browser.follow(await browser.get('/api/login'));
      stand.provider.person = ADA;
      const url = new URL(String(back.headers.get('location')));
      const asking = await browser.follow(await browser.get(url.pathname + url.search));
      expect([asking.body.includes('Who should go on?'), joins()]).toEqual([true, []]);
      await browser.follow(await browser.post('/api/login/other-person', { login: new URL(asking.at).searchParams.get('login') ?? '', choice }));
      expect(joins().map(({ user_id }) => user_id)).toEqual(begun);
    }
  });
});
