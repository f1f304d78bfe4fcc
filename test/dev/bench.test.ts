import { expect, test } from '@jest/globals';
import { enumerationSection } from '../../bench/page.ts';
import { atLeast, atMost, missesTarget } from '../../bench/report.ts';

const machine = { cpu: 'a processor', cores: 2, date: '2026-11-21T12:00:00.000Z', loadAtStart: [0.1] };
const milliseconds = { medianDifference: 0.123, interval: [-0.5, 0.75], couldHide: 0.75, pValue: 0.4, oneLook: 0.523 } as const;
const differences = [{ kind: 'existing', comparedWith: 'new', milliseconds }];

test.each([
  ['nothing was promised', [{ measured: 'a', value: 1, unit: 'ms' }], false],
  ['all was kept', [atLeast(0.5, 'a', '1/s', 1, 2), atMost(2, 'b', 'ms', 2, 1)], false],
  ['one is a little too slow', [atLeast(0.5, 'a', '1/s', 1, 2), atMost(2, 'b', 'ms', 2.01, 1)], true],
])('a bench in which %s', (_, rows, missed) => {
  expect(missesTarget({ rows })).toBe(missed);
});

test('the page says how much a run of the enumeration bench could hide', () => {
  const page = enumerationSection({ machine, rounds: 300, doors: [{ door: 'the form', differences, nextRequest: differences }] });
  expect(page).toContain('| the form | existing − new | 0.12 ms | -0.50 … 0.75 | 0.75 ms | 52 % |');
  expect(page).toContain('| the form | the request after existing − after new | 0.12 ms |');
});

test('a result of the old form, without the next request, is left out', () => {
  expect(enumerationSection({ machine, rounds: 300, doors: [{ door: 'the form', differences } as never] })).toBe('');
});
