import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';

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
