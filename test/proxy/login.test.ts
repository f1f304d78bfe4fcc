import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { CLIENT, type Misbehaviour } from './support/provider.ts';
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

/** What the provider is told, once the browser goes where the proxy sent it. */
async function told(start: Reply): Promise<ReturnType<typeof lastAuthorization>> {
  await send(String(start.location));
  return lastAuthorization();
}
const languageSent = async (start: Reply) => (await told(start)).effective.get('ui_locales');
const names = (query: URLSearchParams) => [...query.keys()].sort();
const loginCookies = (browser: Browser) => [...browser.cookies.keys()].filter((name) => name.includes('login'));
const sessionCookie = (browser: Browser) => browser.cookies.get('vestibule_dev');

/** Starts a login and stops before the provider's answer reaches the proxy. */
async function callbackOf(browser: Browser, path = '/api/login'): Promise<string> {
  let start = await browser.get(path);
  if (start.location?.startsWith('/')) start = await browser.get(`${start.location}&here=`);
  const back = await send(String(start.location));
  const url = new URL(String(back.location));
  return url.pathname + url.search;
}

/** The first goes to the provider, the second waits. */
async function twoTabs(): Promise<{ browser: Browser; first: string; waiting: string }> {
  const browser = stand.browser();
  const [first = '', waiting = ''] = [await browser.get('/api/login?next_page=/first'), await browser.get('/api/login?next_page=/waiting')].map(({ location }) => String(location));
  expect([(await browser.get(waiting)).status, (await browser.get(first)).status]).toEqual([200, 302]);
  return { browser, first, waiting };
}

