import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { SignJWT } from 'jose';
import type { Misbehaviour } from './support/provider.ts';
import { CLIENT } from './support/provider.ts';
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
  ['an ID token from yesterday', { claims: (claims) => ({ ...claims, exp: Number(claims.exp) - 24 * HOUR }) }],
  ['no exp', { claims: ({ exp: _exp, ...claims }) => claims }],
  ['no sub', { claims: ({ sub: _sub, ...claims }) => claims }],
  ['another key', { signWith: 'other-key' }],
  ['alg none', { idToken: (jwt) => `${base64({ alg: 'none' })}.${jwt.split('.')[1]}.` }],
  ['HS256 with the client secret', { idToken: (jwt) => new SignJWT(payloadOf(jwt)).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(CLIENT.secret)) }],
  ['changed claims under the old signature', { idToken: (jwt) => jwt.split('.').with(1, base64({ ...payloadOf(jwt), sub: 'admin' })).join('.') }],
  ['no ID token', { token: { status: 200, body: { access_token: 'x', token_type: 'Bearer' } } }],
  ['a token that is no JSON object', { token: { status: 200, body: [] } }],
  ['invalid_grant', { token: { status: 400, body: { error: 'invalid_grant' } } }],
];

describe('an answer of the provider', () => {
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
