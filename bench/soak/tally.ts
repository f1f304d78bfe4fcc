/** What happened how often, and what must not. */
export interface Tally {
  count(what: string): void;
  /** Something that must not happen; told at once. */
  fault(what: string): void;
  counts: ReadonlyMap<string, number>;
  faults: readonly string[];
}

const MOST_FAULTS_TOLD = 20;

export function newTally(): Tally {
  const counts = new Map<string, number>();
  const faults: string[] = [];
  return {
    counts,
    faults,
    count: (what) => void counts.set(what, (counts.get(what) ?? 0) + 1),
    fault: (what) => {
      faults.push(`${new Date().toISOString()} ${what}`);
      if (faults.length <= MOST_FAULTS_TOLD) console.error(`FAULT  ${what}`);
    },
  };
}
