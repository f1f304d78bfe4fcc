import type { Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/problem.ts';
import type { Product, Products } from '../../platform/products.ts';
import { canonicalAddress } from '../address/address.ts';
import type { Db } from '../db/schema.ts';
import type { Invitation } from './invitation.store.ts';
import { findRegistration, type Registration } from './registration.store.ts';
import { productOf, provision } from './provision.service.ts';
import { lockInvitation, reserve, supersede, usableInvitation } from './reserve.service.ts';

export interface CreationRequest {
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
 * Reserves the invitation for this attempt and provisions the trial, in one transaction. Keycloak has inserted the user
 * and not committed yet, so nothing is final before an outcome or the reconcile job confirms it. The same attempt again
 * gets the same answer; a new attempt supersedes a pending one.
 */
export async function create(db: Db, using: Using, request: CreationRequest): Promise<Creation> {
  return db.transaction().execute(async (trx) => {
    const invitation = await lockInvitation(trx, request.token);
    const earlier = await findRegistration(trx, request.attempt_id);
    if (earlier !== undefined) return again(using.products, earlier, invitation, request);
    const usable = usableInvitation(invitation, using.clock.now());
    if (canonicalAddress(request.username) !== usable.address) {
      throw new AppError('username_mismatch', 'Register with the address that was invited, or ask for an invitation of your own.');
    }
    const superseding = await supersede(trx, usable, using.clock.now());
    const { user_id: userId, attempt_id: attemptId, locale = usable.locale } = request;
    const product = productOf(using.products, usable.product);
    const registration = await reserve(trx, using, product, usable, { attemptId, userId, madeBy: null, locale });
    if (!(await provision(trx, product, { ...registration, userId }))) throw new AppError('trial_exists', 'Sign in: this account has its trial.');
    return { product, registration, way: superseding ? 'superseding' : 'reserved' };
  });
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
