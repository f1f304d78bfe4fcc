import { describe, expect, test } from '@jest/globals';
import { formatTally, javaTally, jestTally, sum } from '../../dev/tally.ts';

const JEST = { numPassedTests: 5, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, numRuntimeErrorTestSuites: 0 };
const SUREFIRE = '<?xml version="1.0"?><testsuite name="a" time="0.1" tests="7" errors="1" skipped="2" failures="1"><testcase/></testsuite>';

describe('what jest found', () => {
  test.each([
    ['passed tests', JEST, 0, { passed: 5, failed: 0, skipped: 0 }],
    ['failed tests', { ...JEST, numFailedTests: 2 }, 1, { passed: 5, failed: 2, skipped: 0 }],
    ['suites that did not load', { ...JEST, numRuntimeErrorTestSuites: 1 }, 1, { passed: 5, failed: 1, skipped: 0 }],
    ['skipped and planned tests', { ...JEST, numPendingTests: 1, numTodoTests: 2 }, 0, { passed: 5, failed: 0, skipped: 3 }],
    ['a bad end without a failed test', JEST, 1, { passed: 5, failed: 1, skipped: 0 }],
    ['no results at all', undefined, 1, { passed: 0, failed: 1, skipped: 0 }],
  ])('counts %s', (_, results, exitCode, tally) => {
    expect(jestTally(results, exitCode)).toEqual(tally);
  });
});

describe('what Maven found', () => {
  test('is summed over its reports', () => {
    expect(javaTally([SUREFIRE, SUREFIRE], 1)).toEqual({ passed: 6, failed: 4, skipped: 4 });
  });

  test('is one failure where nothing was compiled', () => {
    expect(javaTally([], 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });
});

test('the sum is one line', () => {
  const total = sum([{ passed: 1, failed: 2, skipped: 0 }, { passed: 3, failed: 0, skipped: 1 }]);
  expect([formatTally(total), formatTally({ passed: 3, failed: 0, skipped: 0 })]).toEqual(['4 passed, 2 failed, 1 skipped', '3 passed, 0 failed']);
});
