/** Written down together: a busy replica would write some thousand rows a second, one by one. */
const TOGETHER_MILLISECONDS = 100;

/** By sessionKey (live-sessions.ts). */
export type Seen = ReadonlyMap<string, Date>;

export interface Touches {
  add(key: string, at: Date): void;
  /** When its person was seen last, as long as that is not written down. */
  unwritten(key: string): Date | undefined;
  /** Writes what is waiting. */
  flush(): Promise<void>;
}

/**
 * Collects when people were last seen. `write` answers with the keys that it had to leave out, which are tried again: a refresh has
 * the row in hand just when somebody comes back. It may fail: while Postgres is away, memory counts.
 */
export function collectTouches(write: (seen: Seen) => Promise<readonly string[]>): Touches {
  const underWay = new Set<Seen>();
  let open = new Map<string, Date>();
  let timer: NodeJS.Timeout | undefined;

  const flush = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    if (open.size === 0) return;
    const seen = open;
    open = new Map();
    underWay.add(seen);
    const leftOut = await write(seen).catch((): readonly string[] => []);
    for (const key of leftOut) if (!open.has(key)) add(key, seen.get(key) as Date);
    underWay.delete(seen);
  };

  const add = (key: string, at: Date): void => {
    open.set(key, at);
    timer ??= setTimeout(() => void flush(), TOGETHER_MILLISECONDS).unref();
  };

  return {
    add,
    unwritten: (key) => open.get(key) ?? [...underWay].findLast((seen) => seen.has(key))?.get(key),
    flush,
  };
}
