import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import type { Log } from './log.ts';

const PING_EVERY_MILLISECONDS = 2_000;
/** A connection that says nothing for this long is given up. */
const SILENCE_LIMIT_MILLISECONDS = 2_500;
const CONNECT_AGAIN_MILLISECONDS = 500;

export interface Notices {
  /** Since when every notice is heard, by `performance.now()`; undefined while the connection is down. */
  heardSince(): number | undefined;
  stop(): Promise<void>;
}

export interface Channel {
  /** As `pg_notify` names it. */
  name: string;
  /** What it tells of, for the log. */
  tells: string;
  /** What happens while nothing is heard, for the log. */
  meanwhile: string;
  applicationName: string;
}

/** Listens on a connection of its own for what Postgres tells, by whichever replica it was caused; connects again by itself. */
export function hearNotices(databaseUrl: string, channel: Channel, onNotice: (payload: string) => void, log: Log): Notices {
  const stopping = new AbortController();
  let since: number | undefined;
  let told = false;

  const onHeard = (): void => {
    since = performance.now();
    if (told) log.info(`notices of ${channel.tells} are heard again`);
    told = false;
  };
  const onLost = (error: unknown): void => {
    if (told || stopping.signal.aborted) return;
    log.warn({ err: error }, `notices of ${channel.tells} are not heard; ${channel.meanwhile}`);
    told = true;
  };

  const listen = async (): Promise<void> => {
    const broken = new AbortController();
    const client = new Client({
      connectionString: databaseUrl,
      application_name: channel.applicationName,
      connectionTimeoutMillis: SILENCE_LIMIT_MILLISECONDS,
      query_timeout: SILENCE_LIMIT_MILLISECONDS,
    });
    const onBroken = (error?: Error): void => {
      since = undefined;
      broken.abort(error);
    };
    client.on('error', onBroken);
    client.on('end', onBroken);
    client.on('notification', ({ payload }) => onNotice(payload ?? ''));
    try {
      await client.connect();
      await client.query(`listen ${channel.name}`);
      onHeard();
      while (!stopping.signal.aborted) {
        await pause(PING_EVERY_MILLISECONDS, AbortSignal.any([stopping.signal, broken.signal]));
        broken.signal.throwIfAborted();
        await client.query('select 1');
      }
    } finally {
      since = undefined;
      // A server that is stopped in its tracks would not answer a goodbye.
      (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    }
  };

  const running = (async () => {
    while (!stopping.signal.aborted) {
      await listen().catch(onLost);
      await pause(CONNECT_AGAIN_MILLISECONDS, stopping.signal);
    }
  })();

  return {
    heardSince: () => since,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

/** Ends early when told to. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => {});
}