describe('what is sent to Keycloak', () => {
  test('without an invitation: code flow with PKCE S256, state and nonce, and nothing else of the query', async () => {
    const browser = stand.browser();
    const start = await browser.get('/api/login?acr_values=evil&prompt=create&scope=admin&login_hint=a&redirect_uri=https://evil.example&request_id=evil&lang=fr', { 'x-request-id': 'journey-7' });
    expect(start.status).toBe(302);
    const url = new URL(String(start.location));
    expect(url.origin + url.pathname).toBe(`${stand.provider.issuer}/protocol/openid-connect/auth`);
    const { inUrl, effective } = await told(start);
    expect(names(inUrl)).toEqual(['client_id', 'request_uri']);
    expect(names(effective)).toEqual(['client_id', 'code_challenge', 'code_challenge_method', 'nonce', 'redirect_uri', 'request_id', 'response_type', 'scope', 'state', 'ui_locales']);
    expect(Object.fromEntries(effective)).toMatchObject({
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
    expect(await languageSent(await browser.get('/api/login'))).toBe('fr');
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

  test('by a provider that offers no PAR, everything goes by query', async () => {
    const plain = await startStand();
    plain.provider.misbehave = { metadata: ({ pushed_authorization_request_endpoint: _par, ...others }) => others };
    const starts = [await plain.browser().get('/api/login'), await plain.browser().get(`/api/login?invitation_token=${INVITATION}`)];
    const [signIn, invited] = starts.map(({ location }) => new URL(String(location)).searchParams);
    expect([signIn?.get('code_challenge_method'), signIn?.get('request_uri'), invited?.get('invitation_token'), invited?.get('prompt')]).toEqual(['S256', null, INVITATION, 'create']);
    await plain.stop();
  });

  test('with INVITATION_BY_PAR=false the token goes by query, for Keycloak before 26.7', async () => {
    const older = await startStand({ env: { INVITATION_BY_PAR: 'false' } });
    const start = await older.browser().get(`/api/login?invitation_token=${INVITATION}`);
    const query = new URL(String(start.location)).searchParams;
    expect([query.get('invitation_token'), query.get('prompt'), query.get('request_uri')]).toEqual([INVITATION, 'create', null]);
    const signIn = await older.browser().get('/api/login');
    expect(new URL(String(signIn.location)).searchParams.get('request_uri')).toMatch(/^urn:/);
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
    expect((await told(start)).effective.get('redirect_uri')).toBe(`${stand.url}/api/callback`);
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

  test('of tabs that begin at the same moment one goes to the provider; the others wait, and end where they wanted', async () => {
    const browser = stand.browser();
    const tabs = [1, 2, 3, 4, 5];
    const hops = await Promise.all(tabs.map(async (tab) => String((await browser.get(String((await browser.get(`/tab/${tab}`)).location))).location)));
    const replies = await Promise.all(hops.map((hop) => browser.get(hop)));
    expect(replies.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 200, 302]);
    const first = replies.findIndex(({ status }) => status === 302);
    for (const reply of replies.filter(({ status }) => status === 200)) {
      expect(reply.headers.get('refresh')).toBe('1');
      expect(reply.body).toContain('You are signing in in another tab');
    }
    expect((await browser.follow(replies[first]!)).at).toBe(`${stand.url}/tab/${tabs[first]}`);
    const ends = await Promise.all(hops.map((hop) => browser.get(hop)));
    expect(ends.map(({ status, location }) => [status, location])).toEqual(tabs.map((tab) => [303, `/tab/${tab}`]));
  });

  describe('a tab that waits for another', () => {
    test('goes on where the person wants to sign in', async () => {
      const { browser, waiting } = await twoTabs();
      const link = /href="(\/api\/login\/tab[^"]+)"[^>]*>Sign in here/.exec((await browser.get(waiting)).body)?.[1]?.replaceAll('&amp;', '&') ?? '';
      expect((await browser.follow(await browser.get(link))).at).toBe(`${stand.url}/waiting`);
    });

    test('goes on when the first one failed', async () => {
      const { browser, first, waiting } = await twoTabs();
      stand.provider.misbehave = { redirect: (query) => query.set('error', 'access_denied') };
      expect((await browser.follow(await browser.get(first))).status).toBe(400);
      stand.provider.misbehave = {};
      expect((await browser.follow(await browser.get(waiting))).at).toBe(`${stand.url}/waiting`);
    });

    test('goes on ten seconds later, whatever became of the first', async () => {
      const { browser, waiting } = await twoTabs();
      stand.clock.setOffset(11);
      expect((await browser.follow(await browser.get(waiting))).at).toBe(`${stand.url}/waiting`);
    });

    test('is none where the first was begun more than three seconds before', async () => {
      const browser = stand.browser();
      await browser.get('/api/login?next_page=/first');
      stand.clock.setOffset(4);
      const hop = await browser.get('/api/login?next_page=/second');
      expect((await browser.get(String(hop.location))).location).toContain(stand.provider.publicUrl);
    });

    test('of somebody who has signed in before goes to the provider: it was begun to sign in anew', async () => {
      const browser = await stand.signedIn();
      const hop = await browser.get('/api/login?next_page=/wanted');
      expect((await browser.get(String(hop.location))).location).toContain(stand.provider.publicUrl);
    });

    test.each(['', 'x', 'A'.repeat(16)])('of nobody (%j) begins a login', async (id) => {
      const reply = await stand.browser().get(`/api/login/tab?login=${id}`);
      expect([reply.status, reply.location]).toEqual([303, '/api/login']);
    });

    test('of another browser begins one too, and tells nothing of the other’s', async () => {
      const { waiting } = await twoTabs();
      expect((await stand.browser().get(waiting)).location).toBe('/api/login');
    });
  });

  test('a sixth login of one browser takes the place of the oldest', async () => {
    const browser = stand.browser();
    const first = await callbackOf(browser, '/api/login?next_page=/first');
    for (let tab = 0; tab < 5; tab += 1) await browser.get('/api/login');
    expect(loginCookies(browser)).toHaveLength(5);
    expect((await browser.get(first)).status).toBe(400);
  });

  test('one that is finished gives way before one that is under way', async () => {
    const browser = stand.browser();
    const open = await callbackOf(browser, '/api/login?next_page=/open');
    await browser.follow(await browser.get('/api/login'));
    for (let tab = 0; tab < 4; tab += 1) await browser.get('/api/login');
    expect((await browser.get(open)).location).toBe('/open');
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
    await browser.follow(await browser.get(callback));
    const again = await browser.get(callback);
    expect([again.status, again.location]).toEqual([303, '/wanted']);
  });

  test.each<[string, Misbehaviour]>([
    ['was finished in another tab (Keycloak)', { redirect: (query) => query.set('error', 'temporarily_unavailable') }],
    ['has a code that is too old', { token: { status: 400, body: { error: 'invalid_grant' } } }],
  ])('an answer that %s leads somebody who is signed in to the wanted page, and nobody else', async (_what, misbehaviour) => {
    const late = async (browser: Browser): Promise<Reply> => {
      stand.provider.misbehave = misbehaviour;
      const callback = await callbackOf(browser, '/api/login?next_page=/wanted');
      return browser.get(callback);
    };
    const browser = await stand.signedIn();
    expect((await late(browser)).location).toBe('/wanted');
    expect((await late(stand.browser())).status).toBe(400);
  });

  test('but not one of an invitation that somebody follows who was signed in before: it is another’s', async () => {
    const browser = await stand.signedIn();
    stand.provider.misbehave = { redirect: (query) => query.set('error', 'temporarily_unavailable') };
    const page = await browser.follow(await browser.get(`/api/login?invitation_token=${INVITATION}&next_page=/wanted`));
    expect(page.body).toContain('href="/api/login/resume"');
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
