import type { Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/problem.ts';
import type { Products } from '../../platform/products.ts';
import type { Db } from '../db/schema.ts';
import type { Begun, TrialKeeper } from '../keycloak/trial-keeper.ts';
import { findLifeOfUser, markKept } from '../life/life.store.ts';
import { demandCurrentClients } from '../life/product-clients.service.ts';
import { rolesIn } from '../life/roles.ts';
import { confirmSeen, releasePending } from './confirm.service.ts';
import { lockRegistrant } from './invitation.store.ts';
import { productOf } from './provision.service.ts';
import { findRegistration, type OfUser, type Registration } from './registration.store.ts';
import { stampOf } from './stamp.ts';

interface Using {
  products: Products;
  clock: Clock;
  keeper: Pick<TrialKeeper, 'beginStamp'>;
}

/** `given_up`: another attempt took its place. */
export type FinishedJoin = 'confirmed' | 'given_up' | Exclude<Begun, 'held' | 'newer'>;

/**
 * A reserved trial reaches the account that it joins, and is confirmed; or Keycloak says that it can't, and it is released.
 * From wherever it stands. Throws where Keycloak does not answer, to be tried again.
 */
export async function finishJoin(db: Db, using: Using, attemptId: string, requestId?: string): Promise<FinishedJoin> {
  const attempt = await findRegistration(db, attemptId);
  if (attempt?.state === 'confirmed') return 'confirmed';
  if (attempt?.state !== 'pending' || attempt.userId === null) return 'given_up';
  const begun = await begin(db, using, { ...attempt, userId: attempt.userId }, requestId);
  return begun === 'held' || begun === 'newer' ? confirmJoin(db, using, attempt) : releaseJoin(db, using, attempt, begun);
}

/** As the trial is by now: it may have been extended or revoked since. */
async function begin(db: Db, { products, clock, keeper }: Using, { product: productId, userId, address, trialAppId }: OfUser, requestId?: string): Promise<Begun> {
  const product = productOf(products, productId);
  const life = await findLifeOfUser(db, productId, userId);
  if (life?.trialAppId !== trialAppId) throw new Error('The life of a trial that begins is gone');
  await demandCurrentClients(db, product);
  const { grant } = rolesIn(product, life);
  const keeping = { product: productId, entry: stampOf(product, { ...life, trialAppId }, clock, life), version: life.version, roles: { grant, revoke: [] }, username: address };
  const begun = await keeper.beginStamp(userId, keeping, requestId);
  if (begun === 'held' || begun === 'newer') await markKept(db, life.id, life.version);
  return begun;
}

async function confirmJoin(db: Db, { products, clock }: Using, attempt: Registration): Promise<FinishedJoin> {
  return db.transaction().execute(async (trx) => {
    await lockRegistrant(trx, attempt);
    const now = await findRegistration(trx, attempt.attemptId);
    if (now === undefined || now.userId === null) return 'given_up';
    if (now.state !== 'confirmed') await confirmSeen(trx, products, { ...now, userId: now.userId }, clock.now());
    return 'confirmed';
  });
}

async function releaseJoin(db: Db, { clock }: Using, attempt: Registration, why: Exclude<Begun, 'held' | 'newer'>): Promise<FinishedJoin> {
  await db.transaction().execute(async (trx) => {
    await lockRegistrant(trx, attempt);
    await releasePending(trx, attempt, clock.now());
  });
  return why;
}

/** Throws what a person is told whose account may not have the trial. */
export function refuseJoin(why: Exclude<FinishedJoin, 'confirmed'>): never {
  if (why === 'other_trial') throw new AppError('trial_exists', 'Sign in: this account has its trial.');
  if (why === 'given_up') throw new AppError('attempt_conflict', 'Open the link again: a later attempt took the place of this one.');
  throw new AppError('not_possible', 'This account can’t begin the trial: it is disabled or gone, has another address by now, administers the realm, or has a role that is kept from trials, as staff has.');
}
