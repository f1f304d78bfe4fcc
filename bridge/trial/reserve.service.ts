import type { Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/problem.ts';
import type { Product, Products } from '../../platform/products.ts';
import { hashToken } from '../../platform/token.ts';
import { addJob, reconcileKey } from '../db/job.ts';
import type { Db, Trx } from '../db/schema.ts';
import { findInvitationForUpdate, freeInvitation, lockInvitedRegistrant, reserveInvitation, type Invitation } from './invitation.store.ts';
import { appOf } from './provision.service.ts';
import { FIRST_LOOK_SECONDS } from './reconcile.service.ts';
import { insertRegistration, moveRegistration, type NewRegistration, type Registration } from './registration.store.ts';
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
  await lockInvitedRegistrant(trx, tokenHash);
  return findInvitationForUpdate(trx, tokenHash);
}

export function usableInvitation<One extends Invitation>(invitation: One | undefined, using: { clock: Clock; products: Products }): One {
  const reason = unusable(invitation, using);
  if (reason === undefined && invitation !== undefined) return invitation;
  const [code, detail] = REFUSALS[reason ?? 'unknown'];
  throw new AppError(code, detail);
}

/** True when a pending attempt made room. */
export async function supersede(trx: Trx, pending: Registration | undefined, now: Date): Promise<boolean> {
  if (pending === undefined) return false;
  await moveRegistration(trx, pending.attemptId, ['pending'], 'superseded', now);
  await deleteTrial(trx, pending.attemptId);
  await freeInvitation(trx, pending.attemptId);
  return true;
}

/**
 * A new attempt holds the invitation of that token and address, and what came of it is looked for. `now`: it must not have
 * expired. Undefined and throwing: as {@link insertRegistration}.
 */
export async function reserve(
  db: Db | Trx,
  using: { products: readonly Product[]; clock: Clock; newAppId: () => string },
  invitation: { token: string; address: string; now: Date | null },
  attempt: Pick<NewRegistration, 'attemptId' | 'userId' | 'madeBy' | 'locale' | 'requestId'>,
): Promise<Registration | undefined> {
  const attemptedAt = using.clock.now();
  const trialAppId = using.newAppId();
  const offers = using.products.map((product) => ({ product: product.id, ...trialEnd(product, attemptedAt), app: appOf(product, trialAppId) }));
  const held = { tokenHash: hashToken(invitation.token), address: invitation.address, now: invitation.now };
  return insertRegistration(db, held, { ...attempt, trialAppId, attemptedAt }, offers, FIRST_LOOK_SECONDS);
}

export async function holdInvitation(trx: Trx, { invitationId, attemptId }: Registration): Promise<void> {
  if (!(await reserveInvitation(trx, invitationId, attemptId))) changedUnderItsLock();
  await lookForIt(trx, attemptId);
}

export async function lookForIt(trx: Trx, attemptId: string): Promise<void> {
  await addJob(trx, 'reconcile', { attempt_id: attemptId }, { key: reconcileKey(attemptId), inSeconds: FIRST_LOOK_SECONDS });
}

export function changedUnderItsLock(): never {
  throw new Error('The invitation changed under its lock');
}

/** Whole seconds: what is stored, told and stamped is the same instant. */
export function trialEnd(product: Product, now: Date): { trialEndsAt: Date; trialAccessUntil: Date } {
  const endsAt = Math.floor(now.getTime() / 1000 + product.trial_days * SECONDS_PER_DAY);
  const accessUntil = Math.floor(endsAt + product.grace_days * SECONDS_PER_DAY);
  return { trialEndsAt: new Date(endsAt * 1000), trialAccessUntil: new Date(accessUntil * 1000) };
}
