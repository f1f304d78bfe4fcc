import { setTimeout as pause } from 'node:timers/promises';
import type { Db } from '../db/schema.ts';
import type { ChangeBell } from '../trial/change-bell.ts';
import { takeDue } from './delivery.store.ts';
import type { Endpoint } from './endpoints.ts';
import { tell, type TellUsing } from './tell.service.ts';

/** To one app, from one replica. */
const MOST_AT_ONCE = 8;
const LOOK_EVERY_MILLISECONDS = 1_000;
/** Beyond the time limit of a try, for what is written after it. */
const LEASE_MARGIN_SECONDS = 5;

export interface Teller {
  /** Lets tries under way end. */
  stop(): Promise<void>;
}

interface Using extends TellUsing {
  bell: Pick<ChangeBell, 'rings' | 'wait'>;
  timeLimitMilliseconds: number;
}

/**
 * Tells each app what happens, apart from the job queue: an app that is slow or away holds up nobody's mail, and no other app.
 * What is under way is written nowhere but in the row's lease, so that a killed process leaves nothing to clean up.
 */
export function startTeller(db: Db, using: Using, endpoints: readonly Endpoint[]): Teller {
  const stopping = new AbortController();
  const running = endpoints.map((endpoint) => tellOne(db, using, endpoint, stopping.signal));
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

async function tellOne(db: Db, using: Using, endpoint: Endpoint, stopping: AbortSignal): Promise<void> {
  const { bell, log } = using;
  const leaseSeconds = using.timeLimitMilliseconds / 1000 + LEASE_MARGIN_SECONDS;
  const underWay = new Set<Promise<void>>();
  const failed = (error: unknown) => {
    log.warn({ err: error, product: endpoint.product }, 'webhooks could not be read or written; they are tried again');
  };
  while (!stopping.aborted) {
    const rings = bell.rings();
    const due = await takeDue(db, endpoint.product, MOST_AT_ONCE - underWay.size, leaseSeconds).catch(failed);
    for (const delivery of due ?? []) {
      const telling: Promise<void> = tell(db, using, endpoint, delivery)
        .catch(failed)
        .finally(() => underWay.delete(telling));
      underWay.add(telling);
    }
    if (underWay.size >= MOST_AT_ONCE) await Promise.race(underWay);
    else if (due === undefined) await pause(LOOK_EVERY_MILLISECONDS, undefined, { signal: stopping }).catch(() => {});
    else if (due.length === 0) await Promise.race([bell.wait(rings, LOOK_EVERY_MILLISECONDS, stopping), ...underWay]);
  }
  await Promise.all(underWay);
}
