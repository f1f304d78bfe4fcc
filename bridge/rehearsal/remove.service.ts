import { randomUUID } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { AppError } from '../../platform/problem.ts';
import type { Products } from '../../platform/products.ts';
import type { AddressHash } from '../address/address-hash.ts';
import type { Db } from '../db/schema.ts';
import type { Accounts } from '../keycloak/accounts.ts';
import type { TrialKeeper } from '../keycloak/trial-keeper.ts';
import { erase } from '../life/erase.service.ts';
import { findLife } from '../life/life.store.ts';
import { reconcile } from '../trial/reconcile.service.ts';
import { deleteMarkedLife, findPendingAttempts, listUntold } from './rehearsal.store.ts';

export const REHEARSAL_ACTOR = 'client:rehearsal';

export interface RemoveUsing {
  products: Products;
  clock: Clock;
  hash: AddressHash;
  keeper: TrialKeeper;
  accounts: Accounts;
  log: Log;
}

/** Why something of a rehearsal is still there, for whoever reads it; undefined: nothing is. */
export type Left = string | undefined;

/**
 * Takes a marked trial away as an erasure does, and then its last rows, which an erasure leaves. May be repeated from wherever it
 * stopped. Never touches a trial that is not marked.
 */
export async function removeRehearsal(db: Db, using: RemoveUsing, lifeId: string): Promise<Left> {
  const life = await findLife(db, lifeId);
  if (life === undefined) return undefined;
  if (!life.rehearsal) throw new Error(`Trial ${lifeId} is no rehearsal`);
  const left = life.erasedAt === null ? await eraseMarked(db, using, lifeId) : undefined;
  if (left !== undefined) return left;
  // The app is to forget it, too.
  const untold = (await listUntold(db, lifeId)).find(({ delivery }) => delivery === 'waiting');
  if (untold !== undefined) return `its app has not taken every event yet (${untold.failure ?? 'they are on their way'})`;
  await db.transaction().execute((trx) => deleteMarkedLife(trx, lifeId));
  return undefined;
}

async function eraseMarked(db: Db, using: RemoveUsing, lifeId: string): Promise<Left> {
  // One that Keycloak has committed meanwhile is confirmed, and can be erased.
  for (const attemptId of await findPendingAttempts(db, lifeId)) await reconcile(db, using, attemptId);
  try {
    const { erasedAt } = await erase(db, using, lifeId, { actor: REHEARSAL_ACTOR, reason: 'The rehearsal is over.', requestId: randomUUID(), idempotencyKey: undefined }, using.log);
    return erasedAt === null ? 'Keycloak has not removed its account yet' : undefined;
  } catch (error) {
    if (error instanceof AppError && error.code === 'not_possible') return 'its registration broke off, and may still come through for ten minutes';
    throw error;
  }
}

/** The job of the bridge, for a rehearsal that did not come to its end. Throws while something is left, to be tried again. */
export async function endRehearsal(db: Db, using: RemoveUsing, lifeId: string): Promise<void> {
  const left = await removeRehearsal(db, using, lifeId);
  if (left !== undefined) throw new Error(`A rehearsal can't be removed yet: ${left}`);
}
