import type { TrialRow } from './consistency.store.ts';
import type { Finding } from './finding.ts';

/** The sweep comes every ten seconds. */
const SWEPT_AFTER_MINUTES = 30;

/** What of a trial's state, ends and turns does not fit, and what Keycloak will not hear of by itself. Of a person who is being erased nothing. */
export function lifeFindings(trials: readonly TrialRow[], notTold: ReadonlySet<string>, now: Date, { movedClock }: { movedClock: boolean }): readonly Finding[] {
  return trials.flatMap((trial) => {
    const { life } = trial;
    if (life === undefined || life.eraseAskedAt !== null) return [];
    const about = (check: string, detail: string, advice: string): Finding => ({ check, subject: `trial ${life.id} (user ${trial.userId}, product ${trial.product})`, detail, advice });
    const { state, nextDeadline } = life;
    const findings: Finding[] = [];
    if (nextDeadline === null && (state === 'active' || state === 'ending' || state === 'grace')) {
      findings.push(about('life-without-deadline', `is ${state} and nothing looks after it any more`, `Have the sweep look at it: update bridge.life set next_deadline = began_at where id = '${life.id}'.`));
    }
    if (!movedClock && nextDeadline !== null && now.getTime() - nextDeadline.getTime() > SWEPT_AFTER_MINUTES * 60_000) {
      findings.push(about('life-not-swept', `should have gone on at ${nextDeadline.toISOString()}`, 'See that a bridge runs whose products file has this product, and that its /readyz shows its worker up. Its log names missing products at its start.'));
    }
    if (!fitsItsEnd(trial, state, movedClock ? undefined : now)) {
      findings.push(about('life-differs', `is ${state}, and its access ends ${trial.trialAccessUntil?.toISOString() ?? 'never'}`, 'The end is what is enforced. Restore both rows from one backup, or revoke, extend or convert the trial again.'));
    }
    if (notTold.has(life.id)) {
      findings.push(about('life-not-kept', `is at version ${trial.version}, of which Keycloak has not heard: the job keep_life was given up or fails`, "The bridge's log says why. Once that is mended, start the job: select graphile_worker.add_job('keep_life', json_build_object('life_id', '" + life.id + "'), job_key => 'keep:" + life.id + "')."));
    }
    return findings;
  });
}

/** Without `now`, of a clock that may have been moved back since, nothing is said about instants. */
function fitsItsEnd({ trialAccessUntil }: TrialRow, state: string, now: Date | undefined): boolean {
  if (state === 'revoked' || state === 'expired') return trialAccessUntil !== null && (now === undefined || trialAccessUntil <= now);
  return (state === 'converted') === (trialAccessUntil === null);
}
