import type { Log } from '../../../platform/log.ts';
import { addJob } from '../../db/job.ts';
import type { Db } from '../../db/schema.ts';

const SWEEP_MILLISECONDS = 60_000;

export interface SweepTimer {
  /** The domain clock was moved. */
  sweepNow(): Promise<void>;
  stop(): void;
}

/** One sweep waits at a time, whichever replica asked for it. */
export function startSweepTimer(db: Db, log: Log): SweepTimer {
  const sweepNow = () => addJob(db, 'sweep_plans', {}, { key: 'sweep_plans' });
  const timer = setInterval(() => void sweepNow().catch((error: unknown) => log.warn({ err: error }, 'no sweep of plans was queued; the next one comes in a minute')), SWEEP_MILLISECONDS);
  timer.unref();
  return { sweepNow, stop: () => clearInterval(timer) };
}
