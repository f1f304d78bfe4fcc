import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';

const KEY = Buffer.alloc(32).toString('base64');
const ENVIRONMENT = {
  BRIDGE_PORT: '0',
  BRIDGE_DATABASE_URL: 'postgres://bridge@localhost/vestibule',
  BRIDGE_CLIENT_SECRET: 'client-secret',
  BRIDGE_INTERNAL_URL: 'http://bridge.example',
  PROXY_PORT: '0',
  PROXY_DATABASE_URL: 'postgres://proxy@localhost/vestibule',
  PROXY_CLIENT_SECRET: 'client-secret',
  APP_INTERNAL_URL: 'http://app.example',
  KEYCLOAK_PUBLIC_URL: 'https://sso.example.com',
  PROXY_PUBLIC_URL: 'https://app.example.com',
  SMTP_URL: 'smtps://mail.example.com',
  MAIL_FROM: 'hello@example.com',
  CONTACT_URL: 'https://example.com/contact',
  ADDRESS_HASH_KEY: KEY,
  SESSION_ENCRYPTION_KEY: KEY,
};

test.each(['bridge', 'proxy'])('%s without its products file ends with one message and exit code 1', (name) => {
  const { status, stderr } = spawnSync(process.execPath, [`${name}/main.ts`], {
    env: { ...ENVIRONMENT, PATH: process.env['PATH'], PRODUCTS_FILE: '/nowhere/products.yaml' },
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stderr).toBe(`${name}: Configuration is not usable. Set or correct these environment variables:\n  PRODUCTS_FILE: /nowhere/products.yaml: there is no such file\n`);
});

const check = (env: Record<string, string>) => spawnSync(process.execPath, ['proxy/main.ts', '--check'], { env: { ...ENVIRONMENT, PATH: process.env['PATH'], ...env }, encoding: 'utf8' });

describe('proxy/main.ts --check', () => {
  test('names every fault of the whole configuration at once, sites and products included', () => {
    const sites = 'sites: [{ public_url: https://app.example.com/path, issuer: https://id.example.com, client_id: x, client_secret_variable: UNSET_SECRET, upstreams: [{ path: /a, to: http://app:3000 }] }, { nonsense: 1 }]';
    const { status, stdout, stderr } = check({ PROXY_PORT: 'eighty', FORWARD_AUTH: 'true', PROXY_SITES: sites, PRODUCTS_FILE: '/nowhere/products.yaml' });
    expect([status, stdout]).toEqual([1, '']);
    for (const fault of ['PROXY_PORT', 'TRUSTED_PROXIES', 'sites.0.public_url', 'sites.1.public_url', 'PRODUCTS_FILE']) expect(stderr).toContain(`  ${fault}: `);
  });

  test('says so where there is none, and starts nothing: neither database nor bridge is there', () => {
    expect(check({})).toMatchObject({ status: 0, stdout: 'The configuration has no fault.\n', stderr: '' });
  });
});
