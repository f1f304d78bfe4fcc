import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createLocalJWKSet, exportJWK, generateKeyPair, importPKCS8, jwtVerify, SignJWT, type CryptoKey, type JSONWebKeySet } from 'jose';
import { openBridge, type TestBridge } from '../bridge/support/bridge.ts';
import { ISSUER, roles } from '../bridge/support/realm.ts';
import { Browser, send } from './support/browser.ts';
import { CLIENT } from './support/provider.ts';
import { startStand, type Stand } from './support/stand.ts';

/** Every token of today, as its maker makes it, and every door that takes one. At each door all are signed by the key that it trusts: what keeps them apart is what they say. */
interface Maker {
  iss: string;
  sign(claims: Record<string, unknown>, typ: string): Promise<string>;
}

const now = () => Math.floor(Date.now() / 1000);
const person = { sub: 'user-ada', sid: 'sid-user-ada', email: 'ada@example.com', name: 'Ada Lovelace', preferred_username: 'ada@example.com' };
const base = (iss: string, seconds: number) => ({ iss, iat: now(), exp: now() + seconds, jti: randomUUID() });

let nonce = '';
let stand: Stand;
let bridge: TestBridge;
const IDENTITY_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;

/** A small app that may be shown in a frame of this page. */
const EMBEDDED = { app: randomUUID(), origin: 'https://www.example.com', generation: 1 };
let embedKey: CryptoKey;

const TOKENS: Record<string, (maker: Maker) => Promise<string>> = {
  'the token of Keycloak’s steps': ({ iss, sign }) => sign({ ...base(iss, 30), typ: 'Bearer', aud: 'vestibule-bridge', azp: 'vestibule-keycloak', resource_access: roles('trial-callback') }, 'JWT'),
  'the proxy’s service token': ({ iss, sign }) =>
    sign({ ...base(iss, 30), typ: 'Bearer', aud: 'vestibule-bridge', azp: CLIENT.id, preferred_username: `service-account-${CLIENT.id}`, resource_access: roles('trial-manage') }, 'JWT'),
  'an access token': ({ iss, sign }) => sign({ ...base(iss, 30), ...person, typ: 'Bearer', aud: 'account', azp: CLIENT.id, resource_access: { account: { roles: ['view-profile'] } } }, 'JWT'),
  'an ID token': ({ iss, sign }) => sign({ ...base(iss, 300), ...person, typ: 'ID', aud: CLIENT.id, azp: CLIENT.id, nonce }, 'JWT'),
  'a logout token': ({ iss, sign }) =>
    sign({ ...base(iss, 120), sub: person.sub, sid: person.sid, typ: 'Logout', aud: CLIENT.id, events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }, 'logout+jwt'),
  'the signed identity': ({ sign }) => sign({ ...base(stand.url, 180), ...person, aud: stand.url }, 'vestibule-identity+jwt'),
  'an embed token': ({ sign }) => sign({ ...base('vestibule-bridge', 60), aud: stand.url, sub: person.sub, ...EMBEDDED }, 'vestibule-embed+jwt'),
};

