import type { Clock } from '../../platform/clock.ts';
import type { Db } from '../db/schema.ts';
import { confirmPending } from './confirm.service.ts';
import { lockRegistrant } from './invitation.store.ts';
import { findRegistration, recordOutcome } from './registration.store.ts';

export interface Outcome {
  attempt_id: string;
  user_id: string;
  outcome: 'committed' | 'rolled_back';
}

/** Keycloak's transaction ended. It may confirm the current attempt and nothing else (SECURITY.md 9); only reconcile releases. */
export async function takeOutcome(db: Db, clock: Clock, outcome: Outcome): Promise<'confirmed' | 'recorded' | 'ignored'> {
  return db.transaction().execute(async (trx) => {
    const named = await findRegistration(trx, outcome.attempt_id);
    if (named === undefined || named.userId !== outcome.user_id) return 'ignored';
    await lockRegistrant(trx, named);
    const current = await findRegistration(trx, outcome.attempt_id);
    if (current?.state !== 'pending') return 'ignored';
    await recordOutcome(trx, outcome.attempt_id, outcome.outcome);
    if (outcome.outcome === 'rolled_back') return 'recorded';
    return (await confirmPending(trx, current, clock.now())) ? 'confirmed' : 'ignored';
  });
}
