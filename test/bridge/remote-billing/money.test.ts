import { describe, expect, test } from '@jest/globals';
import { array, assert, date, integer, property, record } from 'fast-check';
import { inCurrency, monthsAfter, remainingNet, sumOf, withTax } from '../../../bridge/remote-billing/plans/money.ts';

const price = integer({ min: 1, max: 1_000_000 });
const seats = integer({ min: 1, max: 1_000_000 });
const instant = date({ min: new Date('2020-01-01T00:00:00Z'), max: new Date('2040-01-01T00:00:00Z'), noInvalidDate: true });

const period = (startsAt: Date) => ({ startsAt, endsAt: monthsAfter(startsAt, 12) });

describe('tax', () => {
  test.each([
    [100, 2_000, 20],
    [12, 2_000, 2],
    [13, 2_000, 3],
    [25, 200, 1],
    [-25, 200, -1],
    [0, 2_000, 0],
    [1_000, 0, 0],
  ])('of %i at %i hundredths of a percent is %i', (net, basisPoints, tax) => {
    expect(withTax(net, basisPoints)).toEqual({ net, tax, total: net + tax });
  });

  test('of a credit is the opposite of that of the charge', () => {
    assert(
      property(integer({ min: -1e12, max: 1e12 }), integer({ min: 0, max: 10_000 }), (net, basisPoints) => {
        const [charge, credit] = [withTax(net, basisPoints), withTax(-net, basisPoints)];
        expect(sumOf([charge, credit])).toEqual({ net: 0, tax: 0, total: 0 });
        expect(Number.isSafeInteger(charge.total)).toBe(true);
      }),
    );
  });
});

describe('the rest of a period', () => {
  test('is all at its beginning, nothing at its end, and never grows in between', () => {
    assert(
      property(record({ seats, unitPrice: price }), instant, array(integer({ min: 0, max: 366 * 86_400_000 }), { maxLength: 20 }), (of, startsAt, offsets) => {
        const one = period(startsAt);
        expect(remainingNet(of, one, one.startsAt)).toBe(of.seats * of.unitPrice);
        expect(remainingNet(of, one, one.endsAt)).toBe(0);
        const left = offsets.toSorted((a, b) => a - b).map((offset) => remainingNet(of, one, new Date(startsAt.getTime() + offset)));
        expect(left).toEqual(left.toSorted((a, b) => b - a));
        expect(left.every(Number.isSafeInteger)).toBe(true);
      }),
    );
  });

  test('of seats added one after the other at one instant costs what they cost at once, but for rounding', () => {
    assert(
      property(integer({ min: 1, max: 1000 }), array(integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 10 }), price, instant, integer({ min: 0, max: 364 * 86_400_000 }), (first, more, unitPrice, startsAt, offset) => {
        const [one, at] = [period(startsAt), new Date(startsAt.getTime() + offset)];
        const worth = (count: number) => remainingNet({ seats: count, unitPrice }, one, at);
        let [count, paid] = [first, 0];
        for (const add of more) {
          paid += worth(count + add) - worth(count);
          count += add;
        }
        expect(paid).toBe(worth(count) - worth(first));
      }),
    );
  });
});

describe('months', () => {
  test.each([
    ['2026-01-31T10:00:00.000Z', 1, '2026-02-28T10:00:00.000Z'],
    ['2026-01-31T10:00:00.000Z', 2, '2026-03-31T10:00:00.000Z'],
    ['2024-02-29T00:00:00.000Z', 12, '2025-02-28T00:00:00.000Z'],
    ['2024-02-29T00:00:00.000Z', 48, '2028-02-29T00:00:00.000Z'],
    ['2026-11-30T23:59:59.999Z', 3, '2027-02-28T23:59:59.999Z'],
  ])('from %s, %i later, is %s', (from, count, to) => {
    expect(monthsAfter(new Date(from), count).toISOString()).toBe(to);
  });

  test('one after the other leave no gap and do not overlap', () => {
    assert(
      property(instant, integer({ min: 1, max: 60 }), (anchor, count) => {
        const ends = Array.from({ length: count }, (_one, index) => monthsAfter(anchor, index).getTime());
        expect(ends).toEqual([...new Set(ends)].toSorted((a, b) => a - b));
      }),
    );
  });
});

test.each([
  [123_456, 'EUR', 'en', '€1,234.56'],
  [123_456, 'EUR', 'fr', '1\u202f234,56\u00a0€'],
  [1_234, 'JPY', 'en', '¥1,234'],
])('%i %s reads in %s as %s', (amount, currency, locale, text) => {
  expect(inCurrency(amount, currency, locale)).toBe(text);
});
