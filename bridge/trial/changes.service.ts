import { setTimeout as pause } from 'node:timers/promises';
import type { Db } from '../db/schema.ts';
import type { ChangeBell } from './change-bell.ts';
import { findChangesAfter, findLastVersion, type TrialChange } from './change.store.ts';

/** What one reader costs in memory at most. */
const CHANGES_AT_ONCE = 500;
/** Readers take a silence of more than twice that for a broken connection. */
const LOOK_EVERY_MILLISECONDS = 2_000;
/** In a rush: what changed meanwhile is told together. Whoever changed something after a silence waits for nothing. */
const REST_MILLISECONDS = 200;

/** `restarted`: the reader has seen versions that this database never gave, so everything follows from the start. `up_to_date`: nothing else has changed. */
export type Told = { kind: 'change'; change: TrialChange } | { kind: 'restarted' } | { kind: 'up_to_date' };

/**
 * Every change of a trial's end after a version, in the order of commits; of several changes of one trial the last. With `follow` it
 * goes on until `signal`. The database is the queue: a reader that is slow costs no more than one that is not.
 */
export async function* changesAfter(
  db: Db,
  bell: Pick<ChangeBell, 'rings' | 'wait'>,
  { version, follow, signal }: { version: number; follow: boolean; signal: AbortSignal },
): AsyncGenerator<Told> {
  let after = version;
  if (after > (await findLastVersion(db))) {
    after = 0;
    yield { kind: 'restarted' };
  }
  while (!signal.aborted) {
    const rested = pause(REST_MILLISECONDS, undefined, { signal, ref: false }).catch(() => {});
    const rings = bell.rings();
    const changes = await findChangesAfter(db, after, CHANGES_AT_ONCE);
    for (const change of changes) yield { kind: 'change', change };
    after = changes.at(-1)?.version ?? after;
    if (changes.length === CHANGES_AT_ONCE) continue;
    yield { kind: 'up_to_date' };
    if (!follow) return;
    await bell.wait(rings, LOOK_EVERY_MILLISECONDS, signal);
    await rested;
  }
}
