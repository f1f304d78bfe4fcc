import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose';
import { NOW, openBridge, PROXY_URL, type TestBridge } from './support/bridge.ts';
import { read, signedUp, type Person } from './life/person.ts';

const DAY = 86_400;
const ORIGIN = 'https://www.example.com';
const key = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1', privateKeyEncoding: { type: 'sec1', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } }).privateKey;
const [OLD, NEW] = [key(), key()];

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge({ env: { EMBED_SIGNING_KEY: NEW, EMBED_SIGNING_KEY_PREVIOUS: OLD }, product: { app: { name: 'App', path: '/apps/{id}', permissions: [], embed_origins: [ORIGIN, 'http://demo.localhost:8411', 'http://www.example.com'] } } });
});
afterAll(() => bridge.close());
beforeEach(() => bridge.clock.set(NOW));

async function withApp(): Promise<Person & { app: string }> {
  const ada = await signedUp(bridge);
  return { ...ada, app: String((await read(bridge, ada))['trial_app']) };
}

const ask = (app: string, more: object = {}) => bridge.asManager('/api/trial/embed-token', { app, origin: ORIGIN, ...more });
const standing = async (app: string) => {
  const token = await bridge.realm.serviceToken('vestibule-proxy', 'trial-read');
  return (await bridge.send('/api/trial/embed-standing', { body: { app }, headers: { authorization: `Bearer ${token}` } })).body;
};
const jwks = async () => (await bridge.send('/.well-known/jwks.json', { method: 'GET' })).body as unknown as JSONWebKeySet;

test('is signed by a published key, for one app and one origin, for five minutes, with the end of the trial', async () => {
  const ada = await withApp();
  const { status, body } = await ask(ada.app, { username: ada.address });
  expect(status).toBe(200);
  const { payload, protectedHeader } = await jwtVerify(String(body['token']), createLocalJWKSet(await jwks()), { algorithms: ['ES256'], audience: PROXY_URL, typ: 'vestibule-embed+jwt', issuer: 'vestibule-bridge' });
  expect(protectedHeader).toMatchObject({ alg: 'ES256', typ: 'vestibule-embed+jwt' });
  expect(payload).toMatchObject({ sub: ada.userId, app: ada.app, origin: ORIGIN, trial_state: 'active', trial_ends_at: NOW + 14 * DAY, trial_access_until: NOW + 17 * DAY });
  expect(payload.exp! - payload.iat!).toBe(300);
  expect(body).toMatchObject({ url: `${PROXY_URL}/embed/${ada.app}`, expires_at: payload.exp });
  expect(JSON.stringify(payload)).not.toContain(ada.address);
});

test('each has an id of its own, and lives as long as was asked', async () => {
  const { app } = await withApp();
  const tokens = await Promise.all([ask(app, { ttl: 10 }), ask(app, { ttl: 10 })]);
  const claims = tokens.map(({ body }) => decodeJwt(String(body['token'])));
  expect(new Set(claims.map(({ jti }) => jti)).size).toBe(2);
  expect(claims.map(({ exp = 0, iat = 0 }) => exp - iat)).toEqual([10, 10]);
});

test('the previous key is published too, so that a rotation breaks nothing, and no private part of any', async () => {
  const { keys } = await jwks();
  const { app } = await withApp();
  const { kid } = decodeProtectedHeader(String((await ask(app)).body['token']));
  expect(keys.map((one) => one.kid)).toContain(kid);
  expect(keys).toHaveLength(2);
  expect(keys.filter((one) => 'd' in one)).toEqual([]);
});

describe('refuses (SECURITY 16)', () => {
  test.each([
    ['an origin that is not listed', { origin: 'https://evil.example.com' }, 400],
    ['an origin with a slash', { origin: `${ORIGIN}/` }, 400],
    ['an origin with a path', { origin: `${ORIGIN}/page` }, 400],
    ['an origin in capitals', { origin: ORIGIN.toUpperCase() }, 400],
    ['an origin with a port that is the usual one', { origin: `${ORIGIN}:443` }, 400],
    ['plain http elsewhere than on localhost, though listed', { origin: 'http://www.example.com' }, 400],
    ['null', { origin: 'null' }, 400],
    ['more than five minutes', { ttl: 301 }, 400],
    ['the app of somebody else', { username: 'eve@example.com' }, 404],
    ['an app that is not there', { app: '00000000-0000-4000-8000-000000000000' }, 404],
  ])('%s', async (_name, wish, status) => {
    const { app } = await withApp();
    expect((await ask(app, wish)).status).toBe(status);
  });

  test('a trial that is over, to the second', async () => {
    const { app } = await withApp();
    bridge.clock.set(NOW + 17 * DAY - 1);
    expect((await ask(app)).status).toBe(200);
    bridge.clock.set(NOW + 17 * DAY);
    expect(await ask(app)).toMatchObject({ status: 409, body: { code: 'trial_over' } });
  });
});

test('on localhost plain http will do, in development', async () => {
  const { app } = await withApp();
  expect((await ask(app, { origin: 'http://demo.localhost:8411' })).status).toBe(200);
});

test('what a frame may do now: ends, a revocation, a conversion', async () => {
  const ada = await withApp();
  expect(await standing(ada.app)).toEqual({ found: true, product: 'app', generation: 1, user_id: ada.userId, path: `/apps/${ada.app}`, trial_state: 'active', trial_ends_at: NOW + 14 * DAY, trial_access_until: NOW + 17 * DAY });
  expect((await bridge.asManager('/api/trial/embed-revoke', { app: ada.app, reason: 'A leak.' })).status).toBe(200);
  expect(await standing(ada.app)).toMatchObject({ generation: 2 });
  expect(decodeJwt(String((await ask(ada.app)).body['token']))).toMatchObject({ generation: 2 });
  expect((await read(bridge, ada)).timeline.at(-1)).toMatchObject({ kind: 'embeds_revoked', actor: 'client:a-manager', reason: 'A leak.' });
  await bridge.asManager('/api/trial/completion', { user_id: ada.userId, reason: 'They pay.' });
  expect(await standing(ada.app)).toMatchObject({ trial_state: 'converted', trial_access_until: null });
  expect(await standing('00000000-0000-4000-8000-000000000000')).toEqual({ found: false });
});

test('without a key there are none, and the answer says what to set', async () => {
  const off = await openBridge();
  const token = await off.realm.serviceToken('a-manager', 'trial-manage');
  const answer = await off.send('/api/trial/embed-token', { body: { app: '00000000-0000-4000-8000-000000000000', origin: ORIGIN }, headers: { authorization: `Bearer ${token}` } });
  expect(answer).toMatchObject({ status: 409, body: { code: 'not_possible' } });
  expect(String(answer.body['detail'])).toContain('EMBED_SIGNING_KEY');
  expect((await off.send('/.well-known/jwks.json', { method: 'GET' })).body).toEqual({ keys: [] });
  await off.close();
});
