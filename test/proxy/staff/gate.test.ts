import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { send } from '../support/browser.ts';
import { formTokenIn, startBillingStand, type BillingStand } from '../support/billing.ts';
import { AT, GRACE, startStaffStand } from '../support/staff.ts';
import { startStand } from '../support/stand.ts';
import { TRIAL_AT } from '../support/trials.ts';

const ADA = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada Lovelace', roles: ['trial-user'] };
const FIRST = '/staff/billing/';
/** Every address in `staffMap` that takes a form, with a page that is there. */
const FORMS: Readonly<Record<string, string>> = { '/staff/billing/': FIRST, '/staff/billing/:kind/:uuid/': AT, '/staff/trials/': '/staff/trials/', '/staff/trials/:id/': TRIAL_AT };
/** Those that take none. */
const PAGES = ['/staff/trials/funnel/', `${TRIAL_AT}export`];

let stand: BillingStand;
let others: string;
beforeAll(async () => {
  stand = await startStaffStand();
  others = formTokenIn((await (await stand.signedIn()).get(FIRST)).body);
});
afterAll(() => stand.stop());
beforeEach(() => stand.forget());

test('every POST of staff is here', () => {
  const map = readFileSync('proxy/routes.ts', 'utf8').matchAll(/'(\/staff\/[^']*)': \{[^\n]*\bpost:/g);
  expect([...map].map(([, path]) => path).toSorted()).toEqual(Object.keys(FORMS).toSorted());
});

