import { describe, expect, test } from '@jest/globals';
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
    [{ BILLING_URL: GOOD.PROXY_PUBLIC_URL }, 'BILLING_URL: must be of another origin'],
    [{ BILLING_URL: GOOD.KEYCLOAK_PUBLIC_URL }, 'BILLING_URL: must be of another origin'],
    [{ FORWARD_AUTH: 'true', TRUSTED_PROXIES: '' }, 'TRUSTED_PROXIES: forward auth needs the addresses'],
    [{ IDENTITY_SIGNING_KEY: 'not a key' }, 'IDENTITY_SIGNING_KEY: must be a P-256 private key'],
  ])('%j is refused', (env, fault) => {
    expect(faults(env).join('\n')).toContain(fault);
  });

  test('billing has no pages unless it has an address; in development that may be the app’s', () => {
    expect(loadConfig(GOOD).billingUrl).toBeUndefined();
    expect(loadConfig({ ...GOOD, BILLING_URL: 'https://billing.example' }).billingUrl).toBe('https://billing.example');
    expect(faults({ VESTIBULE_MODE: 'development', BILLING_URL: GOOD.PROXY_PUBLIC_URL })).toEqual([]);
  });

  test('plain http is for development only', () => {
    expect(faults({ VESTIBULE_MODE: 'development', PROXY_PUBLIC_URL: 'http://localhost:8700', KEYCLOAK_PUBLIC_URL: 'http://localhost:8701' })).toEqual([]);
  });

  test('secrets never print', () => {
    const printed = inspect(loadConfig(GOOD), { depth: 9 }) + JSON.stringify(loadConfig(GOOD));
    for (const secret of ['database-password', 'client-secret', KEY]) expect(printed).not.toContain(secret);
  });
});
