import type { Clock } from '../../platform/clock.ts';
import type { Products } from '../../platform/products.ts';
import type { Log } from '../../platform/log.ts';
import { addJob, reconcileKey } from '../db/job.ts';
import type { Db, Trx } from '../db/schema.ts';
import type { Accounts } from '../keycloak/accounts.ts';
import { confirmSeen, releasePending, type Confirmation } from './confirm.service.ts';
import { lockRegistrant } from './invitation.store.ts';
import { findRegistration, recordLook, type Registration } from './registration.store.ts';
import { seenUserId } from './seen.service.ts';

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

export type ReconcileResult = Confirmation | 'released' | 'given_up_before' | 'absent';

/** Asks Keycloak what became of an attempt, and confirms it, releases it or looks again later. */
export async function reconcile(db: Db, using: Using, attemptId: string): Promise<ReconcileResult | undefined> {
  const asked = await findRegistration(db, attemptId);
  if (asked === undefined || asked.state === 'confirmed') return undefined;
  const userId = await seenUserId(using.accounts, asked);
  return db.transaction().execute(async (trx) => {
    await lockRegistrant(trx, asked);
    const registration = await findRegistration(trx, attemptId);
    if (registration === undefined || registration.state === 'confirmed') return undefined;
    // Tried again meanwhile, with a stamp of its own: what was seen was not looked for.
    const seen = asked.trialAppId === registration.trialAppId ? userId : undefined;
    const result = seen === undefined ? await settleAbsent(trx, using, registration) : await confirmSeen(trx, using.products, { ...registration, userId: seen }, using.clock.now());
    using.log.info({ attempt_id: attemptId, user_id: seen ?? registration.userId, result }, 'attempt reconciled');
    return result;
  });
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
