/** Amounts are whole numbers of the currency's smallest unit; instants milliseconds since 1970. */
export interface Amount {
  net: number;
  tax: number;
  total: number;
}

export const NOTHING: Amount = { net: 0, tax: 0, total: 0 };

/** Tax in hundredths of a percent, rounded half away from zero: a credit of a charge is its exact opposite. */
export function withTax(net: number, taxBasisPoints: number): Amount {
  const tax = Number(divideRounded(BigInt(net) * BigInt(taxBasisPoints), 10_000n));
  return { net, tax, total: net + tax };
}

export function sumOf(amounts: readonly Amount[]): Amount {
  return amounts.reduce((sum, { net, tax, total }) => ({ net: sum.net + net, tax: sum.tax + tax, total: sum.total + total }), NOTHING);
}

export interface Seats {
  seats: number;
  /** Of one seat for a whole period, without tax. */
  unitPrice: number;
}

/** So long a price that was shown in the middle of a period stays the price. */
const STEP_MILLISECONDS = 3_600_000;

/** What the rest of a period is worth from an instant on, by hours that were begun: all of it at its beginning, nothing at its end. */
export function remainingNet({ seats, unitPrice }: Seats, period: { startsAt: Date; endsAt: Date }, at: Date): number {
  const [begin, end] = [period.startsAt.getTime(), period.endsAt.getTime()];
  const gone = Math.max(at.getTime() - begin, 0);
  const from = at.getTime() >= end ? end : begin + gone - (gone % STEP_MILLISECONDS);
  return Number(divideRounded(BigInt(seats) * BigInt(unitPrice) * BigInt(end - from), BigInt(end - begin)));
}

function divideRounded(dividend: bigint, divisor: bigint): bigint {
  const [sign, size] = dividend < 0n ? [-1n, -dividend] : [1n, dividend];
  return sign * ((2n * size + divisor) / (2n * divisor));
}

/** The month of `anchor`'s calendar that many months later, in UTC; the 31st becomes the last day where there is none. */
export function monthsAfter(anchor: Date, months: number): Date {
  const [year, month, day] = [anchor.getUTCFullYear(), anchor.getUTCMonth() + months, anchor.getUTCDate()];
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const moved = new Date(anchor);
  moved.setUTCFullYear(year, month, Math.min(day, lastDay));
  return moved;
}

/** In the reader's language. */
export function inCurrency(amount: number, currency: string, locale: string): string {
  const format = new Intl.NumberFormat(locale, { style: 'currency', currency });
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}
