import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Log } from '../../platform/log.ts';
import type { TrialEnd } from '../session/trial-end.store.ts';
import type { Bridge } from './bridge.ts';
import { eventReader, type HeardEvent } from './event-stream.ts';

/** The bridge says something every 2 s. */
const SILENCE_LIMIT_MILLISECONDS = 5_000;
/** With the silence before it, what changed while nothing was heard holds within 10 s. */
const LONGEST_PAUSE_MILLISECONDS = 3_000;
const SHORTEST_PAUSE_MILLISECONDS = 250;
/** So old may be what is known before `/readyz` says so. */
const FRESH_MILLISECONDS = 10_000;
/** One transaction, with a lock for each person in it. */
const CHANGES_AT_ONCE = 100;

const changeData = z.object({
  user_id: z.string().min(1),
  product: z.string().min(1),
  trial_ends_at: z.number().nullish(),
  trial_access_until: z.number().nullable(),
  /** A bridge of the release before says nothing of these. */
  ready: z.boolean().default(true),
  forgotten: z.boolean().default(false),
  version: z.int().positive(),
});

/** What becomes of changes. */
export interface TrialEnds {
  lastVersion(): Promise<number>;
  /** Answers how many open sessions they concern. */
  take(ends: readonly TrialEnd[]): Promise<number>;
  /** What was told before is not worth anything any more. */
  forgetAll(): Promise<void>;
}

export interface TrialFeed {
  /** Whether a stream is open and says that nothing else has changed. */
  connected(): boolean;
  /** How old what is known may be; undefined before the first word. */
  ageMilliseconds(): number | undefined;
  /** Reads what has changed up to now, beside the stream. Never throws. */
  hearNow(): Promise<void>;
  /** Throws while changes are not heard. */
  check(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Follows the bridge's feed of changed trials: one connection per process, again by itself with the last version that was written
 * down. Where a stream brings nothing through (a gateway that gathers answers), it asks every few seconds what has changed instead.
 */
export function followTrialFeed(bridge: Pick<Bridge, 'changes'>, ends: TrialEnds, log: Log): TrialFeed {
  const stopping = new AbortController();
  let upToDateAt: number | undefined;
  let connected = false;
  let lost = false;

  const onUpToDate = (follow: boolean): void => {
    upToDateAt = performance.now();
    connected = follow;
    if (lost) log.info('changes of trials are heard again');
    lost = false;
  };
  const onLost = (error: unknown): void => {
    connected = false;
    if (lost || stopping.signal.aborted) return;
    log.warn({ err: error }, 'changes of trials are not heard: what the bridge ends or extends meanwhile holds here once it is reached again');
    lost = true;
  };

  const onUnheard = (error: unknown): void => log.warn({ err: error }, 'the bridge was asked for changes of trials and did not answer');

  const take = async (heard: readonly TrialEnd[]): Promise<void> => {
    for (let at = 0; at < heard.length; at += CHANGES_AT_ONCE) {
      const some = heard.slice(at, at + CHANGES_AT_ONCE);
      const sessions = await ends.take(some);
      log.info({ changes: some.length, sessions, version: some.at(-1)?.version }, 'trials changed');
    }
  };

  /** Until the bridge ends the answer, or nothing comes any more. Answers whether it said that nothing else has changed. `beside`: while a stream may be open. */
  const read = async (follow: boolean, beside = false): Promise<boolean> => {
    const silent = new AbortController();
    const wait = (): NodeJS.Timeout => setTimeout(() => silent.abort(new Error(`the bridge said nothing for ${SILENCE_LIMIT_MILLISECONDS} ms`)), SILENCE_LIMIT_MILLISECONDS);
    let limit = wait();
    let upToDate = false;
    try {
      const eventsIn = eventReader();
      const signal = AbortSignal.any([stopping.signal, silent.signal]);
      for await (const text of await bridge.changes({ after: await ends.lastVersion(), follow, signal })) {
        clearTimeout(limit);
        const events = eventsIn(text);
        if (events.some(({ event }) => event === 'restarted')) await startOver();
        await take(events.filter(({ event }) => event === 'change').map(endIn));
        if (events.at(-1)?.event === 'comment') {
          upToDate = true;
          onUpToDate(beside ? connected : follow);
        }
        limit = wait();
      }
    } catch (error) {
      if (silent.signal.aborted && follow) return read(false);
      throw error;
    } finally {
      clearTimeout(limit);
    }
    return upToDate;
  };

  const startOver = async (): Promise<void> => {
    log.warn('the bridge knows less than it told before, as after a backup came back: every trial is read again');
    await ends.forgetAll();
  };

  const running = (async () => {
    let pauseMilliseconds = SHORTEST_PAUSE_MILLISECONDS;
    while (!stopping.signal.aborted) {
      const upToDate = await read(true).catch(onLost);
      if (!upToDate) connected = false;
      pauseMilliseconds = upToDate ? SHORTEST_PAUSE_MILLISECONDS : Math.min(2 * pauseMilliseconds, LONGEST_PAUSE_MILLISECONDS);
      await delay(pauseMilliseconds, undefined, { signal: stopping.signal }).catch(() => {});
    }
  })();

  const ageMilliseconds = (): number | undefined => (upToDateAt === undefined ? undefined : performance.now() - upToDateAt);
  return {
    connected: () => connected,
    ageMilliseconds,
    hearNow: async () => void (await read(false, true).catch(onUnheard)),
    check: async () => {
      if ((ageMilliseconds() ?? Number.POSITIVE_INFINITY) > FRESH_MILLISECONDS) throw new Error('changes of trials are not heard from the bridge');
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

function endIn({ data }: HeardEvent): TrialEnd {
  const { user_id, product, trial_ends_at, trial_access_until, ready, forgotten, version } = changeData.parse(JSON.parse(data));
  return { userId: user_id, product, endsAt: instant(trial_ends_at ?? trial_access_until), accessUntil: instant(trial_access_until), ready, forgotten, version };
}

function instant(seconds: number | null): Date | null {
  return seconds === null ? null : new Date(seconds * 1000);
}
