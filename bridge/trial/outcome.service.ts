import type { Clock } from '../../platform/clock.ts';
import type { Db } from '../db/schema.ts';
import { confirmRegistrations, recordRollback } from './registration.store.ts';

export interface Outcome {
  attempt_id: string;
  user_id: string;
  outcome: 'committed' | 'rolled_back';
}

export type Taken = 'confirmed' | 'recorded' | 'ignored';

/** Keycloak's transaction ended. It may confirm the current attempt and nothing else (SECURITY.md 9); only reconcile releases. */
export async function takeOutcome(db: Db, clock: Clock, outcome: Outcome): Promise<Taken> {
  const [taken = 'ignored'] = await takeOutcomes(db, clock, [outcome]);
  return taken;
}

/** Of several registrations, each as {@link takeOutcome}, in their order. */
export async function takeOutcomes(db: Db, clock: Clock, outcomes: readonly Outcome[]): Promise<readonly Taken[]> {
  const attempts = outcomes.filter(({ outcome }) => outcome === 'committed').map(({ attempt_id: attemptId, user_id: userId }) => ({ attemptId, userId }));
  const confirmed = attempts.length === 0 ? new Set<string>() : await confirmRegistrations(db, attempts, 'committed', clock.now());
  const taken: Taken[] = [];
  for (const { attempt_id: attemptId, user_id: userId, outcome } of outcomes) {
    if (outcome === 'committed') taken.push(confirmed.has(attemptId) ? 'confirmed' : 'ignored');
    else taken.push((await recordRollback(db, { attemptId, userId })) ? 'recorded' : 'ignored');
  }
  return taken;
}
