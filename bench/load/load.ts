import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface Call {
  method: 'GET' | 'POST';
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
}

export interface Load {
  /** Where to, without a path. */
  origin: string;
  /** Each sends its next call when it has the answer to its last. */
  connections: number;
  /** Ends after this time, or after so many calls. */
  seconds?: number;
  count?: number;
  /** In turn, from the first again after the last. */
  calls: readonly Call[];
  /** Bearer tokens, in turn; none where empty. */
  tokens: readonly string[];
  status: number;
}

export interface Answers {
  perSecond: number;
  /** Of every answer, in order of arrival. */
  milliseconds: readonly number[];
}

/** Sends requests from a process of its own, so that measuring does not wait for what is measured. */
export interface LoadGenerator {
  run(load: Load): Promise<Answers>;
  close(): void;
}

export function loadGenerator(): LoadGenerator {
  const child: ChildProcess = fork(join(import.meta.dirname, 'generator.ts'), { execArgv: ['--disable-warning=ExperimentalWarning'] });
  return {
    run: async (load) => {
      child.send(load);
      const [answer] = (await once(child, 'message')) as [Answers | { failure: string }];
      if ('failure' in answer) throw new Error(answer.failure);
      return answer;
    },
    close: () => child.disconnect(),
  };
}
