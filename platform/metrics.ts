import { Gauge, Histogram, Registry } from 'prom-client';
import type { Pool } from 'pg';
import { stateOf, type Dependency } from './health.ts';
import type { Log } from './log.ts';

/** Seconds. Keycloak waits for 3 s at most, and alerts look at 1 s. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Seconds since `started`, which is of `performance.now()`. */
export function secondsSince(started: number): number {
  return (performance.now() - started) / 1000;
}

/** To tenths, for a log line. */
export function millisecondsSince(started: number): number {
  return Math.round((performance.now() - started) * 10) / 10;
}

export function durations<Label extends string>(registry: Registry, name: string, help: string, labelNames: Label[]): Histogram<Label> {
  return new Histogram({ name, help, labelNames, buckets: DURATION_BUCKETS, registers: [registry] });
}

interface Measured {
  name: string;
  help: string;
  labels?: readonly string[];
}

/** Gauges that are read together when somebody scrapes. What can't be read is left out of that answer, not told as of before. */
export function readAtScrape<Values extends Readonly<Record<string, Measured>>>(
  registry: Registry,
  gauges: Values,
  read: () => Promise<Readonly<Record<keyof Values, readonly { labels?: Readonly<Record<string, string>>; value: number }[]>>>,
  log: Log,
): void {
  let reading: ReturnType<typeof read> | undefined;
  // prom-client collects all gauges at the same time: the first of them reads for all.
  const once = () => {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  for (const [key, { name, help, labels = [] }] of Object.entries(gauges)) {
    const gauge = new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers: [registry],
      collect: async () => {
        gauge.reset();
        if (labels.length === 0) gauge.remove();
        const values = await once().catch((error: unknown) => void log.warn({ err: error, metric: name }, 'a metric could not be read'));
        for (const { labels: of = {}, value } of values?.[key] ?? []) gauge.set(of, value);
      },
    });
  }
}

export function dependencyGauge(registry: Registry, name: string, dependencies: Readonly<Record<string, Dependency>>, log: Log): void {
  readAtScrape(
    registry,
    { up: { name, help: 'Whether a dependency answers, as /readyz sees it: 1 or 0.', labels: ['dependency', 'required'] } },
    async () => {
      const up = Object.entries(dependencies).map(async ([dependency, one]) => {
        const { state } = await stateOf(one);
        return { labels: { dependency, required: String(one.required) }, value: state === 'up' ? 1 : 0 };
      });
      return { up: await Promise.all(up) };
    },
    log,
  );
}

export function poolGauge(registry: Registry, name: string, pool: Pool): void {
  const gauge = new Gauge({
    name,
    help: 'Connections of the pool to Postgres, and calls that wait for one.',
    labelNames: ['state'],
    registers: [registry],
    collect: () => {
      gauge.set({ state: 'busy' }, pool.totalCount - pool.idleCount);
      gauge.set({ state: 'idle' }, pool.idleCount);
      gauge.set({ state: 'waiting' }, pool.waitingCount);
    },
  });
}
