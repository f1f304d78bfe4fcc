import type { Clock } from '../../platform/clock.ts';
import { isUniqueViolation } from '../../platform/database.ts';
import { AppError } from '../../platform/problem.ts';
import type { Product, Products } from '../../platform/products.ts';
import { canonicalAddress } from '../address/address.ts';
import type { Db } from '../db/schema.ts';
import { completeAnswers, keepAnswers } from './given.service.ts';
import type { Invitation } from './invitation.store.ts';
import { asksAnything, type Offered } from './questions.ts';
import { findAttempts, type Registration } from './registration.store.ts';
import { productOf } from './provision.service.ts';
import { changedUnderItsLock, lockInvitation, reserve, supersede, usableInvitation } from './reserve.service.ts';

export interface CreationRequest extends Offered {
  token: string;
  username: string;
  user_id: string;
  attempt_id: string;
  locale?: string | undefined;
}

interface Using {
  products: Products;
  clock: Clock;
  newAppId: () => string;
}

export interface Creation {
  product: Product;
  registration: Registration;
  /** `superseding`: in the place of a pending attempt; `repeated`: this attempt had its answer before. */
  way: 'reserved' | 'superseding' | 'repeated';
}

/**
 * Reserves the invitation for this attempt and provisions the trial. Keycloak has inserted the user and not committed
 * yet, so nothing is final before an outcome or the reconcile job confirms it. The same attempt again gets the same
 * answer; a new attempt supersedes a pending one.
 */
export async function create(db: Db, using: Using, request: CreationRequest, requestId: string): Promise<Creation> {
  return (await createAtOnce(db, using, request, requestId)) ?? createUnderLock(db, using, request, requestId);
}

/** The ordinary case, an invitation that nobody holds, to a product that asks nothing: one statement. Undefined, and nothing written, in any other. */
async function createAtOnce(db: Db, using: Using, request: CreationRequest, requestId: string): Promise<Creation | undefined> {
  const address = canonicalAddress(request.username);
  if (address === undefined || request.attributes !== undefined || request.consents !== undefined) return undefined;
  const askingNothing = { ...using, products: using.products.filter((product) => !asksAnything(product)) };
  const registration = await reserve(db, askingNothing, { token: request.token, address, now: using.clock.now() }, attemptOf(request, requestId)).catch((error: unknown) => {
    if (isUniqueViolation(error)) return undefined;
    throw error;
  });
  return registration === undefined ? undefined : { product: productOf(using.products, registration.product), registration, way: 'reserved' };
}

async function createUnderLock(db: Db, using: Using, request: CreationRequest, requestId: string): Promise<Creation> {
  return db.transaction().execute(async (trx) => {
    const invitation = await lockInvitation(trx, request.token);
    const { same, pending } = await findAttempts(trx, request.attempt_id, invitation);
    if (same !== undefined) return again(using.products, same, invitation, request);
    const usable = usableInvitation(invitation, using);
    if (canonicalAddress(request.username) !== usable.address) {
      throw new AppError('username_mismatch', 'Register with the address that was invited, or ask for an invitation of your own.');
    }
    const product = productOf(using.products, usable.product);
    const answers = await completeAnswers(trx, product, usable, request, { step: 'registration_form', at: using.clock.now() });
    const superseding = await supersede(trx, pending, using.clock.now());
    const registration = await reserve(trx, using, { token: request.token, address: usable.address, now: null }, attemptOf(request, requestId)).catch((error: unknown) => {
      if (isUniqueViolation(error)) throw new AppError('trial_exists', 'Sign in: this account has its trial.');
      throw error;
    });
    await keepAnswers(trx, product, request.attempt_id, answers);
    return { product, registration: registration ?? changedUnderItsLock(), way: superseding ? 'superseding' : 'reserved' };
  });
}

function attemptOf({ user_id: userId, attempt_id: attemptId, locale }: CreationRequest, requestId: string) {
  return { attemptId, userId, madeBy: null, locale, requestId };
}

function again(products: Products, earlier: Registration, invitation: Invitation | undefined, request: CreationRequest): Creation {
  const same =
    earlier.madeBy === null &&
    earlier.invitationId === invitation?.id &&
    earlier.userId === request.user_id &&
    earlier.address === canonicalAddress(request.username);
  if (!same || (earlier.state !== 'pending' && earlier.state !== 'confirmed')) {
    throw new AppError('attempt_conflict', 'Submit the form again: a later attempt took the place of this one.');
  }
  return { product: productOf(products, earlier.product), registration: earlier, way: 'repeated' };
}
