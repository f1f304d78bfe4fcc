import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { CLIENT } from './support/provider.ts';
import { send, type Browser, type Reply } from './support/browser.ts';
import { startStand, type Stand } from './support/stand.ts';

const INVITATION = 'i'.repeat(43);
const ADA = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada Lovelace' };
const GRACE = { sub: 'user-grace', email: 'grace@example.com', name: 'Grace Hopper' };

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
});
afterAll(() => stand.stop());
afterEach(() => {
  stand.provider.person = ADA;
  stand.provider.misbehave = {};
  stand.clock.setOffset(0);
});

const lastAuthorization = () => stand.provider.authorizations.at(-1) as (typeof stand.provider.authorizations)[number];
const languageSent = (reply: Reply) => new URL(String(reply.location)).searchParams.get('ui_locales');
const names = (query: URLSearchParams) => [...query.keys()].sort();
const loginCookies = (browser: Browser) => [...browser.cookies.keys()].filter((name) => name.includes('login'));
const sessionCookie = (browser: Browser) => browser.cookies.get('vestibule_dev');

/** Starts a login and stops before the provider's answer reaches the proxy. */
async function callbackOf(browser: Browser, path = '/api/login'): Promise<string> {
  const start = await browser.get(path);
  const back = await send(String(start.location));
  const url = new URL(String(back.location));
  return url.pathname + url.search;
}

describe('what is sent to Keycloak', () => {
  test('without an invitation: code flow with PKCE S256, state and nonce, and nothing else of the query', async () => {
    const browser = stand.browser();
    const start = await browser.get('/api/login?next_page=/x&acr_values=evil&prompt=create&scope=admin&login_hint=a&redirect_uri=https://evil.example&request_id=evil&lang=fr', { 'x-request-id': 'journey-7' });
    expect(start.status).toBe(302);
    const url = new URL(String(start.location));
    expect(url.origin + url.pathname).toBe(`${stand.provider.issuer}/protocol/openid-connect/auth`);
    expect(names(url.searchParams)).toEqual(['client_id', 'code_challenge', 'code_challenge_method', 'nonce', 'redirect_uri', 'request_id', 'response_type', 'scope', 'state', 'ui_locales']);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      client_id: CLIENT.id,
      code_challenge_method: 'S256',
      redirect_uri: `${stand.url}/api/callback`,
      request_id: 'journey-7',
      response_type: 'code',
      scope: 'openid profile email',
      ui_locales: 'fr',
    });
    expect(start.headers.get('cache-control')).toBe('no-store');
    expect(start.headers.get('referrer-policy')).toBe('no-referrer');
  });

  test.each([`/api/login?invitation_token=${INVITATION}&lang=fr`, '/api/login?lang=fr'])('the language of a mail’s link, %s, stays with the pages that follow', async (link) => {
    const browser = stand.browser();
    await browser.get(link);
    expect(languageSent(await browser.get('/api/login'))).toBe('fr');
    expect((await browser.get('/api/logout/done')).body).toContain('<html lang="fr"');
    await browser.get('/api/login?lang=xx');
    expect((await browser.get('/api/logout/done')).body).toContain('<html lang="fr"');
  });

  test('with an invitation: the token and prompt=create go ahead by PAR, the address carries a reference only', async () => {
    const browser = stand.browser();
    await browser.follow(await browser.get(`/api/login?invitation_token=${INVITATION}&next_page=/x`));
    const { inUrl, effective } = lastAuthorization();
    expect(names(inUrl)).toEqual(['client_id', 'request_uri']);
    expect(effective.get('invitation_token')).toBe(INVITATION);
    expect(effective.get('prompt')).toBe('create');
    expect(names(effective)).toEqual([
      'client_id', 'code_challenge', 'code_challenge_method', 'invitation_token', 'nonce', 'prompt', 'redirect_uri', 'request_id', 'response_type', 'scope', 'state', 'ui_locales',
    ]);
  });

  test('with INVITATION_BY_PAR=false the token goes by query, for Keycloak before 26.7', async () => {
    const older = await startStand({ env: { INVITATION_BY_PAR: 'false' } });
    const start = await older.browser().get(`/api/login?invitation_token=${INVITATION}`);
    const query = new URL(String(start.location)).searchParams;
    expect([query.get('invitation_token'), query.get('prompt'), query.get('request_uri')]).toEqual([INVITATION, 'create', null]);
    await older.stop();
  });

  test('with INVITATION_ENDPOINT=registrations it goes by query to that endpoint, for Keycloak before 26.1; a sign-in does not', async () => {
    const oldest = await startStand({ env: { INVITATION_ENDPOINT: 'registrations' } });
    const [invited, signIn] = [await oldest.browser().get(`/api/login?invitation_token=${INVITATION}`), await oldest.browser().get('/api/login')].map(({ location }) => new URL(String(location)));
    expect(invited?.pathname).toMatch(/\/protocol\/openid-connect\/registrations$/);
    expect(invited?.searchParams.get('invitation_token')).toBe(INVITATION);
    expect(signIn?.pathname).toMatch(/\/protocol\/openid-connect\/auth$/);
    await oldest.stop();
  });

  test.each(['', 'short', 'a b', 'x'.repeat(201), `${INVITATION}<script>`, `${INVITATION}&invitation_token=${INVITATION}`])('an invitation token %j that can’t be one gets a page, not a login', async (token) => {
    const before = stand.provider.authorizations.length;
    const reply = await stand.browser().get(`/api/login?invitation_token=${token.replace(' ', '%20')}`);
    expect(reply.status).toBe(400);
    expect(reply.body).toContain('This link is not complete');
    expect(reply.body).toContain('href="/trial/new-link"');
    expect(stand.provider.authorizations).toHaveLength(before);
  });

  test('SECURITY 10: evil Host, X-Forwarded-Host and Forwarded change no address', async () => {
    const evil = { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', forwarded: 'host=evil.example' };
    const start = await stand.browser().get('/api/login', evil);
    expect(new URL(String(start.location)).searchParams.get('redirect_uri')).toBe(`${stand.url}/api/callback`);
    const session = await stand.browser().send('/api/session', { headers: evil });
    expect(session.json()).toEqual({ authenticated: false, login_url: `${stand.url}/api/login` });
    const page = await stand.browser().get('/trial', evil);
    expect(page.body).not.toContain('evil.example');
  });
});

