import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { openBridge, type TestBridge } from './support/bridge.ts';
import { roles, stepClaims, type Claims } from './support/realm.ts';

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge();
});
afterAll(() => bridge.close());

const now = () => Math.floor(Date.now() / 1000);
const call = (token: string | undefined, path = '/api/trial/verify') =>
  bridge.send(path, { body: { token: 'x' }, headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });
const skews = () => bridge.log().match(/(?<="skew_seconds":)-?\d+/g)?.map(Number) ?? [];
const changed = (claims: Claims) => () => bridge.realm.stepToken(claims);

async function unsigned(): Promise<string> {
  const parts = [{ alg: 'none', kid: 'first', typ: 'JWT' }, stepClaims()].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  return `${parts.join('.')}.`;
}

async function signedWithThePublicKey(): Promise<string> {
  const parts = [{ alg: 'HS256', kid: 'first', typ: 'JWT' }, stepClaims()].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  const signature = createHmac('sha256', await exportSPKI(bridge.realm.publicKey)).update(parts.join('.')).digest('base64url');
  return `${parts.join('.')}.${signature}`;
}

async function ofAnotherKey(): Promise<string> {
  const { privateKey } = await generateKeyPair('RS256');
  return new SignJWT(stepClaims()).setProtectedHeader({ alg: 'RS256', kid: 'first' }).sign(privateKey);
}

async function tampered(): Promise<string> {
  const [header, , signature] = (await bridge.realm.stepToken()).split('.');
  return [header, Buffer.from(JSON.stringify({ ...stepClaims(), sub: 'eve' })).toString('base64url'), signature].join('.');
}

describe('a call of a step', () => {
  test('with the token that Keycloak signs is let in', async () => {
    expect((await call(await bridge.realm.stepToken())).status).toBe(200);
  });

  const refusals: readonly [string, number, () => Promise<string> | string | undefined][] = [
    ['no token', 401, () => undefined],
    ['something that is no token', 401, () => 'let-me-in'],
    ['three parts that are no JSON', 401, () => 'a.b.c'],
    ['alg none', 401, unsigned],
    ['HS256 with the public key', 401, signedWithThePublicKey],
    ["another realm's key under our key id", 401, ofAnotherKey],
    ['an unknown key id', 401, () => bridge.realm.stepToken({}, { kid: 'nobody' })],
    ['claims changed after signing', 401, tampered],
    ['another issuer', 401, changed({ iss: 'http://keycloak.test/realms/other' })],
    ['another audience', 401, changed({ aud: 'account' })],
    ['no audience', 401, changed({ aud: undefined })],
    ['another type', 401, changed({ typ: 'ID' })],
    ['no type', 401, changed({ typ: undefined })],
    ['no end', 401, changed({ exp: undefined })],
    ['an end that is no number', 401, changed({ exp: 'never' })],
    ['an end that has passed', 401, () => bridge.realm.stepToken({ exp: now() - 1 })],
    ['a beginning ahead', 401, () => bridge.realm.stepToken({ nbf: now() + 60 })],
    ['an issue date ahead', 401, () => bridge.realm.stepToken({ iat: now() + 60, exp: now() + 80 })],
    ['no issue date', 401, changed({ iat: undefined })],
    ['a life of more than 30 s', 403, () => bridge.realm.stepToken({ exp: now() + 300 })],
    ['another party', 403, changed({ azp: 'vestibule-proxy' })],
    ['another role', 403, changed({ resource_access: roles('trial-read') })],
    ['the role of another client', 403, changed({ resource_access: { account: { roles: ['trial-callback'] } } })],
    ['the role in the realm', 403, changed({ resource_access: undefined, realm_access: { roles: ['trial-callback'] } })],
    ['no roles', 403, changed({ resource_access: undefined })],
    ["a person's session", 403, changed({ sid: 'a-session' })],
    ["a person's name", 403, changed({ preferred_username: 'ada@example.com' })],
    ['the service account of the proxy', 403, () => bridge.realm.serviceToken('vestibule-proxy', 'trial-callback')],
  ];
  test.each(refusals)('with %s gets %i', async (_name, status, make) => {
    const answer = await call(await make());
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null);
  });

  test('asks nothing of Keycloak once the keys are read', async () => {
    const token = await bridge.realm.stepToken();
    await call(token);
    const before = bridge.realm.requests();
    await Promise.all(Array.from({ length: 20 }, () => call(token)));
    expect(bridge.realm.requests()).toBe(before);
  });
});

