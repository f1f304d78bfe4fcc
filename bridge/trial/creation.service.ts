import type { Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/problem.ts';
import type { Product, Products } from '../../platform/products.ts';
import { hashToken } from '../../platform/token.ts';
import { canonicalAddress } from '../address/address.ts';
import { addJob } from '../db/job.ts';
import type { Db, Trx } from '../db/schema.ts';
import {
  findInvitation,
  findInvitationForUpdate,
  freeInvitation,
  lockRegistrant,
  reserveInvitation,
  type Invitation,
} from './invitation.store.ts';
import { FIRST_LOOK_SECONDS, reconcileKey } from './reconcile.service.ts';
import {
  findPendingRegistration,
  findRegistration,
  insertRegistration,
  moveRegistration,
  type Registration,
} from './registration.store.ts';
import { productOf, provision } from './provision.service.ts';
import { deleteTrial } from './trial.store.ts';
import { unusable } from './verify.service.ts';

const SECONDS_PER_DAY = 86_400;

const REFUSALS = {
  unknown: ['invitation_unknown', 'Ask for a new link.'],
  expired: ['invitation_expired', 'Ask for a new link.'],
  revoked: ['invitation_revoked', 'Ask for a new link.'],
  spent: ['invitation_spent', 'Sign in with the account it made.'],
} as const;

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
    return { ...(await reserve(trx, using, usable, request)), way: superseding ? 'superseding' : 'reserved' };
  });
}

async function lockInvitation(trx: Trx, token: string): Promise<Invitation | undefined> {
  const tokenHash = hashToken(token);
  const found = await findInvitation(trx, tokenHash);
  if (found === undefined) return undefined;
  await lockRegistrant(trx, found);
  return findInvitationForUpdate(trx, tokenHash);
}

function usableInvitation(invitation: Invitation | undefined, now: Date): Invitation {
  const reason = unusable(invitation, now);
  if (reason === undefined && invitation !== undefined) return invitation;
  const [code, detail] = REFUSALS[reason ?? 'unknown'];
  throw new AppError(code, detail);
}

function again(products: Products, earlier: Registration, invitation: Invitation | undefined, request: CreationRequest): Creation {
  const same =
    earlier.invitationId === invitation?.id &&
    earlier.userId === request.user_id &&
    earlier.address === canonicalAddress(request.username);
  if (!same || (earlier.state !== 'pending' && earlier.state !== 'confirmed')) {
    throw new AppError('attempt_conflict', 'Submit the form again: a later attempt took the place of this one.');
  }
  return { product: productOf(products, earlier.product), registration: earlier, way: 'repeated' };
}

async function supersede(trx: Trx, registrant: { product: string; address: string }, now: Date): Promise<boolean> {
  const pending = await findPendingRegistration(trx, registrant);
  if (pending === undefined) return false;
  await moveRegistration(trx, pending.attemptId, ['pending'], 'superseded', now);
  await deleteTrial(trx, pending.attemptId);
  await freeInvitation(trx, pending.attemptId);
  return true;
}

async function reserve(trx: Trx, using: Using, invitation: Invitation, request: CreationRequest): Promise<Omit<Creation, 'way'>> {
  const product = productOf(using.products, invitation.product);
  const now = using.clock.now();
  const registration = await insertRegistration(trx, {
    attemptId: request.attempt_id,
    invitationId: invitation.id,
    product: product.id,
    address: invitation.address,
    userId: request.user_id,
    locale: request.locale ?? invitation.locale,
    trialAppId: using.newAppId(),
    ...trialEnd(product, now),
    attemptedAt: now,
  });
  const provisioned = await provision(trx, product, registration);
  if (!provisioned) throw new AppError('trial_exists', 'Sign in: this account has its trial.');
  if (!(await reserveInvitation(trx, invitation.id, request.attempt_id))) throw new Error('The invitation changed under its lock');
  await addJob(trx, 'reconcile', { attempt_id: request.attempt_id }, { key: reconcileKey(request.attempt_id), inSeconds: FIRST_LOOK_SECONDS });
  return { product, registration };
}

/** Whole seconds: what is stored, told and stamped is the same instant. */
function trialEnd(product: Product, now: Date): { trialEndsAt: Date; trialAccessUntil: Date } {
  const endsAt = Math.floor(now.getTime() / 1000 + product.trial_days * SECONDS_PER_DAY);
  const accessUntil = Math.floor(endsAt + product.grace_days * SECONDS_PER_DAY);
  return { trialEndsAt: new Date(endsAt * 1000), trialAccessUntil: new Date(accessUntil * 1000) };
}
