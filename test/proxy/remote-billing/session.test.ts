import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ADA, BACK, formTokenIn, PLACE, SESSION, startBillingStand, SUPPORT, UUID, type BillingStand } from '../support/billing.ts';

const PAGE = `/realm/${UUID}/billing/`;
const BOB = { id: '33333333-2222-4333-8444-555555555555', email: 'bob@example.org', full_name: 'Bob', state: 'confirmed', date_joined: 0, last_login: null, you: false };
const LISTED = { result: 'users', users: [{ ...ADA, state: 'confirmed', date_joined: 0, last_login: 0, you: true }, BOB] };
const OTHER = UUID.replace('6b1c', '7c2d');

let stand: BillingStand;
beforeAll(async () => {
  stand = await startBillingStand();
});
afterAll(() => stand.stop());
beforeEach(() => stand.forget());

describe('a page of a realm', () => {
  test('is for a completed session of exactly that realm', async () => {
    const browser = await stand.inBilling();
    const page = await browser.get(PAGE);
    expect(page.status).toBe(200);
    expect(page.body).toContain('You are signed in as Ada Lovelace (ada@example.org)');
    expect(stand.asked().find(({ step }) => step === 'session/read')?.message).toEqual({ session_id: SESSION, kind: 'realm', uuid: UUID, page: 'billing' });
  });

  test.each([
    ['nobody is signed in', false, PAGE],
    ['another realm', true, `/realm/${OTHER}/billing/`],
    ['a server of that id', true, `/server/${UUID}/billing/`],
  ])('%s: 401 that says nothing of the place, and asks nobody', async (_name, signedIn, path) => {
    const browser = signedIn ? await stand.inBilling() : stand.browser();
    stand.forget();
    const page = await browser.get(path);
    expect([page.status, stand.asked()]).toEqual([401, []]);
    expect(page.body).not.toMatch(/chat\.example\.org|Analytical/);
    expect((await browser.send(path, { headers: { accept: 'application/json' } })).json()).toMatchObject({ status: 401, code: 'unauthorized' });
  });

  test('the bridge knows no such session: the same 401', async () => {
    const browser = await stand.inBilling();
    stand.answers('session/read', { result: 'unknown' });
    expect((await browser.get(PAGE)).status).toBe(401);
  });

  test('over: back to the server, which leads back to this page; a program hears where', async () => {
    const browser = await stand.inBilling();
    stand.answers('session/read', { result: 'over', login_url: BACK });
    const page = await browser.get(`/realm/${UUID}/plans/`);
    expect([page.status, page.location]).toEqual([302, BACK]);
    const reply = await browser.send(PAGE, { headers: { accept: 'application/json' } });
    expect([reply.status, reply.json()['login_url']]).toEqual([401, BACK]);
  });

  test('over while a form was open: that what was sent is not saved is said', async () => {
    const browser = await stand.inBilling();
    stand.answers('users/list', LISTED);
    const token = formTokenIn((await browser.get(PAGE)).body);
    stand.answers('session/read', { result: 'over', login_url: BACK });
    const reply = await browser.post(PAGE, { form_token: token, act: 'user', user_id: ADA.id });
    expect([reply.status, reply.body.includes('was not saved'), reply.body.includes(BACK)]).toEqual([401, true, true]);
    expect(stand.asked().map(({ step }) => step)).not.toContain('users/deactivate');
  });

  test('deactivated meanwhile: refused', async () => {
    const browser = await stand.inBilling();
    stand.answers('session/read', { result: 'refused', reason: 'deactivated', support_url: SUPPORT });
    expect((await browser.get(PAGE)).status).toBe(403);
  });

  test.each([`/realm/${UUID}/deactivate/`, `/realm/${UUID}/nothing/`, '/realm/x/billing/', `/realm/${UUID}/billing`])('%s is none', async (path) => {
    expect((await (await stand.inBilling()).get(path)).status).toBe(404);
  });
});

test('a whole server that is over begins with id and key again, and knows the page', async () => {
  stand.answers('login/complete', { result: 'signed_in', session_id: SESSION, user: ADA, place: { ...PLACE, kind: 'server' }, ends_at: 0, next_path: '/' });
  const browser = await stand.inBilling();
  stand.answers('session/read', { result: 'over' });
  expect((await browser.get(`/server/${UUID}/deactivate/`)).location).toBe('/serverlogin/?next_page=deactivate');
});

describe('who may sign in', () => {
  test('is listed; another can be deactivated', async () => {
    const browser = await stand.inBilling();
    stand.answers('users/list', LISTED);
    const reply = await stand.submit(browser, PAGE, { act: 'user', user_id: BOB.id });
    expect([reply.status, reply.location, stand.asked().at(-1)?.message]).toEqual([303, `${PAGE}?note=user`, { session_id: SESSION, user_id: BOB.id }]);
  });

  test('the last one stays, and that is said', async () => {
    const browser = await stand.inBilling();
    expect((await browser.get(PAGE)).body).not.toContain('name="user_id"');
    stand.answers('users/list', LISTED);
    stand.answers('users/deactivate', { result: 'last_one' });
    const reply = await stand.submit(browser, PAGE, { act: 'user', user_id: ADA.id });
    expect((await browser.get(reply.location!)).body).toContain('the last one stays');
  });
});

describe('signing out', () => {
  test('asks, ends the session, and leaves the other one alone (SECURITY 24)', async () => {
    const browser = await stand.inBilling();
    await browser.follow(await browser.get('/api/login'));
    const reply = await stand.submit(browser, '/remote-billing-login/sign-out');
    expect([reply.status, reply.location, stand.asked().at(-1)]).toEqual([303, '/remote-billing-login/signed-out', { step: 'session/end', message: { session_id: SESSION } }]);
    expect((await browser.get(PAGE)).status).toBe(401);
    expect((await browser.send('/api/session')).json()).toMatchObject({ authenticated: true });
  });

  test('signing out of the app leaves billing alone', async () => {
    const browser = await stand.inBilling();
    await browser.follow(await browser.get('/api/login'));
    await browser.post('/api/logout', {});
    expect((await browser.get(PAGE)).status).toBe(200);
  });

  test('what the bridge could not end is not called ended', async () => {
    const browser = await stand.inBilling();
    stand.answers('session/end', { status: 500, problem: {} });
    expect((await stand.submit(browser, '/remote-billing-login/sign-out')).status).toBe(502);
    expect((await browser.get(PAGE)).status).toBe(200);
  });
});