const DOORS: Record<string, { own: string; takes: (make: (maker: Maker) => Promise<string>) => Promise<boolean> }> = {
  'the bridge, for Keycloak’s steps': {
    own: 'the token of Keycloak’s steps',
    takes: async (make) => {
      const token = await make({ iss: ISSUER, sign: (claims, typ) => sign(bridge.realm.privateKey, 'RS256', 'first', claims, typ) });
      return (await bridge.send('/api/trial/verify', { body: { token: 'x' }, headers: { authorization: `Bearer ${token}` } })).status === 200;
    },
  },
  'the bridge, for the proxy': {
    own: 'the proxy’s service token',
    takes: async (make) => {
      const token = await make({ iss: ISSUER, sign: (claims, typ) => sign(bridge.realm.privateKey, 'RS256', 'first', claims, typ) });
      return (await bridge.send('/api/trial/not-me', { body: { token: 'x' }, headers: { authorization: `Bearer ${token}` } })).status === 200;
    },
  },
  'the proxy, where a sign-in ends': {
    own: 'an ID token',
    takes: async (make) => {
      const browser = stand.browser();
      stand.provider.misbehave = { idToken: async (honest) => {
        nonce = (JSON.parse(Buffer.from(honest.split('.')[1] ?? '', 'base64url').toString()) as { nonce: string }).nonce;
        return make(ofProvider());
      } };
      await browser.follow(await browser.get('/api/login'));
      return browser.cookies.has('vestibule_dev');
    },
  },
  'the proxy, for back-channel logout': {
    own: 'a logout token',
    takes: async (make) => (await send(stand.url, { method: 'POST', form: { logout_token: await make(ofProvider()) } }, '/api/logout/back-channel')).status === 200,
  },
  'the proxy, where a frame of another page begins': {
    own: 'an embed token',
    takes: async (make) => {
      const token = await make({ iss: 'vestibule-bridge', sign: (claims, typ) => sign(embedKey, 'ES256', 'embed', claims, typ) });
      return (await send(stand.url, { method: 'POST', form: { token }, headers: { origin: EMBEDDED.origin, 'sec-fetch-mode': 'navigate', accept: 'text/html' } }, `/embed/${EMBEDDED.app}`)).status === 303;
    },
  },
  'an app, as docs/proxy.md tells it to check': {
    own: 'the signed identity',
    takes: async (make) => {
      const keys = (await new Browser(stand.url).send('/api/identity/keys')).json<JSONWebKeySet>();
      const key = await importPKCS8(IDENTITY_KEY, 'ES256');
      const token = await make({ iss: stand.provider.issuer, sign: (claims, typ) => sign(key, 'ES256', keys.keys[0]?.kid ?? '', claims, typ) });
      return jwtVerify(token, createLocalJWKSet(keys), { issuer: stand.url, audience: stand.url, typ: 'vestibule-identity+jwt', algorithms: ['ES256'] }).then(() => true, () => false);
    },
  },
};

function sign(key: CryptoKey, alg: string, kid: string, claims: Record<string, unknown>, typ: string): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg, kid, typ }).sign(key);
}
function ofProvider(): Maker {
  return { iss: stand.provider.issuer, sign: (claims, typ) => stand.provider.sign(claims, typ) };
}

beforeAll(async () => {
  [stand, bridge] = await Promise.all([startStand({ embedHere: true, env: { IDENTITY_SIGNING_KEY: IDENTITY_KEY.replaceAll('\n', '\\n') } }), openBridge()]);
  const pair = await generateKeyPair('ES256', { extractable: true });
  embedKey = pair.privateKey;
  const keys = [{ ...(await exportJWK(pair.publicKey)), kid: 'embed', alg: 'ES256', use: 'sig' }];
  const standing = { found: true, generation: 1, user_id: person.sub, path: '/apps/one', trial_ends_at: now() + 3600, trial_access_until: now() + 3600 };
  const other = stand.bridge.answer;
  stand.bridge.answer = (req, res, body) => {
    const answer = { '/.well-known/jwks.json': { keys }, '/api/trial/embed-standing': standing }[req.url ?? ''];
    return answer === undefined ? other(req, res, body) : void res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  };
});
afterAll(() => Promise.all([stand.stop(), bridge.close()]));

describe.each(Object.entries(DOORS))('SECURITY 15: %s', (_door, { own, takes }) => {
  test.each(Object.entries(TOKENS))('%s is taken only where it is meant for', async (name, make) => {
    expect([name, await takes(make)]).toEqual([name, name === own]);
  });
});

test('every token of this list has a door', () => {
  expect(Object.values(DOORS).map(({ own }) => own).toSorted()).toEqual(Object.keys(TOKENS).filter((name) => name !== 'an access token').toSorted());
});
