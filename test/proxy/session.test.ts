import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { Client } from 'pg';
import { send, type Browser } from './support/browser.ts';
import { startStand, type Stand } from './support/stand.ts';

const ADA = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada Lovelace' };
let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
});
afterAll(() => stand.stop());
afterEach(() => {
  stand.provider.person = ADA;
  stand.clock.setOffset(0);
});

const isSignedIn = async (browser: Browser) => (await browser.send('/api/session')).json<{ authenticated: boolean }>().authenticated;
const nowSeconds = () => Math.floor(Date.now() / 1000);

async function rows<T>(query: string): Promise<T[]> {
  const client = new Client({ connectionString: stand.database.proxyUrl });
  await client.connect();
  const { rows: found } = await client.query(query);
  await client.end();
  return found as T[];
}

describe('a session', () => {
  test('ends after 30 minutes without a request', async () => {
    const browser = await stand.signedIn();
    stand.clock.setOffset(29 * 60);
    expect(await isSignedIn(browser)).toBe(true);
    stand.clock.setOffset(58 * 60);
    expect(await isSignedIn(browser)).toBe(true);
    stand.clock.setOffset(58 * 60 + 30 * 60);
    expect(await isSignedIn(browser)).toBe(false);
  });

  test('ends after 10 hours, however busy', async () => {
    const browser = await stand.signedIn();
    for (let minutes = 20; minutes < 600; minutes += 20) {
      stand.clock.setOffset(minutes * 60);
      await isSignedIn(browser);
    }
    stand.clock.setOffset(600 * 60 - 60);
    expect(await isSignedIn(browser)).toBe(true);
    stand.clock.setOffset(600 * 60);
    expect(await isSignedIn(browser)).toBe(false);
  });

  test('ends with trial_access_until, to the second, and the browser is sent to sign in', async () => {
    const until = nowSeconds() + 600;
    stand.provider.person = { ...ADA, trial: { app: 'app-1', endsAt: until - 60, accessUntil: until } };
    const browser = await stand.signedIn();
    expect((await browser.send('/api/session')).json()).toEqual({
      authenticated: true,
      user: { id: 'user-ada', email: 'ada@example.com', name: 'Ada Lovelace' },
      trial: { app: 'app-1', ends_at: until - 60, access_until: until },
      expires_at: until,
    });
    stand.clock.setOffset(until - nowSeconds() - 2);
    expect((await browser.get('/')).status).toBe(200);
    stand.clock.setOffset(until - nowSeconds());
    expect((await browser.get('/')).location).toBe('/api/login?next_page=%2F');
  });

  test('is stored under the hash of its id, its tokens sealed', async () => {
    const browser = await stand.signedIn();
    const id = String(browser.cookies.get('vestibule_dev'));
    expect(id).toMatch(/^[A-Za-z0-9_-]{43}$/);
    const dump = JSON.stringify(await rows('select s.*, encode(id_hash, $$hex$$) as hash from proxy.session s')) + JSON.stringify(await rows('select * from proxy.login_transaction'));
    expect(dump).toContain(createHash('sha256').update(id).digest('hex'));
    for (const secret of [id, ...stand.provider.secrets]) expect(dump).not.toContain(secret);
  });

  test('two session cookies count as none (SECURITY 22)', async () => {
    const browser = await stand.signedIn();
    const cookie = `vestibule_dev=planted; vestibule_dev=${browser.cookies.get('vestibule_dev')}`;
    expect((await send(stand.url, { headers: { cookie } }, '/api/session')).json()).toMatchObject({ authenticated: false });
  });

  test('that has ended is swept away', async () => {
    await stand.signedIn();
    stand.clock.setOffset(48 * 3600);
    await stand.proxy.sweep();
    expect(await rows('select 1 from proxy.session union all select 1 from proxy.login_transaction')).toEqual([]);
  });
});

describe('a browser that sends no Sec-Fetch (plain http on a local network)', () => {
  test('can use every form, because its page lets it name its origin', async () => {
    const browser = await stand.signedIn();
    for (const page of ['/api/logout', '/trial', '/trial/new-link', '/trial/check-email']) expect([page, (await browser.get(page)).headers.get('referrer-policy')]).toEqual([page, 'same-origin']);
    const reply = await send(stand.url, { method: 'POST', form: { switch_lang: 'fr' }, headers: { accept: 'text/html', origin: stand.url } }, '/trial');
    expect(reply.status).toBe(200);
  });
});

test('a short idle limit does not end a busy session', async () => {
  const short = await startStand({ env: { SESSION_IDLE_MINUTES: '1' } });
  const browser = await short.signedIn();
  for (const seconds of [30, 60, 90, 120]) {
    short.clock.setOffset(seconds);
    expect(await isSignedIn(browser)).toBe(true);
  }
  await short.stop();
});

describe('signing out', () => {
  test('GET asks and changes nothing (SECURITY 24)', async () => {
    const browser = await stand.signedIn();
    const page = await browser.get('/api/logout');
    expect(page.body).toContain('You are signed in as ada@example.com.');
    expect(await isSignedIn(browser)).toBe(true);
  });

  test('POST ends the session here and at Keycloak, and leads to a page', async () => {
    const browser = await stand.signedIn();
    const cookie = `vestibule_dev=${browser.cookies.get('vestibule_dev')}`;
    const end = await browser.follow(await browser.post('/api/logout', {}));
    expect(end.at).toBe(`${stand.url}/api/logout/done`);
    expect(end.body).toContain('You are signed out');
    const goodbye = stand.provider.logouts.at(-1);
    expect(goodbye?.get('post_logout_redirect_uri')).toBe(`${stand.url}/api/logout/done`);
    expect(goodbye?.get('id_token_hint')?.split('.')).toHaveLength(3);
    expect((await send(stand.url, { headers: { cookie } }, '/api/session')).json()).toMatchObject({ authenticated: false });
  });

  test('Keycloak away: still signed out here', async () => {
    const away = await startStand();
    const browser = await away.signedIn();
    await away.provider.stop();
    const reply = await browser.post('/api/logout', {});
    expect(reply.status).toBe(303);
    expect((await browser.send('/api/session')).json()).toMatchObject({ authenticated: false });
    await away.proxy.stop();
    await away.database.drop();
    await Promise.all([away.app.stop(), away.bridge.stop()]);
  });

  test.each([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a sibling of the site', { 'sec-fetch-site': 'same-site' }],
    ['a browser without Sec-Fetch, of another origin', { 'sec-fetch-site': '', origin: 'https://evil.example' }],
    ['a sandboxed frame', { 'sec-fetch-site': '', origin: 'null' }],
  ])('a form of %s is refused (SECURITY 24)', async (_name, headers) => {
    const browser = await stand.signedIn();
    const sent = Object.fromEntries(Object.entries({ accept: 'text/html', origin: 'https://evil.example', cookie: `vestibule_dev=${browser.cookies.get('vestibule_dev')}`, ...headers }).filter(([, value]) => value !== ''));
    for (const path of ['/api/logout', '/api/login/resume', '/api/login/other-person', '/trial', '/trial/new-link']) {
      const reply = await send(stand.url, { method: 'POST', form: {}, headers: sent }, path);
      expect([path, reply.status]).toEqual([path, 403]);
    }
    expect(await isSignedIn(browser)).toBe(true);
  });
});
