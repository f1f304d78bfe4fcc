const BOOTSTRAP_DRAWS = 2_000;
const QUANTILES = { p5: 0.05, p25: 0.25, median: 0.5, p75: 0.75, p95: 0.95, p99: 0.99 } as const;

export type Distribution = Readonly<Record<keyof typeof QUANTILES, number> & { count: number }>;

/** How two samples differ; the first is what the second is compared with. Times in the unit of the samples. */
export interface Difference {
  medianDifference: number;
  /** 95 %, by bootstrap. */
  interval: readonly [number, number];
  /** How far apart the medians may lie without this run telling: the end of the interval that is farther from 0. */
  couldHide: number;
  /** Of Mann and Whitney, two-sided: how often chance alone makes samples of one distribution differ by this much. */
  pValue: number;
  /** How often one look, at the best threshold, tells the two apart; 0.5 is a coin. */
  oneLook: number;
}

export function distribution(sample: readonly number[]): Distribution {
  const sorted = sample.toSorted(ascending);
  const quantiles = Object.entries(QUANTILES).map(([name, share]) => [name, quantile(sorted, share)] as const);
  return { count: sample.length, ...Object.fromEntries(quantiles) } as Distribution;
}

export function difference(base: readonly number[], other: readonly number[]): Difference {
  const interval = bootstrapInterval(base, other);
  return {
    medianDifference: median(other) - median(base),
    interval,
    couldHide: Math.max(Math.abs(interval[0]), Math.abs(interval[1])),
    pValue: mannWhitney(base, other),
    oneLook: bestGuess(base, other),
  };
}

export function median(sample: readonly number[]): number {
  return quantile(sample.toSorted(ascending), 0.5);
}

function quantile(sorted: readonly number[], share: number): number {
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

function bootstrapInterval(base: readonly number[], other: readonly number[]): readonly [number, number] {
  const drawn = Array.from({ length: BOOTSTRAP_DRAWS }, () => median(redraw(other)) - median(redraw(base))).sort(ascending);
  return [quantile(drawn, 0.025), quantile(drawn, 0.975)];
}

function redraw(sample: readonly number[]): number[] {
  return sample.map(() => sample[Math.floor(Math.random() * sample.length)] ?? Number.NaN);
}

/** The normal approximation, right for the hundreds of distinct times that we have. */
function mannWhitney(base: readonly number[], other: readonly number[]): number {
  const pooled = [...base.map((value) => ({ value, base: true })), ...other.map((value) => ({ value, base: false }))].sort((a, b) => a.value - b.value);
  const rankSum = pooled.reduce((sum, one, index) => (one.base ? sum + index + 1 : sum), 0);
  const u = rankSum - (base.length * (base.length + 1)) / 2;
  const mean = (base.length * other.length) / 2;
  const deviation = Math.sqrt((base.length * other.length * (base.length + other.length + 1)) / 12);
  return 2 * upperTail(Math.abs(u - mean) / deviation);
}

/** Of the standard normal distribution: Abramowitz and Stegun 26.2.17, good to 7.5e-8. */
function upperTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
}

function bestGuess(base: readonly number[], other: readonly number[]): number {
  const pooled = [...base.map((value) => ({ value, step: 1 / base.length })), ...other.map((value) => ({ value, step: -1 / other.length }))].sort((a, b) => a.value - b.value);
  let apart = 0;
  let farthest = 0;
  for (const { step } of pooled) {
    apart += step;
    farthest = Math.max(farthest, Math.abs(apart));
  }
  return (1 + farthest) / 2;
}

function ascending(a: number, b: number): number {
  return a - b;
}
