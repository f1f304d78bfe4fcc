import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { findProduct, type Product, type Products } from '../../platform/products.ts';
import { addJob } from '../db/job.ts';
import type { Db, Trx } from '../db/schema.ts';
import type { Kept, TrialKeeper } from '../keycloak/trial-keeper.ts';
import { hasConfirmedRegistration } from '../trial/registration.store.ts';
import { stampOf } from '../trial/stamp.ts';
import { findLife, markKept, type Life } from './life.store.ts';
import { demandCurrentClients } from './product-clients.service.ts';
import { findClients } from './product-clients.store.ts';
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

/** What a stamp takes from a product. */
type Stamping = Pick<Product, 'id' | 'clients' | 'roles' | 'converted_roles'>;

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
  const offered = findProduct(using.products, life.product);
  if (offered === undefined) using.log.error({ life_id: life.id, product: life.product }, 'the product of a trial is no longer in the products file: Keycloak hears of its end, and not of roles; put the product back, or erase its trials');
  else await demandCurrentClients(db, offered);
  const product = offered ?? (await productThatWas(db, life.product));
  const kept = product && (await keepStamp(db, using, product, { ...life, userId: life.userId, trialAppId: life.trialAppId }, requestId));
  // Without its roles it is not kept: the next start with the product goes on.
  if (offered !== undefined && (kept === 'held' || kept === 'newer')) await markKept(db, life.id, life.version);
  if (life.state === 'expired' || life.state === 'revoked') await using.keeper.endSessions(life.userId, life.product, requestId);
  return kept;
}

/** Of a product that is gone from the file, trials still are revoked and converted: at the clients that it had last, with the roles left as they are. */
async function productThatWas(db: Db, id: string): Promise<Stamping | undefined> {
  const clients = await findClients(db, id);
  return clients && { id, clients: [...clients], roles: [], converted_roles: [] };
}

async function keepStamp(db: Db, using: Using, product: Stamping, life: Life & { userId: string; trialAppId: string }, requestId?: string): Promise<Kept> {
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
