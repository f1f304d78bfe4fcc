import { sql, type RawBuilder } from 'kysely';
import type { Db, Trx } from './schema.ts';

/** Every job and what it is given. No payload ever holds a token. */
export interface Jobs {
  send_invitation: { sign_up_request_id: string };
  send_mail: { mail_id: string };
  send_billing_mail: { billing_mail_id: string };
  reconcile: { attempt_id: string };
  finish_join: { attempt_id: string };
  keep_life: { life_id: string };
  erase_life: { life_id: string; request_id?: string };
  end_rehearsal: { life_id: string };
  sweep_lives: Record<string, never>;
  sweep_plans: Record<string, never>;
}

interface JobOptions {
  key?: string;
  inSeconds?: number;
  maxAttempts?: number;
  /** Jobs of one queue run one after the other. */
  queue?: string;
}

/** Adds a job in the caller's transaction. A job with the same `key` that has not started is replaced. */
export async function addJob<Name extends keyof Jobs>(
  db: Db | Trx,
  name: Name,
  payload: Jobs[Name],
  options: JobOptions = {},
): Promise<void> {
  await sql`select (graphile_worker.add_job(${name}, payload => ${JSON.stringify(payload)}::json,
    job_key => ${options.key ?? null}::text,
    run_at => now() + make_interval(secs => ${options.inSeconds ?? 0}::double precision),
    max_attempts => ${options.maxAttempts ?? null}::int,
    queue_name => ${options.queue ?? null}::text)).id`.execute(db);
}

/** Does nothing where it runs already, or is done. */
export async function removeJob(db: Db | Trx, key: string): Promise<void> {
  await sql`select (graphile_worker.remove_job(${key})).id`.execute(db);
}

/** One job looks for what came of an attempt, however often it is added. */
export function reconcileKey(attemptId: string): string {
  return `reconcile:${attemptId}`;
}

/** As an expression, for a statement that finds the attempts: what {@link addJob} adds with {@link reconcileKey}. Its value is the job's id. */
export function addingReconcileJob(attemptId: RawBuilder<unknown>): RawBuilder<string> {
  return sql`(graphile_worker.add_job('reconcile', payload => json_build_object('attempt_id', ${attemptId}), job_key => 'reconcile:' || ${attemptId})).id`;
}
