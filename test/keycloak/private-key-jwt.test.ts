import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readClientKey } from '../../proxy/provider/client-proof.ts';
import { createProvider, type Provider } from '../../proxy/provider/provider.ts';
import { httpBrowser } from '../../platform/http-browser.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { createPerson } from '../support/person.ts';
import { stack } from '../support/stack.ts';

const CLIENT = `signed-jwt-${randomUUID().slice(0, 8)}`;
const PUBLIC_URL = 'http://localhost:1';
const KEY_ID = 'first';
const folder = mkdtempSync(join(tmpdir(), 'private-key-jwt-'));
const admin = keycloakAdmin();
let clientPath: string;
const pairs = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  another: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};

beforeAll(async () => {
  const id = await admin.create('/clients', {
    clientId: CLIENT,
    publicClient: false,
    clientAuthenticatorType: 'client-jwt',
    serviceAccountsEnabled: true,
    standardFlowEnabled: true,
    redirectUris: [`${PUBLIC_URL}/api/callback`],
  });
  clientPath = `/clients/${id}`;
});
afterAll(async () => {
  await admin.delete(clientPath);
  rmSync(folder, { recursive: true, force: true });
});

async function publish(name: keyof typeof pairs, alg: string): Promise<void> {
  const client = await admin.get(clientPath);
  const jwks = { keys: [{ ...pairs[name].publicKey.export({ format: 'jwk' }), kid: KEY_ID, use: 'sig', alg }] };
  await admin.put(clientPath, { ...client, attributes: { ...client.attributes, 'use.jwks.string': 'true', 'jwks.string': JSON.stringify(jwks) } });
}

function providerWith(name: keyof typeof pairs): Provider {
  const file = join(folder, `${name}.pem`);
  writeFileSync(file, pairs[name].privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const { keycloak, realm } = stack();
  const issuer = `${keycloak}/realms/${realm}`;
  return createProvider({ publicUrl: PUBLIC_URL, provider: { issuer, publicUrl: issuer, internalUrl: issuer, clientId: CLIENT, clientProof: { key: readClientKey(file, KEY_ID) }, invitationEndpoint: 'auth', claimsToKeep: [] } }, { now: () => new Date() });
}

describe.each<['rsa' | 'ec', string]>([
  ['rsa', 'RS256'],
  ['ec', 'ES256'],
])('a client that proves itself by a key (%s), which Keycloak knows by its JWKS', (name, alg) => {
  beforeAll(() => publish(name, alg));

  test('signs somebody in: by PAR, and with the code', async () => {
    const person = await createPerson([], 0);
    const provider = providerWith(name);
    const checks = provider.newChecks();
    const url = await provider.authorizationUrl(checks, {}, { byQuery: false });
    expect([...url.searchParams.keys()].toSorted()).toEqual(['client_id', 'request_uri']);
    const browser = httpBrowser({ follow: (to) => !to.href.startsWith(`${PUBLIC_URL}/`) });
    const page = await browser.get(url.href);
    const back = await browser.submit(page.form('kc-form-login'), { username: person.username, password: person.password });
    expect(await provider.finishLogin(new URL(back.url), checks)).toMatchObject({ outcome: 'signed_in', identity: { sub: person.id, email: person.username } });
  });

  test('gets its own token', async () => {
    expect((await providerWith(name).serviceToken()).split('.')).toHaveLength(3);
  });

  test('by another key gets nothing', async () => {
    const provider = providerWith('another');
    await expect(provider.serviceToken()).rejects.toThrow('unusable answer');
    await expect(provider.authorizationUrl(provider.newChecks(), {}, { byQuery: false })).rejects.toThrow('unusable answer');
  });
});
