import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '..');
const ROWS = readFileSync(join(ROOT, 'docs', 'security.md'), 'utf8').split('\n').filter((line) => /^\| \d/.test(line));
const NAMED = /SECURITY(?:\.md)? (\d+(?:(?:, | and )\d+)*)/g;

/** `file: number` for every number that a test says it holds. */
const held = ['test', join('keycloak', 'src', 'test')].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((path) => /\.(ts|java)$/.test(path)).flatMap((path) => {
    const numbers = [...readFileSync(join(ROOT, folder, path), 'utf8').matchAll(NAMED)].flatMap(([, list = '']) => list.split(/, | and /));
    return [...new Set(numbers)].map((number) => ({ file: join(folder, path), number }));
  }),
);

test('every number that a test names has a row in docs/security.md', () => {
  const rows = new Set(ROWS.map((row) => row.split('|')[1]?.trim()));
  expect(held.length).toBeGreaterThan(50);
  expect(held.filter(({ number }) => !rows.has(number))).toEqual([]);
});

test('and every row is named by a test', () => {
  const named = new Set(held.map(({ number }) => number));
  expect(ROWS.map((row) => row.split('|')[1]?.trim() ?? '').filter((number) => !named.has(number))).toEqual([]);
});

test('a row says what holds it, and that exists', () => {
  const nothing = ROWS.filter((row) => !/`test\/|Test`/.test(row));
  expect(nothing).toEqual([]);
  const paths = ROWS.flatMap((row) => [...row.matchAll(/`(test\/[\w/-]+)`/g)].map(([, path = '']) => path));
  expect(paths.filter((path) => !['', '.test.ts'].some((end) => existsSync(join(ROOT, path + end))))).toEqual([]);
});
