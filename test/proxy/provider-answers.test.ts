import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { SignJWT } from 'jose';
import type { Misbehaviour } from './support/provider.ts';
import { CLIENT } from './support/provider.ts';
import { eventually } from '../support/eventually.ts';
import { send } from './support/browser.ts';
import { startStand, type Stand } from './support/stand.ts';

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
});
afterAll(() => stand.stop());
afterEach(() => {
  stand.provider.misbehave = {};
});

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const payloadOf = (jwt: string) => JSON.parse(Buffer.from(String(jwt.split('.')[1]), 'base64url').toString()) as Record<string, unknown>;
const HOUR = 3600;

const REFUSED: [name: string, misbehaviour: Misbehaviour][] = [
  ['state of nobody', { redirect: (query) => query.set('state', 'x'.repeat(43)) }],
  ['no state', { redirect: (query) => query.delete('state') }],
  ['another issuer in the answer (RFC 9207)', { redirect: (query) => query.set('iss', 'https://evil.example') }],
  ['no issuer in the answer', { redirect: (query) => query.delete('iss') }],
  ['no code', { redirect: (query) => query.delete('code') }],
  ['two codes', { redirect: (query) => query.append('code', 'second') }],
  ['a code that it never gave', { redirect: (query) => query.set('code', 'made-up') }],
  ['another nonce', { claims: (claims) => ({ ...claims, nonce: 'other' }) }],
  ['no nonce', { claims: ({ nonce: _nonce, ...claims }) => claims }],
  ['another issuer', { claims: (claims) => ({ ...claims, iss: 'https://evil.example' }) }],
  ['another audience', { claims: (claims) => ({ ...claims, aud: 'someone-else' }) }],
  ['many audiences and another azp', { claims: (claims) => ({ ...claims, aud: [CLIENT.id, 'x'], azp: 'x' }) }],
  ['one audience and another azp', { claims: (claims) => ({ ...claims, azp: 'x' }) }],
  ['a key that nobody knows', { signWith: 'unknown-key' }],
  ['a logout token for an ID token (SECURITY 15)', { idToken: () => stand.provider.logoutToken() }],
  ['an ID token from yesterday', { claims: (claims) => ({ ...claims, exp: Number(claims.exp) - 24 * HOUR }) }],
  ['no exp', { claims: ({ exp: _exp, ...claims }) => claims }],
  ['no sub', { claims: ({ sub: _sub, ...claims }) => claims }],
  ['another key', { signWith: 'other-key' }],
  ['alg none', { idToken: (jwt) => `${base64({ alg: 'none' })}.${jwt.split('.')[1]}.` }],
  ['HS256 with the client secret', { idToken: (jwt) => new SignJWT(payloadOf(jwt)).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(CLIENT.secret)) }],
  ['changed claims under the old signature', { idToken: (jwt) => jwt.split('.').with(1, base64({ ...payloadOf(jwt), sub: 'admin' })).join('.') }],
  ['no ID token', { token: { status: 200, body: { access_token: 'x', token_type: 'Bearer' } } }],
  ['a token that is no JSON object', { token: { status: 200, body: [] } }],
  ['broken JSON', { token: { status: 200, body: '{"access_token":' } }],
  ['invalid_grant', { token: { status: 400, body: { error: 'invalid_grant' } } }],
];

/** Nothing is said about the login: it may be tried again. */
const FAILED: [name: string, status: number, misbehaviour: Misbehaviour][] = [
  ['a fault at the token endpoint', 502, { token: { status: 500, body: {} } }],
  ['nothing, for five seconds', 502, { hangs: 'token' }],
];

