import { afterEach, expect, test } from '@jest/globals';
import { verifiedTokens } from '../../bridge/keycloak/verified-tokens.ts';

const original = performance.now.bind(performance);
afterEach(() => {
  performance.now = original;
});

test('a token is remembered byte for byte', () => {
  const verified = verifiedTokens<string>();
  verified.add('a.b.c', 'read');
  expect(['a.b.c', 'a.b.d', 'a.b.', ''].filter((token) => verified.find(token) === 'read')).toEqual(['a.b.c']);
});

test('for 30 s: then the key must be there still', () => {
  const verified = verifiedTokens<string>();
  verified.add('a.b.c', 'read');
  performance.now = () => original() + 29_000;
  expect(verified.find('a.b.c')).toBe('read');
  performance.now = () => original() + 30_000;
  expect(verified.find('a.b.c')).toBeUndefined();
});

test('of a thousand and one the oldest is forgotten', () => {
  const verified = verifiedTokens<string>();
  const tokens = Array.from({ length: 1_001 }, (_, index) => `token ${index}`);
  for (const token of tokens) verified.add(token, 'read');
  expect(tokens.filter((token) => verified.find(token) === undefined)).toEqual(['token 0']);
});
