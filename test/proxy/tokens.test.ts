import { generateKeyPairSync, hkdfSync, randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createLocalJWKSet, EncryptJWT, exportJWK, generateKeyPair, importPKCS8, jwtVerify, SignJWT, type CryptoKey, type JSONWebKeySet } from 'jose';
import { newPerson, openBilling, type PersonOnWire, type TestBilling } from '../bridge/remote-billing/support/billing.ts';
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
let bridge: TestBilling;
const BILLING_KEY = randomBytes(32);
/** What the tokens of a sign-in to billing say: of whom, for what, and by which opened link. */
let billing: { server: string; realm: string; person: PersonOnWire; request: string };
/** A host that serves what it is given, each time under another name: challenges are counted by name. */
let host: { port: number; serves: string; names: number };
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
  'a billing token': ({ sign }) => sign({ ...ofBilling('access'), ...saysOfBilling() }, 'vestibule-billing-access+jwt'),
  'a billing token with proof': ({ sign }) => sign({ ...ofBilling('proof'), ...saysOfBilling(), proof: billing.request }, 'vestibule-billing-proof+jwt'),
  'the secret of a transfer': ({ sign }) => sign({ ...ofBilling('transfer'), hostname: nameOfHost() }, 'vestibule-billing-transfer+jwt'),
};

const ofBilling = (purpose: string) => ({ ...base('vestibule-bridge', 60), aud: `vestibule-remote-billing-${purpose}` });
const nameOfHost = () => `127.0.0.${host.names}:${host.port}`;
const saysOfBilling = () => ({
  remote_server_uuid: billing.server,
  key_generation: 1,
  remote_realm_uuid: billing.realm,
  user: { user_uuid: billing.person.uuid, user_email: billing.person.email, user_full_name: billing.person.full_name },
  authenticated_at: now(),
  uri_scheme: 'https://',
  next_page: null,
});

/** Billing's tokens are encrypted: with the key that a door derives for its own. */
function billingMaker(purpose: string): Maker {
  const key = new Uint8Array(hkdfSync('sha256', BILLING_KEY, '', `vestibule remote billing ${purpose}`, 32));
  return { iss: 'vestibule-bridge', sign: (claims, typ) => new EncryptJWT(claims).setProtectedHeader({ alg: 'dir', enc: 'A256GCM', typ }).encrypt(key) };
}

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
  'billing, where a server’s link is opened': {
    own: 'a billing token',
    takes: async (make) => (await bridge.pages('login/open', { token: await make(billingMaker('access')) })).body['result'] !== 'refused',
  },
  'billing, where an address is proven': {
    own: 'a billing token with proof',
    takes: async (make) => (await bridge.pages('login/open', { token: await make(billingMaker('proof')) })).body['result'] !== 'refused',
  },
  'billing, where a host proves its name': {
    own: 'the secret of a transfer',
    takes: async (make) => {
      host.names += 1;
      await bridge.server({ hostname: nameOfHost() });
      host.serves = await make(billingMaker('transfer'));
      return (await bridge.remote('server/register/verify_challenge', { form: { hostname: nameOfHost(), access_token: 'x' } })).status === 200;
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
  [stand, bridge] = await Promise.all([startStand({ embedHere: true, env: { IDENTITY_SIGNING_KEY: IDENTITY_KEY.replaceAll('\n', '\\n') } }), openBilling({ env: { BILLING_TOKEN_KEY: BILLING_KEY.toString('base64') } })]);
  await prepareBilling();
  const pair = await generateKeyPair('ES256', { extractable: true });
  embedKey = pair.privateKey;
  const keys = [{ ...(await exportJWK(pair.publicKey)), kid: 'embed', alg: 'ES256', use: 'sig' }];
  const standing = { found: true, product: 'app', generation: 1, user_id: person.sub, path: '/apps/one', trial_ends_at: now() + 3600, trial_access_until: now() + 3600 };
  const other = stand.bridge.answer;
  stand.bridge.answer = (req, res, body) => {
    const answer = { '/.well-known/jwks.json': { keys }, '/api/trial/embed-standing': standing }[req.url ?? ''];
    return answer === undefined ? other(req, res, body) : void res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  };
});
afterAll(() => Promise.all([stand.stop(), bridge.close(), new Promise((resolve) => challenged.close(resolve))]));

const challenged = createServer((_req, res) => res.end(JSON.stringify({ verification_secret: host.serves })));

async function prepareBilling(): Promise<void> {
  const { server, realm } = await bridge.place();
  const ada = newPerson();
  await bridge.pages('login/mail', { token: await bridge.access(server, realm, ada), email: ada.email });
  const { id } = await bridge.db.selectFrom('bridge.billing_login_request').select('id').where('realm_id', '=', realm.uuid).executeTakeFirstOrThrow();
  billing = { server: server.id, realm: realm.uuid, person: ada, request: id };
  await new Promise<void>((resolve) => challenged.listen(0, resolve));
  host = { port: (challenged.address() as AddressInfo).port, serves: '', names: 1 };
}

describe.each(Object.entries(DOORS))('SECURITY 15: %s', (_door, { own, takes }) => {
  test.each(Object.entries(TOKENS))('%s is taken only where it is meant for', async (name, make) => {
    expect([name, await takes(make)]).toEqual([name, name === own]);
  });
});

const BILLING_DOORS = Object.entries(DOORS).filter(([door]) => door.startsWith('billing,'));
const OTHERWISE: [string, Record<string, unknown>, string | undefined][] = [
  ['another type', {}, 'vestibule-identity+jwt'],
  ['another audience', { aud: 'vestibule-bridge' }, undefined],
  ['another issuer', { iss: 'somebody' }, undefined],
  ['no id', { jti: undefined }, undefined],
];

describe.each(BILLING_DOORS)('SECURITY 15: %s', (_door, { own, takes }) => {
  test.each(OTHERWISE)('its own token with %s is refused: each of these alone keeps it out', async (_name, claims, typ) => {
    expect(await takes(({ iss, sign }) => TOKENS[own]!({ iss, sign: (own, usual) => sign({ ...own, ...claims }, typ ?? usual) }))).toBe(false);
  });
});

test('every token of this list has a door', () => {
  expect(Object.values(DOORS).map(({ own }) => own).toSorted()).toEqual(Object.keys(TOKENS).filter((name) => name !== 'an access token').toSorted());
});
