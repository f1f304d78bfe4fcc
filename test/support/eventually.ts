import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 50;

/** Calls `look` until it answers something other than `undefined` or `false`, without throwing; rejects with its last fault after `limitMs`. */
export async function eventually<T>(look: () => Promise<T> | T, limitMs = 10_000): Promise<Exclude<T, undefined | false>> {
  const deadline = Date.now() + limitMs;
  let fault: unknown;
  do {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen as Exclude<T, undefined | false>;
      fault = undefined;
    } catch (error) {
      fault = error;
    }
    await delay(POLL_MS);
  } while (Date.now() < deadline);
  throw new Error(`It did not come true within ${limitMs / 1000} s.`, fault === undefined ? {} : { cause: fault });
}
