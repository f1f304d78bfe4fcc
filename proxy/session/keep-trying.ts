import { setTimeout as pause } from 'node:timers/promises';

const AGAIN_AFTER_MILLISECONDS = 500;

/** Does it again after each fault, as long as it may; then throws the last one. */
export async function keepTrying(attempt: () => Promise<void>, mayGoOn: () => boolean): Promise<void> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!mayGoOn()) throw error;
      await pause(AGAIN_AFTER_MILLISECONDS);
    }
  }
}
