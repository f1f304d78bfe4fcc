/** Written down together: a busy replica would write some thousand rows a second, one by one. */
const TOGETHER_MILLISECONDS = 100;

export interface Touches {
  /** Resolves when it is written down, or could not be. */
  add(idHash: Buffer, at: Date): Promise<void>;
  /** Writes what is waiting. */
  flush(): Promise<void>;
}

interface Batch {
  seen: { idHash: Buffer; at: Date }[];
  written: Promise<void>;
  write(): void;
}

/** Collects when people were last seen. `write` may fail: while Postgres is away, memory counts. */
export function collectTouches(write: (seen: readonly { idHash: Buffer; at: Date }[]) => Promise<void>): Touches {
  let open: Batch | undefined;

  const begin = (): Batch => {
    const seen: Batch['seen'] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => batch.write(), TOGETHER_MILLISECONDS);
    const batch: Batch = {
      seen,
      written: promise,
      write: () => {
        clearTimeout(timer);
        if (open === batch) open = undefined;
        write(seen).then(resolve, () => resolve());
      },
    };
    return batch;
  };

  return {
    add: (idHash, at) => {
      open ??= begin();
      open.seen.push({ idHash, at });
      return open.written;
    },
    flush: async () => {
      const waiting = open;
      waiting?.write();
      await waiting?.written;
    },
  };
}
