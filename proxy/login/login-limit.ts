import { limitKey } from '../../platform/limit-key.ts';
import { AppError } from '../../platform/problem.ts';
import { deleteOldestLogins, findNthUnfinished } from './login.store.ts';
import type { LoginParts } from './start.service.ts';

/** Logins of a client that are not finished count for so long. */
const COUNTED_MILLISECONDS = 10 * 60_000;
/** Of everybody; about 1 KB each. Beyond it the oldest give way: whoever begins one gets in, whatever others do. */
const MOST_LOGINS = 100_000;

/** Who begins a login, as its row names them. */
export function markOf({ seal }: Pick<LoginParts, 'seal'>, clientAddress: string): Buffer {
  return seal.mark('client', limitKey(clientAddress));
}

/**
 * Throws `rate_limited` with the wait for a client that has begun too many logins and finished none of these: a browser has five at
 * most, but what keeps no cookies has as many as it likes. Counted by the rows themselves, so for all replicas, and a login that is
 * finished counts no more.
 */
export async function demandRoom({ db, clock, loginsPerClient }: Pick<LoginParts, 'db' | 'clock' | 'loginsPerClient'>, begunBy: Buffer): Promise<void> {
  const now = clock.now().getTime();
  const first = await findNthUnfinished(db, begunBy, { nth: loginsPerClient, since: new Date(now - COUNTED_MILLISECONDS) });
  if (first === undefined) return;
  const retryAfterSeconds = Math.max(1, Math.ceil((first.getTime() + COUNTED_MILLISECONDS - now) / 1000));
  throw new AppError('rate_limited', 'Finish a sign-in that you have begun, or try again later.', { retryAfterSeconds });
}

export async function boundLogins({ db }: Pick<LoginParts, 'db'>): Promise<void> {
  await deleteOldestLogins(db, MOST_LOGINS);
}
