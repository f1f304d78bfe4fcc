import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { findProduct, type Product, type Products } from '../../platform/products.ts';
import { addJob } from '../db/job.ts';
import type { Db, Trx } from '../db/schema.ts';
import type { Kept, TrialKeeper } from '../keycloak/trial-keeper.ts';
import { hasConfirmedRegistration } from '../trial/registration.store.ts';
import { stampOf } from '../trial/stamp.ts';
import { findLife, markKept, type Life } from './life.store.ts';
import { rolesIn } from './roles.ts';

/** Keycloak is asked at once by whoever made the change; the job is for when that failed. */
const FIRST_TRY_SECONDS = 5;
/** One at a time, so that a thousand trials that end together leave Keycloak to those who sign in. */
const QUEUE = 'keep_life';

interface Using {
  products: Products;
  clock: Clock;
  keeper: TrialKeeper;
  log: Log;
}

export async function queueKeeping(trx: Trx, lifeId: string): Promise<void> {
  await addJob(trx, 'keep_life', { life_id: lifeId }, { key: `keep:${lifeId}`, inSeconds: FIRST_TRY_SECONDS, queue: QUEUE });
}

/**
 * Keycloak gets the stamp and the roles of a trial as they are now; of one that is over, what is open at its clients ends.
 * Nobody waits for the latter: the stamp refuses. Throws where Keycloak does not answer, to be tried again.
 */
export async function keepLife(db: Db, using: Using, lifeId: string, requestId?: string): Promise<Kept | undefined> {
  const life = await findLife(db, lifeId);
  if (life?.userId == null || life.trialAppId === null) return undefined;
  const product = findProduct(using.products, life.product);
  if (product === undefined) using.log.error({ life_id: life.id, product: life.product }, 'Keycloak is not told of a trial whose product is no longer in the products file: put it back, or erase its trials');
  const kept = product && (await keepStamp(db, using, product, { ...life, userId: life.userId, trialAppId: life.trialAppId }, requestId));
  if (kept === 'held' || kept === 'newer') await markKept(db, life.id, life.version);
  if (life.state === 'expired' || life.state === 'revoked') await using.keeper.endSessions(life.userId, life.product, requestId);
  return kept;
}

async function keepStamp(db: Db, using: Using, product: Product, life: Life & { userId: string; trialAppId: string }, requestId?: string): Promise<Kept> {
  const kept = await using.keeper.keepStamp(
    life.userId,
    { product: product.id, entry: stampOf(product, life, using.clock, life), version: life.version, roles: rolesIn(product, life) },
    requestId,
  );
  if (kept === 'held' || kept === 'newer') return kept;
  // Not committed yet, perhaps: the next try finds it.
  if (!(await hasConfirmedRegistration(db, { product: product.id, userId: life.userId }))) throw new Error('The account is not in Keycloak yet');
  using.log.warn({ life_id: life.id, user_id: life.userId, kept }, 'Keycloak does not hold the stamp of a trial: npm run doctor -- consistency says what to do');
  return kept;
}
