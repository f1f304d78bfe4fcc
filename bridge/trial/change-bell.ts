import type { Log } from '../../platform/log.ts';
import { hearNotices } from '../../platform/notices.ts';

/** Told by the trigger of migration 0003. */
const CHANNEL = { name: 'bridge_trial_change', tells: 'changed trials', meanwhile: 'they are looked for every 2 s', applicationName: 'vestibule-bridge-notices' };

/** Rings when a trial changed, by whichever replica. Whoever waits looks now and then all the same. */
export interface ChangeBell {
  /** How often it has rung. */
  rings(): number;
  /** Until it has rung more often than that, for so long at most, or until `signal`. */
  wait(rings: number, milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Aborts when the process stops: streams end, so that their readers go to another replica. */
  stopping: AbortSignal;
  stop(): Promise<void>;
}

export function changeBell(databaseUrl: string, log: Log): ChangeBell {
  const stopping = new AbortController();
  const waiting = new Set<() => void>();
  let rings = 0;
  const notices = hearNotices(
    databaseUrl,
    CHANNEL,
    () => {
      rings += 1;
      for (const wake of waiting) wake();
    },
    log,
  );
  return {
    rings: () => rings,
    wait: (heard, milliseconds, signal) =>
      new Promise((resolve) => {
        if (rings !== heard || signal.aborted) return resolve();
        const wake = (): void => {
          clearTimeout(limit);
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        const limit = setTimeout(wake, milliseconds);
        waiting.add(wake);
        signal.addEventListener('abort', wake);
      }),
    stopping: stopping.signal,
    stop: () => {
      stopping.abort();
      return notices.stop();
    },
  };
}