describe.each(Object.values(FORMS))('%s', (path) => {
  test('sends a browser to sign in, and back; a program hears where', async () => {
    const browser = stand.browser();
    const asked = await browser.get(path);
    expect([asked.status, asked.location]).toEqual([302, `/api/login?next_page=${encodeURIComponent(path)}`]);
    const arrived = await browser.follow(asked);
    expect([arrived.status, new URL(arrived.at).pathname]).toEqual([200, path]);
    const program = await send(stand.url, { headers: { accept: 'application/json' } }, path);
    expect([program.status, program.json()['login_url']]).toEqual([401, `${stand.url}/api/login?next_page=${encodeURIComponent(path)}`]);
  });

  test.each([
    ['no role', []],
    ['other roles', ['trial-user', 'Staff', 'staff ', 'staff-billing']],
  ])('refuses somebody with %s, by GET and by POST with a form token, and asks the bridge nothing', async (_case, roles) => {
    stand.provider.person = { ...ADA, roles };
    const browser = await stand.signedIn();
    const page = await browser.get(path);
    expect([page.status, page.body]).toEqual([403, expect.stringContaining('Your account may not see this')]);
    expect((await browser.post(path, { form_token: others, act: 'search', query: 'x' })).status).toBe(403);
    expect(asked()).toEqual([]);
  });

  test('a form without its token, with another session’s, or from another origin is refused', async () => {
    const browser = await stand.signedIn();
    const own = formTokenIn((await browser.get(path)).body);
    stand.bridge.received.length = 0;
    for (const form of [{}, { form_token: others }, { form_token: `${own}x` }, { form_token: '' }]) {
      expect((await browser.post(path, form)).status).toBe(403);
    }
    expect((await browser.post(path, { form_token: own }, { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect(asked()).toEqual([]);
    expect((await browser.post(path, { form_token: own })).status).not.toBe(403);
  });

  test('what is posted after the session ended is lost, and that is said with the way back', async () => {
    const browser = await stand.signedIn();
    const token = formTokenIn((await browser.get(path)).body);
    browser.cookies.clear();
    const late = await browser.post(path, { form_token: token });
    expect([late.status, late.body]).toEqual([401, expect.stringContaining(`/api/login?next_page=${encodeURIComponent(path)}`)]);
  });

  test('stays in no cache and in no frame, and names who works here', async () => {
    const reply = await (await stand.signedIn()).get(path);
    expect(reply.headers.get('cache-control')).toBe('no-store');
    expect(reply.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(reply.body).toContain('Grace Hopper (grace@example.com)');
  });
});

test.each(PAGES)('%s is for staff alone', async (path) => {
  expect((await stand.browser().get(path)).location).toBe(`/api/login?next_page=${encodeURIComponent(path)}`);
  stand.provider.person = { ...ADA, roles: ['trial-user'] };
  expect((await (await stand.signedIn()).get(path)).status).toBe(403);
  expect(asked()).toEqual([]);
});

test.each(['/staff', '/staff/'])('%s leads to the first page', async (path) => {
  expect((await (await stand.signedIn()).get(path)).location).toBe(FIRST);
});

test('a role that is taken is gone with the next renewal of the tokens', async () => {
  const browser = await stand.signedIn();
  expect((await browser.get(FIRST)).status).toBe(200);
  stand.provider.person = { ...GRACE, roles: [] };
  stand.clock.setOffset(6 * 60);
  try {
    expect((await browser.get(FIRST)).status).toBe(403);
  } finally {
    stand.clock.setOffset(0);
  }
});

test('without STAFF_URL there are no staff pages, and the app is not asked for them', async () => {
  const plain = await startStand();
  try {
    plain.provider.person = GRACE;
    expect((await (await plain.signedIn()).get(FIRST)).status).toBe(404);
    expect(plain.app.received.map(({ url }) => url)).not.toContain(FIRST);
  } finally {
    await plain.stop();
  }
});

/** SECURITY 25: on an origin of their own. */
describe('the staff origin', () => {
  const STAFF = { host: 'staff.example', accept: 'text/html', 'sec-fetch-mode': 'navigate' };
  let own: BillingStand;
  beforeAll(async () => {
    own = await startBillingStand({ env: { STAFF_URL: 'https://staff.example', TRUSTED_PROXIES: '127.0.0.0/8' } });
    own.provider.person = GRACE;
  });
  afterAll(() => own.stop());

  const get = (path: string, headers: Record<string, string> = {}) => send(own.url, { headers: { ...STAFF, ...headers } }, path);

  test('signs people in at its own callback, with a cookie of its own', async () => {
    const started = await get('/api/login');
    expect(started.headers.getSetCookie()[0]).toMatch(/^__Host-vestibule-login-[^;]+; Path=\/; HttpOnly; SameSite=Lax; Secure/);
    const login = await send(started.location!, { headers: { accept: 'text/html' } });
    expect(own.provider.authorizations.at(-1)!.effective.get('redirect_uri')).toBe('https://staff.example/api/callback');
    const back = new URL(login.location!);
    expect(back.origin).toBe('https://staff.example');
    const cookie = started.headers.getSetCookie().map((line) => line.split(';')[0]).join('; ');
    const done = await get(back.pathname + back.search, { cookie });
    expect([done.status, done.location]).toEqual([303, FIRST]);
    const session = done.headers.getSetCookie().find((line) => line.startsWith('__Host-vestibule='))!.split(';')[0]!;
    expect((await get(FIRST, { cookie: session })).status).toBe(200);
    // Worth nothing at the app, whatever its name there.
    expect((await send(own.url, { headers: { accept: 'application/json', cookie: session.replace('__Host-vestibule', 'vestibule_dev') } }, '/whoami')).status).toBe(401);
  });

  test('is left by a back-channel logout at the first site', async () => {
    const started = await get('/api/login');
    const login = await send(started.location!, { headers: { accept: 'text/html' } });
    const back = new URL(login.location!);
    const done = await get(back.pathname + back.search, { cookie: started.headers.getSetCookie().map((line) => line.split(';')[0]).join('; ') });
    const cookie = done.headers.getSetCookie().find((line) => line.startsWith('__Host-vestibule='))!.split(';')[0]!;
    const told = await send(own.url, { method: 'POST', form: { logout_token: await own.provider.logoutToken() } }, '/api/logout/back-channel');
    expect(told.status).toBe(200);
    expect((await get(FIRST, { cookie })).status).toBe(302);
  });

  test.each(['/whoami', '/trial', '/api/auth', '/api/session', '/api/trial/register', '/serverlogin/', '/api/login/resume', '/api/logout/back-channel'])('has nothing of app, trials or billing: %s', async (path) => {
    const before = own.app.received.length;
    expect((await get(path)).status).toBe(404);
    expect(own.app.received).toHaveLength(before);
  });

  test('the app’s origin has no staff pages', async () => {
    expect((await (await own.signedIn()).get(FIRST)).status).toBe(404);
  });

  test('leads from / to the pages, and an ambiguous address is refused', async () => {
    expect((await get('/')).location).toBe(FIRST);
    expect((await get('/staff/..%2fx')).status).toBe(400);
  });
});

function asked(): string[] {
  return stand.bridge.received.map(({ url }) => url).filter((url) => url.includes('/support/') || /^\/api\/trial(\?|$|\/[0-9a-f]{8}-|\/funnel)/.test(url));
}