describe('signing in', () => {
  test('leads where it was begun, with a session of its own id', async () => {
    const browser = stand.browser();
    const end = await browser.follow(await browser.get('/reports?year=2026'));
    expect(end.at).toBe(`${stand.url}/reports?year=2026`);
    const first = sessionCookie(browser);
    await browser.follow(await browser.get('/api/login'));
    expect(sessionCookie(browser)).not.toBe(first);
    expect(loginCookies(browser)).toEqual([]);
  });

  test.each(['//evil.example', 'https://evil.example/', '/\\evil.example', '/api/login'])('next_page %j is ignored and the start page comes', async (page) => {
    const browser = stand.browser();
    const end = await browser.follow(await browser.get(`/api/login?next_page=${encodeURIComponent(page)}`));
    expect(end.at).toBe(`${stand.url}/`);
  });

  test('five tabs started at once all end where they wanted', async () => {
    const browser = stand.browser();
    const callbacks = await Promise.all([1, 2, 3, 4, 5].map((tab) => callbackOf(browser, `/api/login?next_page=/tab/${tab}`)));
    const ends: string[] = [];
    for (const callback of callbacks.toReversed()) ends.push((await browser.follow(await browser.get(callback))).at);
    expect(ends).toEqual([5, 4, 3, 2, 1].map((tab) => `${stand.url}/tab/${tab}`));
  });

  test('a sixth login of one browser takes the place of the oldest', async () => {
    const browser = stand.browser();
    const first = await callbackOf(browser, '/api/login?next_page=/first');
    for (let tab = 0; tab < 5; tab += 1) await browser.get('/api/login');
    expect(loginCookies(browser)).toHaveLength(5);
    expect((await browser.get(first)).status).toBe(400);
  });

  test('20 answers to one login at the same time open one session', async () => {
    const browser = stand.browser();
    const callback = await callbackOf(browser);
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const replies = await Promise.all(Array.from({ length: 20 }, () => send(stand.url, { headers: { cookie, accept: 'text/html' } }, callback)));
    const opened = replies.filter((reply) => reply.headers.getSetCookie().some((line) => line.startsWith('vestibule_dev=')));
    expect(opened).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 400)).toHaveLength(19);
  });

  test('a stale answer leads somebody who is signed in to the wanted page', async () => {
    const browser = stand.browser();
    const callback = await callbackOf(browser, '/api/login?next_page=/wanted');
    const cookies = new Map(browser.cookies);
    await browser.follow(await browser.get(callback));
    for (const [name, value] of cookies) browser.cookies.set(name, value);
    const again = await browser.get(callback);
    expect([again.status, again.location]).toEqual([303, '/wanted']);
  });

  test('an answer in another browser is refused with a page that offers a way on', async () => {
    const callback = await callbackOf(stand.browser());
    const other = await stand.browser().get(callback);
    expect(other.status).toBe(400);
    expect(other.body).toContain('This sign-in is over');
    expect(other.body).toContain('href="/api/login"');
    expect(other.headers.getSetCookie().filter((line) => line.startsWith('vestibule_dev='))).toEqual([]);
  });

  test('knowing the name of a login cookie is not holding it', async () => {
    const browser = stand.browser();
    const callback = await callbackOf(browser);
    const thief = stand.browser();
    for (const name of loginCookies(browser)) thief.cookies.set(name, 'x'.repeat(43));
    expect((await thief.get(callback)).status).toBe(400);
    expect((await browser.get(callback)).status).toBe(303);
  });

  test('a login that stood open too long is refused', async () => {
    const browser = stand.browser();
    const callback = await callbackOf(browser);
    stand.clock.setOffset(25 * 3600);
    expect((await browser.get(callback)).status).toBe(400);
  });

  test('a trial that is over already opens no session', async () => {
    const past = Math.floor(Date.now() / 1000) - 1;
    stand.provider.person = { ...ADA, trial: { app: 'app-1', endsAt: past, accessUntil: past } };
    const browser = stand.browser();
    const end = await browser.follow(await browser.get('/api/login'));
    expect(end.status).toBe(403);
    expect(end.body).toContain('Your trial has ended');
    expect(end.body).toContain('https://example.com/contact');
    expect(sessionCookie(browser)).toBeUndefined();
  });

  test('when Keycloak answers again, the same callback goes on', async () => {
    const browser = stand.browser();
    const callback = await callbackOf(browser, '/api/login?next_page=/wanted');
    stand.provider.misbehave = { token: { status: 503, body: {} } };
    const failed = await browser.get(callback);
    expect(failed.status).toBe(502);
    stand.provider.misbehave = {};
    expect((await browser.get(callback)).location).toBe('/wanted');
  });
});

