import { expect, test } from '@jest/globals';
import { createLog, plainLines } from '../../platform/log.ts';

const NAMES = ['request_id', 'path', 'status', 'duration_ms', 'aborted'];

/** What a log with these bindings writes by `plainLines`, and what pino writes of the same. */
function written(values: readonly (string | number | boolean | undefined)[], level = 'info'): { ours: string[]; pinos: string[] } {
  const lines: string[] = [];
  const log = createLog('proxy', level, { write: (line) => void lines.push(line) });
  plainLines(log, 'passed "on"', NAMES)(values);
  const ours = lines.splice(0);
  log.info(Object.fromEntries(NAMES.map((name, at) => [name, values[at]])), 'passed "on"');
  return { ours, pinos: lines };
}

const parsed = (lines: readonly string[]) => lines.map((line) => ({ ...(JSON.parse(line) as object), time: 'now' }));

test.each([
  ['plain values', ['a-1', '/reports', 200, 12.3, false]],
  ['what JSON must escape', ['a-1', '/a"b\\c\u0000\u2028é💥', 200, 0, true]],
  ['a whole number, a small one and one below zero', ['a-1', '/', -7, 0.1, false]],
  ['a number that rounds up to the next whole one', ['a-1', '/', 0.5, 9.9, false]],
  ['nothing', [undefined, undefined, 499, 3, undefined]],
])('a plain line is what pino writes of %s', (_what, values) => {
  const { ours, pinos } = written(values);
  expect(parsed(ours)).toEqual(parsed(pinos));
  expect(ours.join('')).toMatch(/^[^\n]+\n$/);
});

test('numbers have one decimal at most', () => {
  expect(parsed(written(['a', '/', 1.26, -0.04, true]).ours)).toMatchObject([{ status: 1.3, duration_ms: -0 }]);
});

test('none where the level is higher', () => {
  expect(written(['a', '/', 1, 1, true], 'warn').ours).toEqual([]);
});

test('of an error: what, where and why; of what libraries hang on it, nothing (SECURITY.md 14)', () => {
  const lines: string[] = [];
  const secretKey = 4_711_000_815;
  const lost = Object.assign(new Error('terminated', { cause: new Error('the server stopped') }), { code: '57P01', severity: 'FATAL', detail: 'Key (email)=(ada@example.com)', client: { secretKey } });
  createLog('proxy', 'info', { write: (line) => void lines.push(line) }).error({ err: new AggregateError([lost], 'both failed') }, 'a database connection broke');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    err: { type: 'AggregateError', message: 'both failed', aggregateErrors: [{ type: 'Error', message: 'terminated: the server stopped', code: '57P01', severity: 'FATAL', stack: expect.stringContaining('log.test.ts') }] },
  });
  expect(lines[0]).not.toMatch(/4711000815|ada@example\.com|client/);
});
