import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Session } from './session/session.service.ts';
import type { SessionWatch } from './session/watch-sessions.ts';
import type { ServedSite } from './site/served-site.ts';
import { mayPass, type UpstreamRule } from './site/site.ts';

/** What is over sooner is not worth watching: almost everything. */
const LONG_MILLISECONDS = 2_000;

export interface UnderWay {
  site: ServedSite;
  session: Session;
  rule: UpstreamRule;
  /** Of the request, which undici takes it away from once its body is over. */
  socket: Socket;
  res: ServerResponse;
  /** By `performance.now()`. */
  began: number;
  /** The answer has a length: it comes to its end by itself. */
  hasLength: boolean;
  leave?: () => void;
  /** Among the young. */
  at?: number | undefined;
}

/** Event streams and long downloads must not outlive the session that they began with, as web-sockets don't. */
export interface LongAnswers {
  begin(one: UnderWay): void;
  over(one: UnderWay): void;
  /** Takes what has become long under watch; to be called every second. */
  sweep(): void;
}

export function longAnswers(watch: SessionWatch): LongAnswers {
  // No Set: what it has outgrown keeps the requests of that moment in memory, and all that came after them, until V8 looks through everything.
  const young: UnderWay[] = [];
  const remove = (one: UnderWay): boolean => {
    if (one.at === undefined) return false;
    const last = young.pop() as UnderWay;
    if (last !== one) young[(last.at = one.at)] = last;
    one.at = undefined;
    return true;
  };
  return {
    begin: (one) => {
      one.at = young.push(one) - 1;
    },
    over: (one) => {
      if (!remove(one)) one.leave?.();
    },
    sweep: () => {
      const before = performance.now() - LONG_MILLISECONDS;
      for (const one of young.filter(({ began }) => began <= before)) {
        remove(one);
        const { site, session, rule, res } = one;
        // In the middle: nobody takes it for the whole. What belongs to the app is ended by its `close`.
        one.leave = watch.watch({ keeping: site.sessions, session, mayGoOn: (now) => mayPass(rule, now), wasUsed: movement(one), end: () => res.destroy() });
      }
    },
  };
}

/** Whoever sends a file, or gets one, is there while its bytes move; an event stream moves by itself. */
function movement({ socket, hasLength }: UnderWay): () => boolean {
  let before = 0;
  return () => {
    const moved = socket.bytesRead + (hasLength ? socket.bytesWritten : 0);
    const was = moved > before;
    before = moved;
    return was;
  };
}
