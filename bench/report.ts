/** One measured thing. */
export interface Row {
  measured: string;
  value: number;
  unit: string;
  /** What it is compared with, of the same run. */
  peer?: number;
  ratio?: number;
  target?: string;
  reached?: boolean;
}

/** `value` must be at least `target` times `peer`. */
export function atLeast(target: number, measured: string, unit: string, value: number, peer: number): Row {
  const ratio = value / peer;
  return { measured, value, unit, peer, ratio, target: `≥ ${target}`, reached: ratio >= target };
}

/** `value` must be at most `target` times `peer`. */
export function atMost(target: number, measured: string, unit: string, value: number, peer: number, ratio = value / peer): Row {
  return { measured, value, unit, peer, ratio, target: `≤ ${target}`, reached: ratio <= target };
}

/** Whether a bench came out short of what was promised; one without rows promises nothing. */
export function missesTarget(results: { rows?: readonly Row[] }): boolean {
  return results.rows?.some(({ reached }) => reached === false) ?? false;
}

export function printRows(rows: readonly Row[]): void {
  const cells = rows.map(({ measured, value, unit, peer, ratio, target, reached }) => [
    measured,
    { value: digits(value), unit, ...(peer === undefined ? {} : { peer: digits(peer) }), ...(ratio === undefined ? {} : { ratio: digits(ratio) }), ...(target === undefined ? {} : { target, '': reached ? 'reached' : 'MISSED' }) },
  ]);
  console.table(Object.fromEntries(cells));
}

/** Three that count, none of an integer part lost. */
function digits(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}
