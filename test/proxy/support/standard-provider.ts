import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { eventually } from '../../support/eventually.ts';
import type { Wish } from './standard-provider-process.ts';

export interface StandardProvider {
  issuer: string;
  /** Names of its events, as they came: `pushed_authorization_request.success`, `grant.success`, … */
  events: string[];
  stop(): Promise<void>;
}

/** In a process of its own: jest's modules have another `Object`, for which it takes no plain one. `client` holds what is particular to one: how it proves itself. */
export async function startStandardProvider(wish: Wish): Promise<StandardProvider> {
  const child = fork(join(import.meta.dirname, 'standard-provider-process.ts'), { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const ended = once(child, 'exit');
  const standard: StandardProvider = {
    issuer: `http://127.0.0.1:${wish.port}`,
    events: [],
    stop: async () => {
      child.kill();
      await ended;
    },
  };
  child.on('message', (message) => void standard.events.push((message as { event: string }).event));
  child.send(wish);
  await eventually(() => standard.events.includes('listening'));
  return standard;
}
