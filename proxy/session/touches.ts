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

/** Collects when people were last seen. `write` may fail: while Postgres is away, memory counts. */
export function collectTouches(write: (seen: Seen) => Promise<void>): Touches {
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
    await write(seen).catch(() => {});
    underWay.delete(seen);
  };

  return {
    add: (key, at) => {
      open.set(key, at);
      timer ??= setTimeout(() => void flush(), TOGETHER_MILLISECONDS);
    },
    unwritten: (key) => open.get(key) ?? [...underWay].findLast((seen) => seen.has(key))?.get(key),
    flush,
  };
}
