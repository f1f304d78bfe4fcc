import type { Log } from '../../platform/log.ts';
import type { Db } from '../db/schema.ts';
import { queueFirstLooks } from './registration.store.ts';

const SWEEP_MILLISECONDS = 2_000;

export interface FirstLooks {
  /** Nothing waits any more: the domain clock was moved, or the process ends. */
  queueAll(): Promise<void>;
  stop(): void;
}

/** Nearly every attempt is confirmed before its first look is due: only for the others there is a job (docs/decisions/0041). */
export function startFirstLooks(db: Db, log: Log): FirstLooks {
  const sweep = () => queueFirstLooks(db, { all: false });
  const timer = setInterval(() => void sweep().catch((error: unknown) => log.warn({ err: error }, 'no first looks were queued; the next sweep comes in 2 s')), SWEEP_MILLISECONDS);
  timer.unref();
  return { queueAll: () => queueAll(db), stop: () => clearInterval(timer) };
}

export async function queueAll(db: Db): Promise<void> {
  while ((await queueFirstLooks(db, { all: true })) > 0);
}
