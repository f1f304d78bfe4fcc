import type { Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/problem.ts';
import type { Product } from '../../platform/products.ts';
import { hashToken } from '../../platform/token.ts';
import { addJob } from '../db/job.ts';
import type { Trx } from '../db/schema.ts';
import { findInvitation, findInvitationForUpdate, freeInvitation, lockRegistrant, reserveInvitation, type Invitation } from './invitation.store.ts';
import { FIRST_LOOK_SECONDS, reconcileKey } from './reconcile.service.ts';
import { findPendingRegistration, insertRegistration, moveRegistration, type Registration } from './registration.store.ts';
import { deleteTrial } from './trial.store.ts';
import { unusable } from './verify.service.ts';

const SECONDS_PER_DAY = 86_400;

const REFUSALS = {
  unknown: ['invitation_unknown', 'Ask for a new link.'],
  expired: ['invitation_expired', 'Ask for a new link.'],
  revoked: ['invitation_revoked', 'Ask for a new link.'],
  spent: ['invitation_spent', 'Sign in with the account it made.'],
} as const;

/** From here on nobody else changes this invitation or an attempt of its address. */
export async function lockInvitation(trx: Trx, token: string): Promise<Invitation | undefined> {
  const tokenHash = hashToken(token);
  const found = await findInvitation(trx, tokenHash);
  if (found === undefined) return undefined;
  await lockRegistrant(trx, found);
  return findInvitationForUpdate(trx, tokenHash);
}

export function usableInvitation(invitation: Invitation | undefined, now: Date): Invitation {
  const reason = unusable(invitation, now);
  if (reason === undefined && invitation !== undefined) return invitation;
  const [code, detail] = REFUSALS[reason ?? 'unknown'];
  throw new AppError(code, detail);
}

/** True when a pending attempt of that address made room. */
export async function supersede(trx: Trx, registrant: { product: string; address: string }, now: Date): Promise<boolean> {
  const pending = await findPendingRegistration(trx, registrant);
  if (pending === undefined) return false;
  await moveRegistration(trx, pending.attemptId, ['pending'], 'superseded', now);
  await deleteTrial(trx, pending.attemptId);
  await freeInvitation(trx, pending.attemptId);
  return true;
}

/** A new attempt holds the invitation, and a job looks for what came of it. */
export async function reserve(
  trx: Trx,
  using: { clock: Clock; newAppId: () => string },
  product: Product,
  invitation: Invitation,
  attempt: Pick<Registration, 'attemptId' | 'userId' | 'madeBy' | 'locale'>,
): Promise<Registration> {
  const now = using.clock.now();
  const registration = await insertRegistration(trx, {
    ...attempt,
    invitationId: invitation.id,
    product: product.id,
    address: invitation.address,
    trialAppId: using.newAppId(),
    ...trialEnd(product, now),
    attemptedAt: now,
  });
  await holdInvitation(trx, registration);
  return registration;
}

export async function holdInvitation(trx: Trx, { invitationId, attemptId }: Registration): Promise<void> {
  if (!(await reserveInvitation(trx, invitationId, attemptId))) throw new Error('The invitation changed under its lock');
  await lookForIt(trx, attemptId);
}

export async function lookForIt(trx: Trx, attemptId: string): Promise<void> {
  await addJob(trx, 'reconcile', { attempt_id: attemptId }, { key: reconcileKey(attemptId), inSeconds: FIRST_LOOK_SECONDS });
}

/** Whole seconds: what is stored, told and stamped is the same instant. */
export function trialEnd(product: Product, now: Date): { trialEndsAt: Date; trialAccessUntil: Date } {
  const endsAt = Math.floor(now.getTime() / 1000 + product.trial_days * SECONDS_PER_DAY);
  const accessUntil = Math.floor(endsAt + product.grace_days * SECONDS_PER_DAY);
  return { trialEndsAt: new Date(endsAt * 1000), trialAccessUntil: new Date(accessUntil * 1000) };
}
