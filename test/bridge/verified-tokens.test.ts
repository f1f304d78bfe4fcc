import { afterEach, expect, test } from '@jest/globals';
import { verifiedTokens } from '../../bridge/keycloak/verified-tokens.ts';

const original = performance.now.bind(performance);
afterEach(() => {
  performance.now = original;
});

test('a token is remembered byte for byte', () => {
  const verified = verifiedTokens();
  verified.add('a.b.c');
  expect(['a.b.c', 'a.b.d', 'a.b.', ''].filter((token) => verified.has(token))).toEqual(['a.b.c']);
});

test('for 30 s: then the key must be there still', () => {
  const verified = verifiedTokens();
  verified.add('a.b.c');
  performance.now = () => original() + 29_000;
  expect(verified.has('a.b.c')).toBe(true);
  performance.now = () => original() + 30_000;
  expect(verified.has('a.b.c')).toBe(false);
});

test('of a thousand and one the oldest is forgotten', () => {
  const verified = verifiedTokens();
  const tokens = Array.from({ length: 1_001 }, (_, index) => `token ${index}`);
  for (const token of tokens) verified.add(token);
  expect(tokens.filter((token) => !verified.has(token))).toEqual(['token 0']);
});
