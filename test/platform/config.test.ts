import { inspect } from 'node:util';
import { expect, test } from '@jest/globals';
import { baseUrl, ConfigError, port, publicAddressFaults, readConfig, secretKey, secretText } from '../../platform/config.ts';

const shape = { PORT: port, PUBLIC_URL: baseUrl, SECRET: secretText, KEY: secretKey };
const good = { PORT: '8400', PUBLIC_URL: 'https://id.example.com/', SECRET: 's3cret', KEY: Buffer.alloc(32, 7).toString('base64') };

function faults(env: Record<string, string | undefined>): readonly string[] {
  try {
    readConfig(shape, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
  }
  return [];
}

test('reads numbers, addresses without a trailing slash, and secrets', () => {
  const config = readConfig(shape, good);
  expect(config.PORT).toBe(8400);
  expect(config.PUBLIC_URL).toBe('https://id.example.com');
  expect(config.SECRET.reveal()).toBe('s3cret');
});

test('lists every fault by the name of its variable, at once', () => {
  expect(faults({ PORT: 'many', PUBLIC_URL: 'ftp://x.example', KEY: 'c2hvcnQ=' })).toEqual([
    expect.stringContaining('PORT: '),
    'PUBLIC_URL: must be an http or https address',
    'SECRET: is not set',
    expect.stringContaining('KEY: must be 32 bytes in base64'),
  ]);
});

test('an empty variable counts as unset', () => {
  expect(faults({ ...good, SECRET: '' })).toEqual(['SECRET: is not set']);
});

test('a placeholder that nobody replaced is not a secret', () => {
  expect(faults({ ...good, SECRET: '${PROXY_CLIENT_SECRET}' })).toEqual(['SECRET: is an unreplaced placeholder']);
});

test('SECURITY 14: a secret prints as [secret] wherever it goes', () => {
  const { SECRET } = readConfig(shape, good);
  expect([`${SECRET}`, JSON.stringify(SECRET), inspect(SECRET)].join(' ')).toBe('[secret] "[secret]" [secret]');
});

test.each([
  ['https://app.example.com', []],
  ['http://app.example.com', ['PROXY_PUBLIC_URL: must be https in production']],
  ['https://localhost:8400', ['PROXY_PUBLIC_URL: must not be localhost in production']],
  ['https://demo.localhost', ['PROXY_PUBLIC_URL: must not be localhost in production']],
  ['https://127.0.0.1', ['PROXY_PUBLIC_URL: must not be localhost in production']],
  ['https://[::1]', ['PROXY_PUBLIC_URL: must not be localhost in production']],
])('SECURITY 26: in production %s has the faults %j', (address, expected) => {
  expect(publicAddressFaults({ PROXY_PUBLIC_URL: address })).toEqual(expected);
});
