import type { Products } from '../../platform/products.ts';
import type { Trx } from '../db/schema.ts';
import { freeInvitation, spendInvitations } from './invitation.store.ts';
import { productOf, provision } from './provision.service.ts';
import { confirmRegistrations, hasConfirmedRegistration, moveRegistration, nameUser, recordLook, type OfUser, type Registration } from './registration.store.ts';
import { deleteTrial } from './trial.store.ts';

export type Confirmation = 'confirmed' | 'confirmed_after_all' | 'other_attempt_confirmed' | 'trial_exists';

/**
 * Keycloak shows the user of this attempt. A program's attempt gets its trial here, and so does one that was given up
 * before (MODEL.md, "Released is not final").
 */
export async function confirmSeen(trx: Trx, products: Products, registration: OfUser, now: Date): Promise<Confirmation> {
  const { attemptId, madeBy, userId, state } = registration;
  await recordLook(trx, attemptId, null);
  if (madeBy !== null) await nameUser(trx, attemptId, userId);
  if (madeBy === null && (await confirmRegistrations(trx, [{ attemptId, userId }], null, now)).has(attemptId)) return 'confirmed';
  if (await hasConfirmedRegistration(trx, registration)) return 'other_attempt_confirmed';
  if (!(await provision(trx, productOf(products, registration.product), registration))) return 'trial_exists';
  await moveRegistration(trx, attemptId, ['pending', 'released', 'superseded'], 'confirmed', now);
  await spendInvitations(trx, registration);
  return state === 'pending' ? 'confirmed' : 'confirmed_after_all';
}

/** Nobody came of it: small app and permissions go, the token is good again. Does nothing to any other attempt. */
export async function releasePending(trx: Trx, registration: Registration, now: Date): Promise<boolean> {
  if (!(await moveRegistration(trx, registration.attemptId, ['pending'], 'released', now))) return false;
  await deleteTrial(trx, registration.attemptId);
  await freeInvitation(trx, registration.attemptId);
  return true;
}
