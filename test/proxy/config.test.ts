import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { inspect } from 'node:util';
import { ConfigError } from '../../platform/config.ts';
import { loadConfig } from '../../proxy/config.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');
const GOOD = {
  PROXY_PORT: '8700',
  PROXY_PUBLIC_URL: 'https://app.example',
  PROXY_DATABASE_URL: 'postgres://proxy:database-password@db/vestibule',
  PROXY_CLIENT_SECRET: 'client-secret',
  KEYCLOAK_PUBLIC_URL: 'https://id.example',
  SESSION_ENCRYPTION_KEY: KEY,
  BRIDGE_INTERNAL_URL: 'http://bridge:8402',
  APP_INTERNAL_URL: 'http://app:8405',
  CONTACT_URL: 'https://example.com/contact',
};

const folder = mkdtempSync(join(tmpdir(), 'proxy-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
function fileOf(text: string): string {
  const file = join(folder, randomUUID());
  writeFileSync(file, text);
  return file;
}
function pemOf(type: 'ec' | 'rsa', size: string | number): string {
  const pair = type === 'ec' ? generateKeyPairSync('ec', { namedCurve: String(size) }) : generateKeyPairSync('rsa', { modulusLength: Number(size) });
  return fileOf(String(pair.privateKey.export({ type: 'pkcs8', format: 'pem' })));
}

function faults(env: Record<string, string | undefined>): string[] {
  try {
    loadConfig({ ...GOOD, ...env });
  } catch (error) {
    return [...(error as ConfigError).faults];
  }
  return [];
}

describe('the configuration', () => {
  test('a complete one is frozen, with defaults', () => {
    const config = loadConfig(GOOD);
    expect(Object.isFrozen(config)).toBe(true);
    expect(config).toMatchObject({ mode: 'production', sessionIdleMilliseconds: 1_800_000, sessionAbsoluteMilliseconds: 36_000_000 });
    expect(config.sites).toMatchObject([{ invitationByPar: true, provider: { issuer: 'https://id.example/realms/vestibule', internalUrl: 'https://id.example', clientId: 'vestibule-proxy' } }]);
  });

  test('every missing variable is named at once', () => {
    const missing = faults(Object.fromEntries(Object.keys(GOOD).map((name) => [name, undefined])));
    expect(missing.sort()).toEqual(Object.keys(GOOD).map((name) => `${name}: is not set`).sort());
  });

  test.each([
    [{ PROXY_PUBLIC_URL: 'http://app.example' }, 'PROXY_PUBLIC_URL: must be https in production'],
    [{ KEYCLOAK_PUBLIC_URL: 'http://id.example' }, 'KEYCLOAK_PUBLIC_URL: must be https in production'],
    [{ PROXY_PUBLIC_URL: 'https://app.example/path' }, 'PROXY_PUBLIC_URL: must be an origin'],
    [{ SESSION_ENCRYPTION_KEY: 'short' }, 'SESSION_ENCRYPTION_KEY: must be 32 bytes'],
    [{ PROXY_CLIENT_SECRET: '${PROXY_CLIENT_SECRET}' }, 'PROXY_CLIENT_SECRET: is an unreplaced placeholder'],
    [{ TRUSTED_PROXIES: '10.0.0.0/8,nonsense' }, 'TRUSTED_PROXIES: must be addresses or CIDR'],
    [{ TRUSTED_PROXIES: '10.0.0.0/33' }, 'TRUSTED_PROXIES: must be addresses or CIDR'],
    [{ CONTACT_URL: 'javascript:alert(1)' }, 'CONTACT_URL: must be an http(s) or mailto'],
    [{ INVITATION_BY_PAR: 'yes' }, 'INVITATION_BY_PAR: '],
    [{ BILLING_URL: 'http://billing.example' }, 'BILLING_URL: must be https in production'],
    [{ BILLING_URL: 'https://localhost' }, 'BILLING_URL: must not be localhost in production'],
    [{ BILLING_URL: 'https://billing.example/path' }, 'BILLING_URL: must be an origin'],
    // SECURITY 25: a script in a page of the app must not own billing.
    [{ BILLING_URL: GOOD.PROXY_PUBLIC_URL }, 'BILLING_URL: must have an origin of its own in production'],
    [{ BILLING_URL: GOOD.KEYCLOAK_PUBLIC_URL }, 'BILLING_URL: must have an origin of its own in production'],
    [{ STAFF_URL: 'http://staff.example' }, 'STAFF_URL: must be https in production'],
    [{ STAFF_URL: GOOD.PROXY_PUBLIC_URL }, 'STAFF_URL: must have an origin of its own in production'],
    [{ STAFF_URL: GOOD.KEYCLOAK_PUBLIC_URL }, 'STAFF_URL: must have an origin of its own in production'],
    [{ STAFF_URL: 'https://billing.example', BILLING_URL: 'https://billing.example' }, 'STAFF_URL: must have an origin of its own in production'],
    [{ EMBED_URL: 'http://embed.example' }, 'EMBED_URL: must be https in production'],
    [{ EMBED_URL: 'https://localhost' }, 'EMBED_URL: must not be localhost in production'],
    [{ EMBED_URL: 'https://embed.example/path' }, 'EMBED_URL: must be an origin'],
    [{ EMBED_URL: GOOD.PROXY_PUBLIC_URL }, 'EMBED_URL: must have an origin of its own in production'],
    [{ EMBED_URL: GOOD.KEYCLOAK_PUBLIC_URL }, 'EMBED_URL: must have an origin of its own in production'],
    [{ EMBED_URL: 'https://billing.example', BILLING_URL: 'https://billing.example' }, 'EMBED_URL: must have an origin of its own in production'],
    [{ EMBED_URL: 'https://staff.example', STAFF_URL: 'https://staff.example' }, 'EMBED_URL: must have an origin of its own in production'],
    // SECURITY 20
    [{ FORWARD_AUTH: 'true', TRUSTED_PROXIES: '' }, 'TRUSTED_PROXIES: forward auth needs the addresses'],
    // SECURITY 25
    [{ PROXY_PUBLIC_URL: 'https://id.example' }, 'KEYCLOAK_PUBLIC_URL: must have an origin of its own in production'],
    [{ IDENTITY_HEADERS: 'X-User' }, 'IDENTITY_HEADERS: '],
    [{ IDENTITY_HEADERS: 'X-User=sub, X-USER=email' }, 'IDENTITY_HEADERS: '],
    [{ IDENTITY_HEADERS: 'Cookie=sub' }, 'IDENTITY_HEADERS: Cookie is a header that has another meaning'],
    [{ CORS_ORIGINS: '*' }, 'CORS_ORIGINS.0: must be an http or https address'],
    [{ CORS_METHODS: 'put' }, 'CORS_METHODS.0: must be a method in capitals'],
    [{ APP_ANSWER_SECONDS: '0' }, 'APP_ANSWER_SECONDS: must be more than 0'],
    [{ APP_WHOLE_SECONDS: 'long' }, 'APP_WHOLE_SECONDS: '],
    [{ APP_CONNECTIONS: '0' }, 'APP_CONNECTIONS: must be at least 1'],
    [{ FRAME_ANCESTORS: "'none'" }, 'FRAME_ANCESTORS: '],
    [{ PROXY_SITES: 'sites: []', PROXY_SITES_FILE: './sites.yaml' }, 'PROXY_SITES: leave it out, or PROXY_SITES_FILE'],
    [{ PROXY_SITES: 'sites: []' }, 'sites: must have at least 1'],
    // In words of settings, not of code.
    [{ SESSION_IDLE_MINUTES: 'half an hour' }, 'SESSION_IDLE_MINUTES: must be a number, such as 30'],
    [{ SESSION_IDLE_MINUTES: '1.5' }, 'SESSION_IDLE_MINUTES: must be a whole number, such as 30'],
    [{ SESSION_CACHE_ENTRIES: '9' }, 'SESSION_CACHE_ENTRIES: must be at least 100'],
    [{ STOP_DELAY_SECONDS: '900' }, 'STOP_DELAY_SECONDS: must be at most 300'],
    [{ FORWARD_AUTH: 'yes' }, 'FORWARD_AUTH: must be true or false'],
    [{ IDENTITY_SIGNING_KEY: 'not a key' }, 'IDENTITY_SIGNING_KEY: must be a P-256 private key'],
  ])('%j is refused', (env, fault) => {
    expect(faults(env).join('\n')).toContain(fault);
  });

  test('faults of every kind are named at once, each with what to do', () => {
    const wrong = { SESSION_ENCRYPTION_KEY: 'short', FORWARD_AUTH: 'true', PROXY_PUBLIC_URL: 'http://localhost', APP_INTERNAL_URL: undefined };
    expect(faults(wrong).map((fault) => fault.split(':')[0])).toEqual(['SESSION_ENCRYPTION_KEY', 'TRUSTED_PROXIES', 'APP_INTERNAL_URL', 'PROXY_PUBLIC_URL']);
    expect(faults({ SESSION_ENCRYPTION_KEY: 'short', PROXY_SITES: 'sites: []' })).toHaveLength(2);
    expect(faults({ SESSION_ENCRYPTION_KEY: 'short', BILLING_URL: GOOD.PROXY_PUBLIC_URL }).map((fault) => fault.split(':')[0])).toEqual(['SESSION_ENCRYPTION_KEY', 'BILLING_URL']);
  });

  test('one site may come from the environment alone, with all that a file can say of it', () => {
    const { sites } = loadConfig({ ...GOOD, IDENTITY_HEADERS: 'X-Who=sub, X-Team=team', CORS_ORIGINS: 'https://www.example', CORS_METHODS: 'PUT', CORS_HEADERS: 'Content-Type', APP_ANSWER_SECONDS: '2.5', APP_CONNECTIONS: '50', FRAME_ANCESTORS: 'self' });
    expect(sites).toMatchObject([
      {
        identityHeaders: { 'X-Who': 'sub', 'X-Team': 'team' },
        provider: { claimsToKeep: ['team'] },
        cors: { origins: ['https://www.example'], methods: ['PUT'], headers: ['content-type'] },
        upstreams: [{ limits: { answerMilliseconds: 2_500, connectMilliseconds: 5_000, connections: 50 } }],
        frameAncestors: 'self',
      },
    ]);
  });

  test('a key instead of the client secret: its own id counts, then that of the file', () => {
    const jwk = fileOf(JSON.stringify({ ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), kid: 'of-the-file' }));
    const keyed = { ...GOOD, PROXY_CLIENT_SECRET: undefined, PROXY_CLIENT_KEY_FILE: jwk };
    expect(loadConfig(keyed).sites[0].provider.clientProof).toMatchObject({ key: { keyId: 'of-the-file' } });
    expect(loadConfig({ ...keyed, PROXY_CLIENT_KEY_ID: 'mine' }).sites[0].provider.clientProof).toMatchObject({ key: { keyId: 'mine' } });
  });

  test.each<[string, Record<string, string | undefined>, string]>([
    ['beside a secret', { PROXY_CLIENT_SECRET: 'x', PROXY_CLIENT_KEY_FILE: pemOf('ec', 'P-256') }, 'PROXY_CLIENT_SECRET: must not be set beside PROXY_CLIENT_KEY_FILE'],
    ['that is not there', { PROXY_CLIENT_KEY_FILE: '/nowhere/key.pem' }, 'PROXY_CLIENT_KEY_FILE: /nowhere/key.pem can’t be read (ENOENT)'],
    ['that is no key', { PROXY_CLIENT_KEY_FILE: fileOf('a-secret-that-is-no-key') }, 'must hold one unencrypted private key, in PEM or as a JWK'],
    ['that is public only', { PROXY_CLIENT_KEY_FILE: fileOf(String(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' }))) }, 'must hold one unencrypted private key'],
    ['that is too short', { PROXY_CLIENT_KEY_FILE: pemOf('rsa', 1024) }, 'must hold an RSA key of at least 2048 bits, or an EC key'],
    ['on a curve that no provider takes', { PROXY_CLIENT_KEY_FILE: pemOf('ec', 'secp256k1') }, 'or an EC key on P-256, P-384 or P-521'],
  ])('a key %s is refused, and not shown', (_what, env, fault) => {
    const found = faults({ PROXY_CLIENT_SECRET: undefined, ...env }).join('\n');
    expect(found).toContain(fault);
    expect(found).not.toMatch(/PRIVATE KEY|a-secret-that/);
  });

  test('origins to which a sign-in may lead back', () => {
    expect(loadConfig({ ...GOOD, RETURN_ORIGINS: 'https://docs.example, https://shop.example:8443' }).sites[0].returnOrigins).toEqual(['https://docs.example', 'https://shop.example:8443']);
    expect(faults({ RETURN_ORIGINS: 'https://docs.example/path' }).join()).toContain('RETURN_ORIGINS');
    expect(faults({ RETURN_ORIGINS: 'http://docs.example' }).join()).toContain('must be https in production');
  });

  test('billing has no pages unless it has an address; in development that may be the app’s', () => {
    expect(loadConfig(GOOD).billingUrl).toBeUndefined();
    expect(loadConfig({ ...GOOD, BILLING_URL: 'https://billing.example' }).billingUrl).toBe('https://billing.example');
    expect(faults({ VESTIBULE_MODE: 'development', BILLING_URL: GOOD.PROXY_PUBLIC_URL, STAFF_URL: GOOD.PROXY_PUBLIC_URL, EMBED_URL: GOOD.PROXY_PUBLIC_URL })).toEqual([]);
  });

  test('plain http is for development only', () => {
    expect(faults({ VESTIBULE_MODE: 'development', PROXY_PUBLIC_URL: 'http://localhost:8700', KEYCLOAK_PUBLIC_URL: 'http://localhost:8701' })).toEqual([]);
  });

  test('secrets never print', () => {
    const printed = inspect(loadConfig(GOOD), { depth: 9 }) + JSON.stringify(loadConfig(GOOD));
    for (const secret of ['database-password', 'client-secret', KEY]) expect(printed).not.toContain(secret);
  });
});
