import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Browser } from '../support/browser.ts';
import { ADA, BACK, CONFIRM, formTokenIn, KEY, PLACE, SESSION, startBillingStand, SUPPORT, TOKEN, UUID, type BillingStand, type Step } from '../support/billing.ts';

const LOGIN = `/remote-billing-login/${TOKEN}`;
const REFUSED = { result: 'refused', support_url: SUPPORT };

let stand: BillingStand;
beforeAll(async () => {
  stand = await startBillingStand({ env: { TRUSTED_PROXIES: '127.0.0.0/8' } });
});
afterAll(() => stand.stop());
beforeEach(() => stand.forget());

describe('step 4', () => {
  test('who is not known is asked for an address, prefilled with what the server said', async () => {
    const page = await stand.browser().get(LOGIN);
    expect([page.status, stand.asked()]).toEqual([200, [{ step: 'login/open', message: { token: TOKEN } }]]);
    expect(page.body).toMatch(/name="email"[^>]* value="ada@example.org"/);
    expect(page.body).toContain('Analytical Society (chat.example.org)');
  });

  test('who is known, or comes with the proof, is asked to confirm', async () => {
    stand.answers('login/open', CONFIRM);
    const { body } = await stand.browser().get(LOGIN);
    expect(body).toContain('You are signing in to billing as ada@example.org for Analytical Society');
    expect(body).toMatch(/name="tos_consent" value="1.0" required/);
    expect(body).toContain('https://example.com/terms');
    expect(body).not.toMatch(/name="enable_\w+" value="yes" checked/);
  });

  test('terms that were accepted are not asked for', async () => {
    stand.answers('login/open', { ...CONFIRM, terms: { ...CONFIRM.terms, must_accept: false } });
    expect((await stand.browser().get(LOGIN)).body).not.toContain('tos_consent');
  });

  test('a host that nobody has checked is shown as such (SECURITY 18)', async () => {
    stand.answers('login/open', { ...CONFIRM, place: { ...PLACE, host_verified: false } });
    expect((await stand.browser().get(LOGIN)).body).toContain('chat.example.org is what the server says of itself');
  });

  test('somebody else who is signed in here is named before going on', async () => {
    const browser = await stand.inBilling();
    stand.forget();
    stand.answers('login/open', { ...CONFIRM, replaces: { email: 'bob@example.org', full_name: 'Bob', place: PLACE } });
    expect((await browser.get(LOGIN)).body).toContain('In this browser bob@example.org is signed in for Analytical Society');
    expect(stand.asked()[0]?.message).toEqual({ token: TOKEN, session_id: SESSION });
  });
});

