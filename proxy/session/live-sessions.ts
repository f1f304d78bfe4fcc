import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { AppError } from '../../platform/problem.ts';
import { createCheck, type Checked, type CheckParts } from './check-again.ts';
import type { Touches } from './touches.ts';
import type { ReadSession, StoredSession } from './session.store.ts';
import { withinLimit } from './within-limit.ts';

/** Read or checked again now and then even while every notice is heard (SECURITY.md 23). */
const READ_AGAIN_MILLISECONDS = 3 * 60_000;
/** While notices are not heard; with the time that it takes to notice that, a change holds within 10 s. */
const READ_AGAIN_UNHEARD_MILLISECONDS = 5_000;
/** A person who is signed in does not wait longer for a database that hangs. */
const READ_LIMIT_MILLISECONDS = 1_000;
/** Who is not known here waits for it. */
const FIRST_READ_LIMIT_MILLISECONDS = 5_000;
/** After a failed read, known sessions are not read again for this long. */
const REST_AFTER_FAILURE_MILLISECONDS = 1_000;
/** Which sessions are the least used is known that exactly. */
const IN_ORDER_MILLISECONDS = 60_000;
/** A row that changes with every read is not worth keeping. */
const MOST_READS = 3;

export interface LiveSessionParts {
  read(idHash: Buffer): Promise<ReadSession | undefined>;
  findChanged: CheckParts<Checked>['findChanged'];
  /** When its person was seen last, as long as that is not written down: reading it meanwhile does not take that back. */
  unwritten?: Touches['unwritten'];
  /** Since when every notice is heard, by `performance.now()`; undefined while the connection is down. */
  heardSince(): number | undefined;
  /** Sessions kept in memory; the least used give way. */
  capacity: number;
  /** How long a known session goes on when Postgres can't be read. */
  outageMilliseconds: number;
  /** Milliseconds that never go back; `performance.now` unless told. */
  now?: () => number;
}

/** Sessions in memory, as true as notices and reading again make them. */
export interface LiveSessions {
  /** What is known well enough at this moment, by the id that a cookie carries; undefined where {@link LiveSessions.find} has to look. */
  known(id: string): StoredSession | undefined;
  /** Throws `unavailable` for a session that is not known well enough while Postgres is away. */
  find(idHash: Buffer): Promise<StoredSession | undefined>;
  /** Reads it again, whatever is known. */
  readAgain(idHash: Buffer): Promise<StoredSession | undefined>;
  /** Something about it changed: what is known is wrong, and so is what a read under way will bring. */
  forget(key: string): void;
  /** Hears of every session that something changed about. */
  onForgotten(listener: (key: string) => void): void;
  /** Checks many at once before they get old; to be called every second. */
  checkAgain(): Promise<void>;
  size(): number;
}

interface Entry extends Checked {
  session: StoredSession;
  /** As a cookie carried it. */
  id?: string;
}

interface Flight {
  promise: Promise<StoredSession | undefined>;
  /** A notice came while the read was under way: it may have seen the row as it was before. */
  overtaken: boolean;
}

/** How notices and the memory name a session. */
export function sessionKey(idHash: Buffer): string {
  return idHash.toString('base64');
}


export function liveSessions({ read, unwritten, findChanged, heardSince, capacity, outageMilliseconds, now = () => performance.now() }: LiveSessionParts): LiveSessions {
  // Whole ones stand in an entry itself, others in a place of their own that each look has to go to.
  const monotonic = (): number => Math.floor(now());
  const known = new LRUCache<string, Entry>({ max: capacity, dispose: ({ id }) => void (id !== undefined && byId.delete(id)) });
  // To hash an id costs as much as all else about looking its session up: done once for what is known.
  const byId = new Map<string, Entry>();
  const flights = new Map<string, Flight>();
  const listeners: ((key: string) => void)[] = [];
  let restUntil = 0;

  const isTrue = ({ readAt }: Entry, at: number): boolean => {
    const since = heardSince();
    if (since === undefined) return at - readAt < READ_AGAIN_UNHEARD_MILLISECONDS;
    return readAt >= since && at - readAt < READ_AGAIN_MILLISECONDS;
  };

  const readNow = async (key: string, idHash: Buffer, flight: { overtaken: boolean }): Promise<StoredSession | undefined> => {
    for (let reads = 1; ; reads += 1) {
      flight.overtaken = false;
      const readAt = monotonic();
      const found = await read(idHash);
      if (flight.overtaken && reads < MOST_READS) continue;
      const session = found?.session;
      for (const seenHere of [known.peek(key)?.session.lastSeenAt, unwritten?.(key)]) {
        if (session && seenHere && seenHere > session.lastSeenAt) session.lastSeenAt = seenHere;
      }
      if (found && !flight.overtaken) known.set(key, { session: found.session, readAt, fingerprint: found.fingerprint, usedAt: monotonic() });
      else known.delete(key);
      return session;
    }
  };

  const load = (key: string, idHash: Buffer): Promise<StoredSession | undefined> => {
    const underWay = flights.get(key);
    if (underWay) return underWay.promise;
    const flight: Flight = { overtaken: false, promise: Promise.resolve(undefined) };
    flights.set(key, flight);
    flight.promise = readNow(key, idHash, flight).finally(() => flights.delete(key));
    return flight.promise;
  };

  /** Postgres is away or slow: what was true a short while ago goes on, within bounds. */
  const orKnown = async (key: string, loading: Promise<StoredSession | undefined>): Promise<StoredSession | undefined> => {
    const still = (): StoredSession | undefined => {
      const entry = known.peek(key);
      return entry && monotonic() - entry.readAt < outageMilliseconds ? entry.session : undefined;
    };
    const failed = (error: unknown): StoredSession => {
      restUntil = monotonic() + REST_AFTER_FAILURE_MILLISECONDS;
      const session = still();
      if (session) return session;
      throw new AppError('unavailable', 'Try again in a minute.', { cause: error });
    };
    return withinLimit(loading, still() === undefined ? FIRST_READ_LIMIT_MILLISECONDS : READ_LIMIT_MILLISECONDS).catch(failed);
  };

  const forget = (key: string): void => {
    known.delete(key);
    const underWay = flights.get(key);
    if (underWay) underWay.overtaken = true;
    for (const listener of listeners) listener(key);
  };

  const meet = (id: string): Entry | undefined => {
    const entry = known.get(hash('sha256', id, 'base64'));
    if (entry) byId.set((entry.id = id), entry);
    return entry;
  };

  return {
    known: (id) => {
      const entry = byId.get(id) ?? meet(id);
      const at = monotonic();
      if (!entry || !isTrue(entry, at)) return undefined;
      // To put it in front of all others costs more than to find it.
      if (at - entry.usedAt > IN_ORDER_MILLISECONDS) known.get(sessionKey(entry.session.idHash));
      entry.usedAt = at;
      return entry.session;
    },
    find: async (idHash) => {
      const key = sessionKey(idHash);
      const entry = known.get(key);
      const at = monotonic();
      if (entry && isTrue(entry, at)) return entry.session;
      if (entry && at < restUntil && at - entry.readAt < outageMilliseconds) return entry.session;
      return orKnown(key, load(key, idHash));
    },
    readAgain: (idHash) => {
      const key = sessionKey(idHash);
      return orKnown(key, load(key, idHash));
    },
    forget,
    onForgotten: (listener) => void listeners.push(listener),
    checkAgain: createCheck({ entries: () => known.entries() as Iterable<[string, Entry]>, forget, findChanged, heardSince, now: monotonic }),
    size: () => known.size,
  };
}
