import type { Log } from '../../platform/log.ts';
import { addJob } from './job.ts';
import type { Db } from './schema.ts';

export interface SweepTimer {
  /** The domain clock was moved. */
  sweepNow(): Promise<void>;
  stop(): void;
}

/** One sweep waits at a time, whichever replica asked for it. */
export function startSweepTimer(db: Db, sweep: 'sweep_plans' | 'sweep_lives', everySeconds: number, log: Log): SweepTimer {
  const sweepNow = () => addJob(db, sweep, {}, { key: sweep });
  const timer = setInterval(() => void sweepNow().catch((error: unknown) => log.warn({ err: error, sweep }, 'no sweep was queued; the next one comes by itself')), everySeconds * 1000);
  timer.unref();
  return { sweepNow, stop: () => clearInterval(timer) };
}
