import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { freePort } from '../../dev/ports.ts';
import { eventually } from '../support/eventually.ts';
import { Browser, type Reply } from './support/browser.ts';
import { startStandardProvider, type StandardProvider } from './support/standard-provider.ts';
import { startStand, type Replica, type Stand } from './support/stand.ts';

const SECRET = 'standard-client-secret-for-tests';
const ACCESS_SECONDS = 300;
const XHR = { accept: 'application/json' };
const folder = mkdtempSync(join(tmpdir(), 'standard-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PEM = join(folder, 'key.pem');
const JWK = join(folder, 'key.json');
writeFileSync(PEM, rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }));
writeFileSync(JWK, JSON.stringify({ ...ec.privateKey.export({ format: 'jwk' }), kid: 'of-the-jwk' }));

const publicJwk = (pair: typeof ec, more: object = {}) => ({ ...pair.publicKey.export({ format: 'jwk' }), ...more });

const WAYS: readonly [string, string, Record<string, unknown>][] = [
  ['a client secret', 'client_secret_variable: STANDARD_SECRET', { client_secret: SECRET, token_endpoint_auth_method: 'client_secret_basic' }],
  ['private_key_jwt, with an RSA key in PEM', `client_key_file: ${PEM}`, { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [publicJwk(rsa)] } }],
  ['private_key_jwt, with an EC key as a JWK among others', `client_key_file: ${JWK}`, { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [publicJwk(rsa, { kid: 'another' }), publicJwk(ec, { kid: 'of-the-jwk' })] } }],
];

const statusOf = async (browser: Browser) => (await browser.send('/', { headers: XHR })).status;

describe.each(WAYS)('a provider that follows the standard, and %s', (_way, proof, client) => {
  let stand: Stand;
  let other: Replica;
  let provider: StandardProvider;
  /** Cookies of the person's browser at the provider. */
  let there: Browser;

  beforeAll(async () => {
    const port = await freePort();
    stand = await startStand({
      env: { STANDARD_SECRET: SECRET },
      sites: (url, _provider, app) => {
        const file = join(folder, `${port}.yaml`);
        writeFileSync(file, `sites:\n  - public_url: ${stand?.url ?? url}\n    issuer: http://127.0.0.1:${port}\n    client_id: standard-proxy\n    ${proof}\n    upstreams: [{ to: '${app.url}' }]\n`);
        return file;
      },
    });
    other = await stand.replica();
    provider = await startStandardProvider({ port, proxyUrl: stand.url, client });
    there = new Browser(provider.issuer);
  });
  afterAll(async () => {
    await other.proxy.stop();
    await stand.stop();
    await provider.stop();
  });
  afterEach(() => {
    stand.clock.setOffset(0);
    there.cookies.clear();
  });

  /** From one to the other, each with its own cookies. */
  async function follow(browser: Browser, reply: Reply): Promise<Reply & { at: string }> {
    let [at, current] = [stand.url, reply];
    while (current.location !== undefined) {
      at = new URL(current.location, at).href;
      const url = new URL(at);
      current = await (url.origin === stand.url ? browser : there).get(url.pathname + url.search);
    }
    return { ...current, at };
  }
  async function signedIn(): Promise<Browser> {
    const browser = stand.browser();
    const end = await follow(browser, await browser.get('/reports?year=2026'));
    expect([end.status, end.at]).toEqual([200, `${stand.url}/reports?year=2026`]);
    return browser;
  }

  test('signs in by PAR, and asks userinfo for what the ID token leaves out', async () => {
    provider.events = [];
    await signedIn();
    await eventually(() => provider.events.includes('grant.success'));
    expect(provider.events).toEqual(['pushed_authorization_request.success', 'authorization.success', 'grant.success']);
    expect(stand.app.last().headers).toMatchObject({ 'x-user': 'standard-ada', 'x-user-email': 'ada@example.com', 'x-user-name': 'Ada Lovelace' });
  });

  test('refreshes, once for many requests', async () => {
    const browser = await signedIn();
    provider.events = [];
    stand.clock.setOffset(ACCESS_SECONDS + 1);
    const statuses = await Promise.all(Array.from({ length: 20 }, () => statusOf(browser)));
    expect(new Set(statuses)).toEqual(new Set([200]));
    await eventually(() => provider.events.includes('grant.success'));
    expect(provider.events).toEqual(['grant.success']);
    expect(stand.app.last().headers['x-user-email']).toBe('ada@example.com');
  });

  test('a logout here ends the session there, and leads back', async () => {
    const browser = await signedIn();
    provider.events = [];
    const asked = await follow(browser, await browser.post('/api/logout', {}));
    const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(asked.body) ?? [];
    const end = await follow(browser, await there.post('/session/end/confirm', { xsrf, logout: 'yes' }));
    expect(end.at).toBe(`${stand.url}/api/logout/done`);
    await eventually(() => provider.events.includes('end_session.success'));
    expect(await statusOf(browser)).toBe(401);
  });

  test('a logout there ends the session here, on every replica', async () => {
    const browser = await signedIn();
    const atOther = new Browser(other.url);
    for (const [name, value] of browser.cookies) atOther.cookies.set(name, value);
    expect([await statusOf(browser), await statusOf(atOther)]).toEqual([200, 200]);
    provider.events = [];
    const asked = await there.get('/session/end');
    const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(asked.body) ?? [];
    await there.post('/session/end/confirm', { xsrf, logout: 'yes' });
    await eventually(() => provider.events.includes('backchannel.success'));
    await eventually(async () => (await statusOf(browser)) === 401 && (await statusOf(atOther)) === 401, 1_000);
  });
});
