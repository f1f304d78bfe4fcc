/** Written down together: a busy replica would write some thousand rows a second, one by one. */
const TOGETHER_MILLISECONDS = 100;
/** After writes that failed the pause doubles up to this. */
const LONGEST_PAUSE_MILLISECONDS = 3_000;

/** By sessionKey (live-sessions.ts). */
export type Seen = ReadonlyMap<string, Date>;

export interface Touches {
  add(key: string, at: Date): void;
  /** When its person was seen last, as long as that is not written down. */
  unwritten(key: string): Date | undefined;
  /** Writes what is waiting, once: what fails then is lost. */
  stop(): Promise<void>;
}

/**
 * Collects when people were last seen. `write` answers with the keys that it had to leave out, which are tried again: a refresh has
 * the row in hand just when somebody comes back. It may fail: then everything is tried again, for whoever was there while Postgres was
 * away is not idle. One entry waits per session, and only what is in memory is seen while Postgres is away: it is bounded by that.
 */
export function collectTouches(write: (seen: Seen) => Promise<readonly string[]>): Touches {
  const underWay = new Set<Seen>();
  let open = new Map<string, Date>();
  let timer: NodeJS.Timeout | undefined;
  let pause = TOGETHER_MILLISECONDS;
  let stopped = false;

  const flush = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    if (open.size === 0) return;
    const seen = open;
    open = new Map();
    underWay.add(seen);
    const leftOut = await tryToWrite(seen);
    for (const key of leftOut) if (!open.has(key)) add(key, seen.get(key) as Date);
    underWay.delete(seen);
  };

  const tryToWrite = async (seen: Seen): Promise<Iterable<string>> => {
    try {
      const leftOut = await write(seen);
      pause = TOGETHER_MILLISECONDS;
      return leftOut;
    } catch {
      pause = Math.min(pause * 2, LONGEST_PAUSE_MILLISECONDS);
      return seen.keys();
    }
  };

  const add = (key: string, at: Date): void => {
    open.set(key, at);
    if (!stopped) timer ??= setTimeout(() => void flush(), pause).unref();
  };

  return {
    add,
    unwritten: (key) => open.get(key) ?? [...underWay].findLast((seen) => seen.has(key))?.get(key),
    stop: async () => {
      stopped = true;
      await flush();
    },
  };
}
