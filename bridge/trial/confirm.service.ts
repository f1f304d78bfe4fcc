import { freeInvitation, spendInvitations } from './invitation.store.ts';
import { moveRegistration, type Registration } from './registration.store.ts';
import type { Trx } from '../db/schema.ts';
import { deleteTrial } from './trial.store.ts';

/** The user exists: the attempt's token and its siblings are spent. Only while the attempt is the current one. */
export async function confirmPending(trx: Trx, registration: Registration, now: Date): Promise<boolean> {
  if (!(await moveRegistration(trx, registration.attemptId, ['pending'], 'confirmed', now))) return false;
  await spendInvitations(trx, registration);
  return true;
}

/** Nobody came of it: small app and permissions go, the token is good again. Does nothing to any other attempt. */
export async function releasePending(trx: Trx, registration: Registration, now: Date): Promise<boolean> {
  if (!(await moveRegistration(trx, registration.attemptId, ['pending'], 'released', now))) return false;
  await deleteTrial(trx, registration.attemptId);
  await freeInvitation(trx, registration.attemptId);
  return true;
}
