import type { Clock } from '../../platform/clock.ts';
import type { Db } from '../db/schema.ts';
import { confirmPending } from './confirm.service.ts';
import { recordRollback } from './registration.store.ts';

export interface Outcome {
  attempt_id: string;
  user_id: string;
  outcome: 'committed' | 'rolled_back';
}

/** Keycloak's transaction ended. It may confirm the current attempt and nothing else (SECURITY.md 9); only reconcile releases. */
export async function takeOutcome(db: Db, clock: Clock, { attempt_id: attemptId, user_id: userId, outcome }: Outcome): Promise<'confirmed' | 'recorded' | 'ignored'> {
  if (outcome === 'rolled_back') return (await recordRollback(db, { attemptId, userId })) ? 'recorded' : 'ignored';
  return (await confirmPending(db, { attemptId, userId, outcome }, clock.now())) ? 'confirmed' : 'ignored';
}