describe('an answer of the provider', () => {
  test.each(FAILED)('that is %s: %i with a request id, no session, and the same callback works later', async (_name, status, misbehaviour) => {
    const browser = stand.browser();
    stand.provider.misbehave = misbehaviour;
    const start = await browser.get('/api/login');
    const callback = new URL(String((await send(String(start.location))).location));
    const end = await browser.get(callback.pathname + callback.search);
    expect(end.status).toBe(status);
    expect(end.body).toContain(String(end.headers.get('x-request-id')));
    expect(browser.cookies.has('vestibule_dev')).toBe(false);
    stand.provider.misbehave = {};
    expect((await browser.get(callback.pathname + callback.search)).status).toBe(303);
  });

  test.each<[string, Misbehaviour]>([
    ['down', { down: true }],
    ['silent', { hangs: 'metadata' }],
    ['of another issuer', { metadata: (honest) => ({ ...honest, issuer: 'https://evil.example' }) }],
  ])('while it is %s at the start: a page with a request id, and sign-in works when it is there', async (_how, misbehaviour) => {
    const fresh = await startStand();
    fresh.provider.misbehave = misbehaviour;
    const failed = await fresh.browser().get('/api/login');
    expect(failed.status).toBe(502);
    expect(failed.body).toContain(String(failed.headers.get('x-request-id')));
    fresh.provider.misbehave = {};
    const browser = await fresh.signedIn();
    expect(browser.cookies.has('vestibule_dev')).toBe(true);
    await fresh.stop();
  });

  test('signed with a new key, right after another was used, is taken: keys may be rotated', async () => {
    await stand.signedIn();
    await stand.provider.rotateKeys();
    // Keys are looked for once a second at most.
    await eventually(async () => (await stand.signedIn()).cookies.has('vestibule_dev'));
  });

  test('that was used before opens nothing, whoever holds its cookie', async () => {
    const browser = stand.browser();
    const start = await browser.get('/api/login');
    const callback = new URL(String((await send(String(start.location))).location));
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    expect((await browser.get(callback.pathname + callback.search)).status).toBe(303);
    const replay = await send(stand.url, { headers: { cookie, accept: 'text/html' } }, callback.pathname + callback.search);
    expect([replay.status, replay.headers.getSetCookie().filter((line) => line.startsWith('vestibule_dev='))]).toEqual([400, []]);
    expect(replay.body).toContain(String(replay.headers.get('x-request-id')));
  });

  test.each(REFUSED)('with %s is refused: a page with a request id, no session', async (_name, misbehaviour) => {
    const browser = stand.browser();
    stand.provider.misbehave = misbehaviour;
    const end = await browser.follow(await browser.get('/api/login'));
    expect(end.status).toBe(400);
    expect(end.body).toContain(String(end.headers.get('x-request-id')));
    expect(end.body).toMatch(/href="\/api\/login"/);
    expect(browser.cookies.has('vestibule_dev')).toBe(false);
  });

  test.each([
    ['access_denied', 'You were not signed in'],
    ['login_required', 'That took a little too long'],
    ['temporarily_unavailable', 'That took a little too long'],
    ['server_error', 'The sign-in did not work'],
    ['<script>alert(1)</script>', 'The sign-in did not work'],
  ])('with error %s becomes a page that says what to do', async (error, title) => {
    stand.provider.misbehave = {
      redirect: (query) => {
        query.delete('code');
        query.set('error', error);
        query.set('error_description', '<script>described</script>');
      },
    };
    const browser = stand.browser();
    const end = await browser.follow(await browser.get('/api/login?next_page=/wanted'));
    expect(end.status).toBe(400);
    expect(end.body).toContain(title);
    expect(end.body).toContain('href="/api/login?next_page=%2Fwanted"');
    expect(end.body).not.toContain('<script');
    expect(end.body).not.toContain('described');
  });

  test('in another language stays the same page, without code and state in its address', async () => {
    stand.provider.misbehave = { redirect: (query) => query.set('iss', 'https://evil.example') };
    const browser = stand.browser();
    const end = await browser.follow(await browser.get('/api/login?next_page=/wanted'));
    const link = /href="([^"]+)" hreflang="fr"/.exec(end.body)?.[1]?.replaceAll('&amp;', '&') ?? '';
    expect(link).toBe('/api/login/ended?why=invalid&next_page=%2Fwanted&lang=fr');
    const french = await browser.get(link);
    expect(french.body).toContain('Nous n’avons pas pu confirmer cette connexion');
    expect(french.body).toContain('lang="fr"');
  });
});