/** A browser of one person in which another has just signed in. */
async function asked(): Promise<{ browser: Browser; page: string; question: string }> {
  const browser = await stand.signedIn();
  stand.provider.person = GRACE;
  const end = await browser.follow(await browser.get('/api/login?next_page=/wanted'));
  return { browser, page: end.body, question: /name="login" value="([^"]+)"/.exec(end.body)?.[1] ?? '' };
}
async function whoIs(browser: Browser): Promise<string> {
  return (await browser.send('/api/session')).json<{ user: { id: string } }>().user.id;
}

describe('another person signs in here (SECURITY 8)', () => {
  test('a page names both and nothing has changed yet', async () => {
    const { browser, page } = await asked();
    expect(page).toContain('ada@example.com');
    expect(page).toContain('grace@example.com');
    expect(await whoIs(browser)).toBe('user-ada');
  });

  test('going on gives the other person a session of their own; the first one’s is over', async () => {
    const { browser, question } = await asked();
    const before = sessionCookie(browser);
    const end = await browser.post('/api/login/other-person', { login: question, choice: 'go_on' });
    expect([end.status, end.location]).toEqual([303, '/wanted']);
    expect(await whoIs(browser)).toBe('user-grace');
    const old = await send(stand.url, { headers: { cookie: `vestibule_dev=${before}` } }, '/api/session');
    expect(old.json()).toMatchObject({ authenticated: false });
  });

  test('staying keeps the first person, and the question is closed', async () => {
    const { browser, question } = await asked();
    await browser.post('/api/login/other-person', { login: question, choice: 'stay' });
    await browser.post('/api/login/other-person', { login: question, choice: 'go_on' });
    expect(await whoIs(browser)).toBe('user-ada');
  });

  test('nobody else can answer it', async () => {
    const { browser, question } = await asked();
    const stranger = await stand.browser().post('/api/login/other-person', { login: question, choice: 'go_on' });
    expect(stranger.headers.getSetCookie().filter((line) => line.startsWith('vestibule_dev='))).toEqual([]);
    expect(await whoIs(browser)).toBe('user-ada');
  });
});

describe('a lost authentication session', () => {
  test('with an invitation begun here: one button starts the same invitation again', async () => {
    const browser = stand.browser();
    await callbackOf(browser, `/api/login?invitation_token=${INVITATION}&next_page=/wanted`);
    const page = await browser.get('/api/login/resume');
    expect(page.status).toBe(200);
    expect(page.body).toContain('action="/api/login/resume"');
    expect(page.body).not.toContain(INVITATION);
    const end = await browser.follow(await browser.post('/api/login/resume', {}));
    expect(lastAuthorization().effective.get('invitation_token')).toBe(INVITATION);
    expect(end.at).toBe(`${stand.url}/wanted`);
  });

  test('once it has led to a sign-in it is not offered again', async () => {
    const browser = stand.browser();
    await browser.follow(await browser.get(`/api/login?invitation_token=${INVITATION}`));
    expect((await browser.get('/api/login/resume')).location).toBe('/');
  });

  test.each(['GET', 'POST'])('without one, %s leads to the first page', async (method) => {
    const browser = stand.browser();
    const reply = method === 'GET' ? await browser.get('/api/login/resume') : await browser.post('/api/login/resume', {});
    expect([reply.status, reply.location]).toEqual([303, '/']);
  });

  test('Keycloak away: the invitation is kept for another try, and the page does not show it', async () => {
    const away = await startStand();
    away.provider.misbehave = { down: true };
    const browser = away.browser();
    const failed = await browser.get(`/api/login?invitation_token=${INVITATION}`);
    expect(failed.status).toBe(502);
    expect(failed.body).not.toContain(INVITATION);
    expect(failed.body).toContain('action="/api/login/resume"');
    away.provider.misbehave = {};
    await browser.follow(await browser.post('/api/login/resume', {}));
    expect(away.provider.authorizations.at(-1)?.effective.get('invitation_token')).toBe(INVITATION);
    await away.stop();
  });
});