describe('steps 5 and 6', () => {
  test('the address goes to the bridge, with the language and the client’s address; the answer names it', async () => {
    const browser = stand.browser();
    const page = await browser.get(LOGIN);
    const reply = await browser.post(`${LOGIN}/confirm/`, { form_token: formTokenIn(page.body), email: ' ada@example.org ', lang: 'fr' }, { 'x-forwarded-for': '198.51.100.7' });
    expect([reply.status, stand.asked().at(-1)]).toEqual([200, { step: 'login/mail', message: { token: TOKEN, email: 'ada@example.org', locale: 'fr' } }]);
    expect(stand.bridge.last().headers['x-forwarded-for']).toBe('198.51.100.7');
    expect(stand.bridge.last().headers.authorization).toMatch(/^Bearer ey/);
    expect(reply.body).toContain('Un message est en route vers ada@example.org');
  });

  test('no address: no call, and the form again', async () => {
    const reply = await stand.submit(stand.browser(), LOGIN, { email: '  ' }, `${LOGIN}/confirm/`);
    expect([reply.status, stand.asked().map(({ step }) => step)]).toEqual([400, ['login/open', 'login/open']]);
    expect(reply.body).toContain('id="email-error"');
  });

  test('an address that the bridge refuses is shown on its field, as it was typed', async () => {
    stand.answers('login/mail', { status: 400, problem: { code: 'invalid_request', detail: 'email: no', field: 'email' } });
    const reply = await stand.submit(stand.browser(), LOGIN, { email: 'ada@@example' }, `${LOGIN}/confirm/`);
    expect(reply.status).toBe(400);
    expect(reply.body).toMatch(/value="ada@@example"[^>]*aria-describedby="email-error/);
  });

  test('too many mails: the wait in words, what was typed is kept', async () => {
    stand.answers('login/mail', { status: 429, problem: { code: 'rate_limited', detail: 'x' }, headers: { 'retry-after': '7200' } });
    const reply = await stand.submit(stand.browser(), LOGIN, { email: 'ada@example.org' }, `${LOGIN}/confirm/`);
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([429, '7200']);
    expect(reply.body).toContain('Wait 2 hours');
    expect(reply.body).toContain('value="ada@example.org"');
  });

  test('an address that is confirmed needs no mail', async () => {
    stand.answers('login/mail', { result: 'known', email: 'ada@example.org', place: PLACE });
    const reply = await stand.submit(stand.browser(), LOGIN, { email: 'ada@example.org' }, `${LOGIN}/confirm/`);
    expect([reply.status, reply.location]).toEqual([303, LOGIN]);
  });

  test('switching the language keeps what was typed, and sends nothing', async () => {
    const reply = await stand.submit(stand.browser(), LOGIN, { email: 'typed@example.org', switch_lang: 'fr' }, `${LOGIN}/confirm/`);
    expect(reply.body).toContain('value="typed@example.org"');
    expect(reply.body).toContain('<html lang="fr"');
    expect(stand.asked().map(({ step }) => step)).not.toContain('login/mail');
  });

  test('who is known may have the link sent to another address', async () => {
    stand.answers('login/open', CONFIRM);
    const browser = stand.browser();
    expect((await browser.get(LOGIN)).body).toContain(`href="${LOGIN}/confirm/"`);
    expect((await browser.get(`${LOGIN}/confirm/`)).body).toContain('name="email"');
  });
});

describe('steps 7 and 8', () => {
  test.each(['/remote-billing-login/do_confirm/', '/serverlogin/do_confirm/'])('%s leads on with a fresh token, in the language of the mail', async (path) => {
    const browser = stand.browser();
    const reply = await browser.get(`${path}${KEY}?lang=fr`);
    expect([reply.status, reply.location]).toEqual([302, LOGIN]);
    expect(stand.asked()).toEqual([{ step: 'login/confirmation', message: { key: KEY } }]);
    expect((await browser.get(LOGIN)).body).toContain('<html lang="fr"');
  });

  test('a scanner that looks at every link twice confirms nobody (SECURITY 17)', async () => {
    for (const path of [`/remote-billing-login/do_confirm/${KEY}`, `/serverlogin/do_confirm/${KEY}`, LOGIN, `${LOGIN}/confirm/`]) {
      for (const method of ['HEAD', 'GET', 'HEAD', 'GET']) expect((await stand.browser().send(path, { method })).status).toBeLessThan(400);
    }
    expect(new Set(stand.asked().map(({ step }) => step))).toEqual(new Set(['login/confirmation', 'login/open']));
  });
});

describe('steps 9 and 10', () => {
  test('signs in with what was typed and ticked, and leads where the bridge says', async () => {
    stand.answers('login/open', CONFIRM);
    const browser = stand.browser();
    const reply = await stand.submit(browser, LOGIN, { full_name: 'Ada King', tos_consent: '1.0', enable_major_release_emails: 'yes' });
    expect([reply.status, reply.location]).toEqual([303, `/realm/${UUID}/plans/`]);
    const { step, message } = stand.asked().at(-1)!;
    expect([step, message]).toEqual(['login/complete', { token: TOKEN, attempt: expect.stringMatching(/^[\w-]{43}$/), full_name: 'Ada King', accepted_terms: '1.0', major_release_mails: true, maintenance_release_mails: false }]);
    const cookie = reply.headers.getSetCookie().find((line) => line.startsWith('vestibule_dev_billing='));
    expect(cookie).toMatch(/; Path=\/; HttpOnly; SameSite=Lax; Max-Age=\d+$/);
    expect(cookie).not.toContain(SESSION);
  });

  test('the same form posted twice names the same attempt; another browser another', async () => {
    stand.answers('login/open', CONFIRM);
    const browser = stand.browser();
    for (const one of [browser, browser, stand.browser()]) await stand.submit(one, LOGIN, { tos_consent: '1.0' });
    const [first, again, other] = stand.asked().flatMap(({ step, message }) => (step === 'login/complete' ? [message['attempt']] : []));
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  test('terms that were not ticked are asked for, and the name stays', async () => {
    stand.answers('login/open', CONFIRM);
    stand.answers('login/complete', { result: 'terms_needed', terms: CONFIRM.terms });
    const reply = await stand.submit(stand.browser(), LOGIN, { full_name: 'Ada King' });
    expect([reply.status, reply.body.includes('id="tos_consent-error"'), reply.body.includes('value="Ada King"')]).toEqual([400, true, true]);
  });

  test('a box that named another version is not ticked again (SECURITY 19)', async () => {
    stand.answers('login/open', { ...CONFIRM, terms: { ...CONFIRM.terms, version: '2.0' } });
    stand.answers('login/complete', { result: 'terms_needed', terms: CONFIRM.terms });
    const reply = await stand.submit(stand.browser(), LOGIN, { tos_consent: '1.0' });
    expect(reply.body).toMatch(/name="tos_consent" value="2.0" required/);
  });

  test('a token that proves nothing leads back to the form for an address', async () => {
    stand.answers('login/complete', { result: 'not_proven' });
    const reply = await stand.submit(stand.browser(), LOGIN);
    expect([reply.status, reply.location]).toEqual([303, LOGIN]);
  });

  test('who was signed in here before is signed out', async () => {
    const browser = await stand.inBilling();
    stand.forget();
    stand.answers('login/open', CONFIRM);
    stand.answers('login/complete', { result: 'signed_in', session_id: '99999999-2222-4333-8444-555555555555', user: ADA, place: PLACE, ends_at: 0, next_path: '/realm/x/plans/' });
    await stand.submit(browser, LOGIN, { tos_consent: '1.0' });
    expect(stand.asked().at(-1)).toEqual({ step: 'session/end', message: { session_id: SESSION } });
  });
});

describe('a whole server', () => {
  test('id and key lead to the form for an address', async () => {
    const reply = await stand.submit(stand.browser(), '/serverlogin/?next_page=upgrade', { zulip_org_id: ' id ', zulip_org_key: 'key', next_page: 'upgrade' }, '/serverlogin/');
    expect([reply.status, reply.location]).toEqual([303, LOGIN]);
    expect(stand.asked()).toEqual([{ step: 'server-login/open', message: { zulip_org_id: 'id', zulip_org_key: 'key', next_page: 'upgrade' } }]);
  });

  test.each([
    ['an unknown id or a wrong key', { ...REFUSED, reason: 'credentials' }],
    ['what is no id at all', { status: 400, problem: { code: 'invalid_request', field: 'zulip_org_id', detail: 'x' } }],
  ])('%s: one sentence, and the key is not shown again', async (_name, answer) => {
    stand.answers('server-login/open', answer);
    const reply = await stand.submit(stand.browser(), '/serverlogin/', { zulip_org_id: 'my-id', zulip_org_key: 'my-key' });
    expect([reply.status, reply.body.includes('This id and key don’t open anything'), reply.body.includes('value="my-id"'), reply.body.includes('my-key')]).toEqual([403, true, true, false]);
  });
});

describe('refused', () => {
  const REASONS = { unknown: 404, expired: 410, spent: 410, revoked: 410, deactivated: 403 };
  const WAYS: [Step, (browser: Browser) => Promise<{ status: number; body: string }>][] = [
    ['login/open', (browser) => browser.get(LOGIN)],
    ['login/confirmation', (browser) => browser.get(`/remote-billing-login/do_confirm/${KEY}`)],
    ['login/mail', (browser) => stand.submit(browser, LOGIN, { email: 'ada@example.org' }, `${LOGIN}/confirm/`)],
    ['login/complete', (browser) => stand.submit(browser, LOGIN, { tos_consent: '1.0' })],
  ];
  const rows = WAYS.flatMap(([step, way]) => Object.entries(REASONS).map(([reason, status]) => [step, reason, status, way] as const));

  test.each(rows)('%s, %s: a page with %d that leads on', async (step, reason, status, way) => {
    const back = reason === 'unknown' || reason === 'deactivated' ? {} : { login_url: BACK };
    stand.answers(step, { ...REFUSED, reason, ...back });
    const page = await way(stand.browser());
    expect(page.status).toBe(status);
    expect(page.body).toContain(`href="${SUPPORT}"`);
    expect(page.body.includes(`href="${BACK}"`)).toBe('login_url' in back);
  });

  test.each(Object.entries(REASONS))('%s: a program gets %d as problem+json', async (reason, status) => {
    stand.answers('login/open', { ...REFUSED, reason, login_url: BACK });
    const reply = await stand.browser().send(LOGIN, { headers: { accept: 'application/json' } });
    expect([reply.status, reply.headers.get('content-type')]).toEqual([status, expect.stringMatching(/^application\/problem\+json/)]);
    expect(reply.json()['detail']).toContain(BACK);
  });

  test.each(['x'.repeat(2049), 'a%20b', '<b>'])('%s is no token: nobody is asked', async (token) => {
    const reply = await stand.browser().get(`/remote-billing-login/${token}`);
    expect([reply.status, stand.asked()]).toEqual([404, []]);
  });

  test('the bridge out of reach: a page that says so', async () => {
    stand.answers('login/open', { status: 500, problem: { code: 'internal_error' } });
    expect((await stand.browser().get(LOGIN)).status).toBe(502);
  });
});

describe('every page of a sign-in', () => {
  test.each([LOGIN, `${LOGIN}/confirm/`, '/serverlogin/', '/remote-billing-login/signed-out', '/remote-billing-login/x y'.replace(' ', '%20')])('%s may not be framed, stored or scripted (SECURITY 24)', async (path) => {
    const { headers, body } = await stand.browser().get(path);
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).not.toMatch(/<script|\sstyle=|\son\w+=/i);
  });

  test.each([LOGIN, `${LOGIN}/confirm/`, `/remote-billing-login/do_confirm/${KEY}`])('%s leaks its address to nobody (SECURITY 10)', async (path) => {
    const reply = await stand.browser().get(path);
    expect(reply.headers.get('referrer-policy')).toBe('no-referrer');
    expect(reply.body).not.toMatch(new RegExp(`hreflang[^>]*${TOKEN}|href="[^"]*${TOKEN}[^"]*lang=`));
  });

  test('no token, key or session is logged (SECURITY 14)', async () => {
    await stand.inBilling();
    const odd = ['/%72emote-billing-login/', '/remote-billing-login//', '/Remote-Billing-Login/', '/serverlogin/do_confirm/x/', '/remote-billing-login/do_confirm/'];
    for (const path of odd) await stand.browser().get(path + TOKEN);
    await stand.browser().get(`/remote-billing-login/do_confirm/${KEY}`);
    await stand.submit(stand.browser(), '/serverlogin/', { zulip_org_id: 'my-id', zulip_org_key: 'the-key-of-a-server' });
    const secrets = [TOKEN, KEY, SESSION, 'the-key-of-a-server'];
    expect(stand.log()).toContain('"path":"/remote-billing-login/:token"');
    expect(secrets.filter((secret) => stand.log().includes(secret))).toEqual([]);
  });
});
