/** Asked about in one statement. */
const BATCH = 1_000;
/** What was read or checked within this time is left out of a round. */
const DUE_AFTER_MILLISECONDS = 120_000;
const EVERY_MILLISECONDS = 10_000;
/** While notices are not heard. */
const DUE_UNHEARD_AFTER_MILLISECONDS = 1_000;
const EVERY_UNHEARD_MILLISECONDS = 1_000;
/** What nobody asks for any more gets old, and is read when somebody does. */
const USED_WITHIN_MILLISECONDS = 10 * 60_000;

export interface Checked {
  /** By `performance.now()`: as it is in memory, the row was at this time. */
  readAt: number;
  /** What tells the row's content from any other (session.store.ts). */
  fingerprint: number;
  /** Somebody asked for it last at this time. */
  usedAt: number;
}

export interface CheckParts<Entry extends Checked> {
  entries(): Iterable<[string, Entry]>;
  forget(key: string): void;
  /** Of these, the keys whose row is gone, or is another one by now. */
  findChanged(asked: readonly { key: string; fingerprint: number }[]): Promise<readonly string[]>;
  heardSince(): number | undefined;
  now(): number;
}

/**
 * Checks what is known and used before it gets too old to be believed, so that requests need not wait for it: many sessions by one
 * statement, which answers with those that changed only. To be called every second; does nothing until it is time.
 */
export function createCheck<Entry extends Checked>(parts: CheckParts<Entry>): () => Promise<void> {
  let begunAt = Number.NEGATIVE_INFINITY;
  let underWay = false;

  const round = async (): Promise<void> => {
    const now = parts.now();
    const dueBefore = now - (parts.heardSince() === undefined ? DUE_UNHEARD_AFTER_MILLISECONDS : DUE_AFTER_MILLISECONDS);
    const due: [string, Entry][] = [];
    for (const one of parts.entries()) if (one[1].readAt <= dueBefore && now - one[1].usedAt < USED_WITHIN_MILLISECONDS) due.push(one);
    for (let from = 0; from < due.length; from += BATCH) await check(due.slice(from, from + BATCH));
  };

  const check = async (batch: readonly [string, Entry][]): Promise<void> => {
    const askedAt = parts.now();
    const changed = new Set(await parts.findChanged(batch.map(([key, { fingerprint }]) => ({ key, fingerprint }))));
    for (const [key, entry] of batch) {
      if (changed.has(key)) parts.forget(key);
      entry.readAt = askedAt;
    }
  };

  return async () => {
    const every = parts.heardSince() === undefined ? EVERY_UNHEARD_MILLISECONDS : EVERY_MILLISECONDS;
    if (underWay || parts.now() - begunAt < every) return;
    begunAt = parts.now();
    underWay = true;
    // What could not be checked gets old, and is read when it is asked for.
    await round().catch(() => {});
    underWay = false;
  };
}
