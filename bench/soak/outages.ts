import { setTimeout as delay } from 'node:timers/promises';
import type { Part } from '../../dev/part.ts';

export type Ending = 'kill -9' | 'SIGTERM';

export interface Outage {
  part: string;
  ending: Ending;
  /** By `performance.now()`. */
  from: number;
  /** When it was ready again. */
  until: number;
}

export interface Outages {
  all: readonly Outage[];
  /** Whether one of these parts was away, or had just come back, at some moment between. */
  touched(parts: readonly string[], from: number, until: number, graceMilliseconds?: number): boolean;
  /** Whether that part was killed between. */
  killed(part: string, from: number, until: number): boolean;
  /** How long that part has been back, for a message. */
  sinceLast(part: string): string;
  /** Ends every part in both ways, one after the other, spread over that time. */
  run(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** After a kill a client hears of it a moment later. */
const HEARD_LATE_MILLISECONDS = 1_000;

export function planOutages(parts: Readonly<Record<string, Part>>): Outages {
  const all: Outage[] = [];
  const end = async (name: string, part: Part, ending: Ending): Promise<void> => {
    const outage: Outage = { part: name, ending, from: performance.now(), until: Number.POSITIVE_INFINITY };
    all.push(outage);
    await (ending === 'SIGTERM' ? part.stop() : part.kill());
    await part.start();
    outage.until = performance.now();
    console.log(`       ${name}: ${ending}, ready again after ${((outage.until - outage.from) / 1000).toFixed(1)} s`);
  };
  return {
    all,
    touched: (names, from, until, grace = 0) => all.some((one) => names.includes(one.part) && one.from <= until && one.until + grace >= from),
    killed: (name, from, until) => all.some((one) => one.part === name && one.ending === 'kill -9' && one.from <= until && one.from + HEARD_LATE_MILLISECONDS >= from),
    sinceLast: (name) => {
      const last = all.findLast((one) => one.part === name);
      return last === undefined ? `${name} was never away` : `${name} back for ${((performance.now() - last.until) / 1000).toFixed(1)} s`;
    },
    run: async (milliseconds, signal) => {
      const started = performance.now();
      const turns = Object.entries(parts).flatMap(([name, part]) => (['SIGTERM', 'kill -9'] as const).map((ending) => ({ name, part, ending })));
      for (const [at, { name, part, ending }] of turns.entries()) {
        await delay(Math.max(0, started + ((at + 0.5) * milliseconds) / turns.length - performance.now()), undefined, { signal });
        await end(name, part, ending);
      }
    },
  };
}
