import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../bridge/config.ts';

const KEY = Buffer.alloc(32).toString('base64');
const EMBED_SIGNING_KEY = String(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }));

const COMPLETE = {
  BRIDGE_PORT: '8402',
  BRIDGE_DATABASE_URL: 'postgres://bridge:database-password@localhost/vestibule',
  BRIDGE_CLIENT_SECRET: 'client-secret',
  KEYCLOAK_PUBLIC_URL: 'https://sso.example.com/',
  PROXY_PUBLIC_URL: 'https://app.example.com/',
  SMTP_URL: 'smtps://user:mail-password@mail.example.com',
  MAIL_FROM: 'Example <hello@example.com>',
  CONTACT_URL: 'https://example.com/contact',
  ADDRESS_HASH_KEY: Buffer.alloc(32).toString('base64'),
};

describe('the configuration', () => {
  test('is frozen, in production, with its defaults', () => {
    const config = loadConfig(COMPLETE);
    expect(Object.isFrozen(config)).toBe(true);
    expect(config).toMatchObject({
      development: false,
      proxyUrl: 'https://app.example.com',
      keycloak: { issuer: 'https://sso.example.com/realms/vestibule', internalUrl: 'https://sso.example.com' },
      registerLimits: { perClientPerMinute: 10, perMinute: 1000 },
      mailLimits: { perMailboxPerDay: 5, secondsBetween: 60 },
      invitationLifetimeDays: 7,
    });
  });

  test('has remote billing with a key, on an origin of its own', () => {
    expect(loadConfig(COMPLETE).billing).toBeUndefined();
    expect(loadConfig({ ...COMPLETE, BILLING_TOKEN_KEY: KEY, BILLING_URL: 'https://billing.example.com/' }).billing).toMatchObject({ url: 'https://billing.example.com', file: './billing.yaml', challengeLoopback: false });
    expect(loadConfig({ ...COMPLETE, VESTIBULE_MODE: 'development', BILLING_TOKEN_KEY: KEY }).billing).toMatchObject({ url: 'https://app.example.com' });
  });

  test('has no captcha but a whole one, for the pages of the proxy', () => {
    const captcha = { CAPTCHA_PROVIDER: 'hcaptcha', CAPTCHA_SITE_KEY: 'site-key', CAPTCHA_SECRET: 'captcha-secret' };
    expect(loadConfig(COMPLETE).captcha).toBeUndefined();
    expect(loadConfig({ ...COMPLETE, ...captcha }).captcha).toMatchObject({ provider: 'hcaptcha', siteKey: 'site-key', hostnames: ['app.example.com'] });
    expect(JSON.stringify(loadConfig({ ...COMPLETE, ...captcha }))).not.toContain('captcha-secret');
  });

  test('never prints a secret', () => {
    const printed = JSON.stringify(loadConfig(COMPLETE)) + String(loadConfig(COMPLETE).smtpUrl);
    expect(printed).not.toMatch(/database-password|client-secret|mail-password/);
  });

  test.each<[string, Record<string, string>]>([
    ['BRIDGE_PORT', { BRIDGE_PORT: '70000' }],
    ['BRIDGE_CLIENT_SECRET', { BRIDGE_CLIENT_SECRET: '${BRIDGE_CLIENT_SECRET}' }],
    ['SMTP_URL', { SMTP_URL: 'mail.example.com' }],
    ['CONTACT_URL', { CONTACT_URL: 'javascript:alert(1)' }],
    ['ADDRESS_HASH_KEY', { ADDRESS_HASH_KEY: 'short' }],
    ['TRUSTED_PROXIES', { TRUSTED_PROXIES: '10.0.0.0/8, everybody' }],
    ['MOVABLE_CLOCK', { MOVABLE_CLOCK: 'true' }],
    ['BILLING_CHALLENGE_LOOPBACK', { BILLING_CHALLENGE_LOOPBACK: 'true' }],
    ['BILLING_TOKEN_KEY', { BILLING_TOKEN_KEY: 'short' }],
    ['BILLING_URL: is not set', { BILLING_TOKEN_KEY: KEY }],
    ['BILLING_URL: must be https', { BILLING_TOKEN_KEY: KEY, BILLING_URL: 'http://billing.example.com' }],
    // SECURITY 25
    ['BILLING_URL: must be of another origin than PROXY_PUBLIC_URL', { BILLING_TOKEN_KEY: KEY, BILLING_URL: 'https://app.example.com/billing' }],
    ['BILLING_URL: must be of another origin than KEYCLOAK_PUBLIC_URL', { BILLING_TOKEN_KEY: KEY, BILLING_URL: 'https://sso.example.com' }],
    ['EMBED_SIGNING_KEY', { EMBED_SIGNING_KEY: 'not a key' }],
    ['EMBED_URL: is not set', { EMBED_SIGNING_KEY }],
    ['EMBED_URL: must be https', { EMBED_SIGNING_KEY, EMBED_URL: 'http://embed.example.com' }],
    ['EMBED_URL: must be of another origin than PROXY_PUBLIC_URL', { EMBED_SIGNING_KEY, EMBED_URL: 'https://app.example.com' }],
    ['EMBED_URL: must be of another origin than KEYCLOAK_PUBLIC_URL', { EMBED_SIGNING_KEY, EMBED_URL: 'https://sso.example.com' }],
    ['EMBED_URL: must be of another origin than BILLING_URL', { EMBED_SIGNING_KEY, EMBED_URL: 'https://billing.example.com', BILLING_TOKEN_KEY: KEY, BILLING_URL: 'https://billing.example.com' }],
    ['CAPTCHA_PROVIDER', { CAPTCHA_PROVIDER: 'riddle', CAPTCHA_SITE_KEY: 'k', CAPTCHA_SECRET: 's' }],
    ['CAPTCHA_SECRET: is not set', { CAPTCHA_PROVIDER: 'turnstile', CAPTCHA_SITE_KEY: 'k' }],
    ['CAPTCHA_PROVIDER: is not set', { CAPTCHA_SECRET: 's', CAPTCHA_SITE_KEY: 'k' }],
    ['CAPTCHA_VERIFY_URL: must be https', { CAPTCHA_PROVIDER: 'turnstile', CAPTCHA_SITE_KEY: 'k', CAPTCHA_SECRET: 's', CAPTCHA_VERIFY_URL: 'http://verifier' }],
    ['KEYCLOAK_PUBLIC_URL', { KEYCLOAK_PUBLIC_URL: 'http://sso.example.com' }],
    ['PROXY_PUBLIC_URL', { PROXY_PUBLIC_URL: 'https://localhost:8400' }],
  ])('names %s when it is wrong', (name, wrong) => {
    expect(() => loadConfig({ ...COMPLETE, ...wrong })).toThrow(name);
  });

  test('that is missing ends the process with one message and exit code 1', () => {
    const { status, stderr } = spawnSync(process.execPath, ['bridge/main.ts'], { env: { PATH: process.env['PATH'] }, encoding: 'utf8' });
    expect(status).toBe(1);
    for (const name of Object.keys(COMPLETE)) expect(stderr).toContain(`${name}: is not set`);
    expect(stderr).not.toContain('    at ');
  });
});
