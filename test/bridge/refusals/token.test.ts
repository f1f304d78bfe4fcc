import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt, exportJWK, exportSPKI, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose';
import { openBridge, type TestBridge } from '../support/bridge.ts';
import { roles, stepClaims, type Claims } from '../support/realm.ts';
import { ask, GUARDED, tokenFor, type Endpoint } from './endpoints.ts';

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge();
});
afterAll(() => bridge.close());

const now = () => Math.floor(Date.now() / 1000);

/** A token that would be let in but for what `forge` does to its header and signature. */
async function forged(endpoint: Endpoint, header: object, sign: (content: string) => string | Promise<string>): Promise<string> {
  const claims = decodeJwt(await tokenFor(endpoint, bridge));
  const content = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${content}.${await sign(content)}`;
}

async function resigned(endpoint: Endpoint, change: (claims: JWTPayload) => JWTPayload): Promise<string> {
  const { privateKey } = await generateKeyPair('RS256');
  return new SignJWT(change(decodeJwt(await tokenFor(endpoint, bridge)))).setProtectedHeader({ alg: 'RS256', kid: 'first', typ: 'JWT' }).sign(privateKey);
}

const hmac = (key: string) => (content: string) => createHmac('sha256', key).update(content).digest('base64url');
const claiming = (claims: () => Claims) => (endpoint: Endpoint) => tokenFor(endpoint, bridge, claims());

const FAULTS: readonly [string, number, (endpoint: Endpoint) => Promise<string> | undefined][] = [
  ['no token', 401, () => undefined],
  ['alg none', 401, (endpoint) => forged(endpoint, { alg: 'none', kid: 'first' }, () => '')],
  ['alg none and a signature', 401, (endpoint) => forged(endpoint, { alg: 'none', kid: 'first' }, () => 'x')],
  ['HS256 with the public key', 401, (endpoint) => forged(endpoint, { alg: 'HS256', kid: 'first' }, async (content) => hmac(await exportSPKI(bridge.realm.publicKey))(content))],
  ['HS256 with an empty key', 401, (endpoint) => forged(endpoint, { alg: 'HS256', kid: 'first' }, hmac(''))],
  ['a key of its own in the header', 401, (endpoint) => forged(endpoint, { alg: 'RS256', kid: 'first', jwk: { kty: 'oct', k: 'AA' } }, () => 'x')],
  ["another realm's key and issuer", 401, (endpoint) => resigned(endpoint, (claims) => ({ ...claims, iss: 'http://keycloak.test/realms/other' }))],
  ["another realm's key, our issuer", 401, (endpoint) => resigned(endpoint, (claims) => claims)],
  ['an issuer that begins like ours', 401, claiming(() => ({ iss: 'http://keycloak.test/realms/vestibule2' }))],
  ['no issuer', 401, claiming(() => ({ iss: undefined }))],
  ['another audience', 401, claiming(() => ({ aud: 'vestibule-proxy' }))],
  ['other audiences', 401, claiming(() => ({ aud: ['account', 'vestibule-proxy'] }))],
  ['no audience', 401, claiming(() => ({ aud: undefined }))],
  ['no exp', 401, claiming(() => ({ exp: undefined }))],
  ['exp as text', 401, claiming(() => ({ exp: String(now() + 30) }))],
  ['exp in the past', 401, claiming(() => ({ exp: now() - 1 }))],
  ['nbf ahead', 401, claiming(() => ({ nbf: now() + 60 }))],
  ['nbf as text', 401, claiming(() => ({ nbf: 'now' }))],
  ['iat ahead', 401, claiming(() => ({ iat: now() + 60, exp: now() + 80 }))],
  ['the type of an ID token', 401, claiming(() => ({ typ: 'ID' }))],
  ['the type of a refresh token', 401, claiming(() => ({ typ: 'Refresh' }))],
  ['another azp', 403, claiming(() => ({ azp: 'operator' }))],
  ['no azp', 403, claiming(() => ({ azp: undefined }))],
  ['several azp', 403, claiming(() => ({ azp: ['vestibule-keycloak', 'vestibule-proxy'] }))],
  ['no role', 403, claiming(() => ({ resource_access: undefined }))],
  ['another role', 403, (endpoint) => tokenFor(endpoint, bridge, { resource_access: roles(endpoint.caller === 'support' ? 'billing-pages' : 'support') })],
  ['roles that are text', 403, claiming(() => ({ resource_access: { 'vestibule-bridge': { roles: 'trial-callback trial-manage' } } }))],
  ["a person's session", 403, claiming(() => ({ sid: 'a-session' }))],
  ["a person's name", 403, claiming(() => ({ preferred_username: 'ada@example.com' }))],
];

/** The proxy asks for staff, with the role that managers have. */
function isManager(caller: string, wanted: string): boolean {
  return caller === 'proxy' && wanted === 'manager';
}

describe.each(GUARDED)('$method $path ($caller)', (endpoint) => {
  test('lets its own caller in', async () => {
    const answer = await ask(bridge, endpoint, { token: await tokenFor(endpoint, bridge), content: await endpoint.valid(bridge) });
    expect(answer.status).toBe(endpoint.status);
  });

  test.each(FAULTS)('with %s answers %i', async (_name, status, make) => {
    const answer = await ask(bridge, endpoint, { token: await make(endpoint), content: await endpoint.valid(bridge) });
    expect([answer.status, answer.body['code'], answer.headers.get('content-type')]).toEqual([
      status,
      status === 401 ? 'unauthorized' : 'forbidden',
      'application/problem+json; charset=utf-8',
    ]);
    expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null);
  });

  test("refuses the other callers' tokens", async () => {
    for (const other of GUARDED.filter(({ caller }) => caller !== endpoint.caller && !isManager(caller, endpoint.caller))) {
      const answer = await ask(bridge, endpoint, { token: await tokenFor(other, bridge), content: await endpoint.valid(bridge) });
      // Another way of the same endpoint: let in there, and the body is not of that way.
      const otherWay = GUARDED.some(({ path, caller }) => path === endpoint.path && caller === other.caller);
      expect([other.caller, answer.status]).toEqual([other.caller, otherWay ? 400 : 403]);
    }
  });

  test('asks for the token before it reads the body', async () => {
    const answer = await ask(bridge, endpoint, { content: '{"token":' });
    expect(answer.status).toBe(401);
  });
});

test('refused calls leave nothing behind', async () => {
  const counted = await bridge.db.selectFrom('bridge.registration').select((eb) => eb.fn.countAll<string>().as('count')).executeTakeFirstOrThrow();
  // Those of the two calls that were let in.
  expect(Number(counted.count)).toBe(2);
});

describe('a key of the realm', () => {
  const published: object[] = [];
  let own: TestBridge;
  let close: () => void;
  beforeAll(async () => {
    const server = createServer((_req, res) => res.end(JSON.stringify({ keys: published })));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    close = () => {
      server.closeAllConnections();
      server.close();
    };
    await publish('old');
    own = await openBridge({ env: { KEYCLOAK_INTERNAL_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } });
  });
  afterAll(async () => {
    await own.close();
    close();
  });

  const keys = new Map<string, CryptoKey>();
  async function publish(kid: string, more: object = {}): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
    keys.set(kid, privateKey);
    published.push({ ...(await exportJWK(publicKey)), kid, use: 'sig', alg: 'RS256', ...more });
  }

  // Another token each time: one that was found good is remembered for 30 s (verified-tokens.ts).
  const call = async (kid: string) => {
    const token = await new SignJWT({ ...stepClaims(), jti: randomUUID() }).setProtectedHeader({ alg: 'RS256', kid }).sign(keys.get(kid)!);
    return (await own.send('/api/trial/verify', { body: { token: 'x' }, headers: { authorization: `Bearer ${token}` } })).status;
  };

  test('counts beside a newer one, until it is withdrawn', async () => {
    expect(await call('old')).toBe(200);
    await publish('new');
    expect([await later(() => call('new')), await call('old')]).toEqual([200, 200]);
    published.shift();
    await publish('newest');
    expect(await later(() => later(() => call('newest')))).toBe(200);
    expect([await call('new'), await call('old')]).toEqual([200, 401]);
  });

  test('for encryption signs nothing', async () => {
    await publish('for encryption', { use: 'enc', alg: 'RSA-OAEP' });
    expect(await later(() => later(() => later(() => call('for encryption'))))).toBe(401);
  });
});

/** An unknown key id makes the bridge read the keys anew, five seconds after the last time. */
async function later<T>(work: () => Promise<T>): Promise<T> {
  const original = Date.now;
  Date.now = () => original() + 10_000;
  try {
    return await work();
  } finally {
    Date.now = original;
  }
}
