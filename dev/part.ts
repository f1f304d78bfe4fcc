import type { RunningProcess } from './processes.ts';

/** A part of the stack that can be ended the hard way and started again as it was. */
export interface Part {
  /** Settles when its first process has ended, with a sentence that says how. */
  ended: Promise<string>;
  /** SIGKILL, and nothing is tidied up. */
  kill(): Promise<void>;
  /** After a kill; resolves when it is ready. `env` is added to its environment for this run. */
  start(env?: Readonly<Record<string, string>>): Promise<void>;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  stop(): Promise<void>;
}

type Start = (env: Readonly<Record<string, string>>) => Promise<RunningProcess>;

/** `again` starts what was killed, where that takes more than the first time. */
export async function startPart(start: Start, options: { again?: Start; stopBy?: NodeJS.Signals } = {}): Promise<Part> {
  let running = await start({});
  const kill = async (): Promise<void> => {
    if (!running.hasEnded()) await running.stop('SIGKILL');
  };
  return {
    ended: running.ended,
    kill,
    start: async (env = {}) => {
      await kill();
      running = await (options.again ?? start)(env);
    },
    signal: (signal) => void process.kill(-running.pid, signal),
    stop: async () => {
      if (!running.hasEnded()) await running.stop(options.stopBy);
    },
  };
}
