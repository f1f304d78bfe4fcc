import { expect, test } from '@jest/globals';
import { epochSeconds, movableClock, systemClock } from '../../platform/clock.ts';

test('a moved clock tells others the real instant at which a domain instant comes', () => {
  const clock = movableClock();
  clock.setOffset(3600);
  const inOneHour = new Date(Date.now() + 3_600_000);
  expect(Math.abs(epochSeconds(clock.now()) - epochSeconds(inOneHour))).toBeLessThanOrEqual(1);
  expect(epochSeconds(inOneHour) - epochSeconds(clock.toReal(inOneHour))).toBe(3600);
});

test('in production domain time is real time', () => {
  const instant = new Date();
  expect(systemClock.toReal(instant)).toBe(instant);
});
