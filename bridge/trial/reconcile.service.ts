import type { Clock } from '../../platform/clock.ts';
import type { Products } from '../../platform/products.ts';
import type { Log } from '../../platform/log.ts';
import { addJob } from '../db/job.ts';
import type { Db, Trx } from '../db/schema.ts';
import type { Accounts } from '../keycloak/accounts.ts';
import { confirmPending, releasePending } from './confirm.service.ts';
import { productOf, provision } from './provision.service.ts';
import { lockRegistrant, spendInvitations } from './invitation.store.ts';
import { findRegistration, hasConfirmedRegistration, moveRegistration, recordLook, type Registration } from './registration.store.ts';

export const FIRST_LOOK_SECONDS = 5;
/** A commit of Keycloak may come this long after its creation call: its transaction limit is 5 minutes. */
export const RELEASE_AFTER_MINUTES = 10;
const LOOK_AGAIN_SECONDS = [10, 30, 60, 120, 300, 600] as const;

interface Using {
  products: Products;
  clock: Clock;
  accounts: Pick<Accounts, 'findById' | 'findByAddress'>;
  log: Log;
}

export type ReconcileResult = 'confirmed' | 'confirmed_after_all' | 'other_attempt_confirmed' | 'trial_exists' | 'released' | 'given_up_before' | 'absent';

export function reconcileKey(attemptId: string): string {
  return `reconcile:${attemptId}`;
}

/** Asks Keycloak what became of an attempt, and confirms it, releases it or looks again later. */
export async function reconcile(db: Db, using: Using, attemptId: string): Promise<ReconcileResult | undefined> {
  const asked = await findRegistration(db, attemptId);
  if (asked === undefined || asked.state === 'confirmed') return undefined;
  const present = await isPresent(using.accounts, asked);
  return db.transaction().execute(async (trx) => {
    await lockRegistrant(trx, asked);
    const registration = await findRegistration(trx, attemptId);
    if (registration === undefined || registration.state === 'confirmed') return undefined;
    const result = present ? await settlePresent(trx, using, registration) : await settleAbsent(trx, using, registration);
    using.log.info({ attempt_id: attemptId, user_id: registration.userId, result }, 'attempt reconciled');
    return result;
  });
}

// The id alone decides. The name is read second, so that a commit between the two reads counts as present.
async function isPresent(accounts: Using['accounts'], registration: Registration): Promise<boolean> {
  if ((await accounts.findById(registration.userId)) !== undefined) return true;
  return (await accounts.findByAddress(registration.address))?.id === registration.userId;
}

async function settlePresent(trx: Trx, using: Using, registration: Registration): Promise<ReconcileResult> {
  const now = using.clock.now();
  await recordLook(trx, registration.attemptId, null);
  if (await confirmPending(trx, registration, now)) return 'confirmed';
  if (await hasConfirmedRegistration(trx, registration)) return 'other_attempt_confirmed';
  const provisioned = await provision(trx, productOf(using.products, registration.product), registration);
  if (!provisioned) return 'trial_exists';
  await moveRegistration(trx, registration.attemptId, ['released', 'superseded'], 'confirmed', now);
  await spendInvitations(trx, registration);
  return 'confirmed_after_all';
}

async function settleAbsent(trx: Trx, using: Using, registration: Registration): Promise<ReconcileResult> {
  const now = using.clock.now();
  const old = now.getTime() - registration.attemptedAt.getTime() >= RELEASE_AFTER_MINUTES * 60_000;
  if (registration.absentAt !== null && old) {
    return (await releasePending(trx, registration, now)) ? 'released' : 'given_up_before';
  }
  await recordLook(trx, registration.attemptId, registration.absentAt ?? now);
  const pause = LOOK_AGAIN_SECONDS[Math.min(registration.looks, LOOK_AGAIN_SECONDS.length - 1)] ?? 0;
  await addJob(trx, 'reconcile', { attempt_id: registration.attemptId }, { key: reconcileKey(registration.attemptId), inSeconds: pause });
  return 'absent';
}