describe('a token that was let in before', () => {
  test('is refused from its end on', async () => {
    const token = await bridge.realm.stepToken();
    expect((await call(token)).status).toBe(200);
    const original = Date.now;
    Date.now = () => original() + 31_000;
    try {
      expect((await call(token)).status).toBe(401);
    } finally {
      Date.now = original;
    }
  });

  test('opens nothing else', async () => {
    const token = await bridge.realm.stepToken();
    expect((await call(token)).status).toBe(200);
    expect((await call(token, '/api/trial/not-me')).status).toBe(403);
  });

  test('lends nothing to one with the same signature', async () => {
    const token = await bridge.realm.stepToken();
    expect((await call(token)).status).toBe(200);
    const [header, , signature] = token.split('.');
    const claims = Buffer.from(JSON.stringify({ ...stepClaims(), sub: 'eve' })).toString('base64url');
    expect((await call([header, claims, signature].join('.'))).status).toBe(401);
  });
});

describe('a clock that differs is named in the log', () => {
  test.each([
    ['ahead', 120],
    ['behind', -120],
  ])("Keycloak's %s", async (_name, seconds) => {
    const before = skews().length;
    const iat = now() + seconds;
    expect((await call(await bridge.realm.stepToken({ iat, exp: iat + 30 }))).status).toBe(401);
    expect(skews().slice(before).map((skew) => Math.abs(skew - seconds) <= 1)).toEqual([true]);
  });

  test('not by what anybody else signed', async () => {
    const before = skews().length;
    const iat = now() + 120;
    const { privateKey } = await generateKeyPair('RS256');
    const token = await new SignJWT({ ...stepClaims(), iat, exp: iat + 30 }).setProtectedHeader({ alg: 'RS256', kid: 'first' }).sign(privateKey);
    expect((await call(token)).status).toBe(401);
    expect(skews()).toHaveLength(before);
  });
});

describe('a call of the proxy', () => {
  test.each<[string, number, (realm: TestBridge['realm']) => Promise<string>]>([
    ['its service token', 200, (realm) => realm.serviceToken('vestibule-proxy', 'trial-manage')],
    ['a role that is not for this', 403, (realm) => realm.serviceToken('vestibule-proxy', 'trial-read')],
    ['the token of another client', 403, (realm) => realm.serviceToken('operator', 'trial-manage')],
    ["a person's token of that client", 403, (realm) => realm.serviceToken('vestibule-proxy', 'trial-manage', { preferred_username: 'ada@example.com' })],
    ['a name made to look like it', 403, (realm) => realm.serviceToken('vestibule-proxy', 'trial-manage', { preferred_username: 'service-account-vestibule-proxy', sid: 'x' })],
    ["a step's token", 403, (realm) => realm.stepToken()],
  ])('with %s gets %i', async (_name, status, make) => {
    expect((await call(await make(bridge.realm), '/api/trial/not-me')).status).toBe(status);
  });
});

describe('what keycloak-connect would answer by itself', () => {
  test.each(['/k_logout', '/k_push_not_before', '/k_test', '/k_query_bearer_token', '/logout'])('%s is not there', async (path) => {
    expect((await bridge.send(path, { body: {}, headers: { authorization: `Bearer ${await bridge.realm.stepToken()}` } })).status).toBe(404);
  });

  test.each(['/api/trial/infos?auth_callback=1', '/api/trial/infos?user_id=a&auth_callback=1&error=x'])('GET %s is refused', async (path) => {
    expect((await bridge.send(path, { method: 'GET' })).status).toBe(401);
    expect((await bridge.asStep(path)).status).toBe(401);
  });
});

// Last: it leaves the realm with another key.
test('a key that appears later is found when it is first used, five seconds after the last look', async () => {
  await bridge.realm.rotate('second');
  const original = Date.now;
  Date.now = () => original() + 10_000;
  try {
    const iat = Math.floor(Date.now() / 1000);
    expect((await call(await bridge.realm.stepToken({ iat, exp: iat + 30 }))).status).toBe(200);
  } finally {
    Date.now = original;
  }
});
