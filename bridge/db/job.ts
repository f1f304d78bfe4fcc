import { sql } from 'kysely';
import type { Db, Trx } from './schema.ts';

/** Every job and what it is given. No payload ever holds a token. */
export interface Jobs {
  send_invitation: { sign_up_request_id: string };
  send_mail: { mail_id: string };
  send_billing_mail: { billing_mail_id: string };
  reconcile: { attempt_id: string };
  sweep_plans: Record<string, never>;
}

/** Adds a job in the caller's transaction. A job with the same `key` that has not started is replaced. */
export async function addJob<Name extends keyof Jobs>(
  db: Db | Trx,
  name: Name,
  payload: Jobs[Name],
  options: { key?: string; inSeconds?: number; maxAttempts?: number } = {},
): Promise<void> {
  await sql`select graphile_worker.add_job(${name}, payload => ${JSON.stringify(payload)}::json,
    job_key => ${options.key ?? null}::text,
    run_at => now() + make_interval(secs => ${options.inSeconds ?? 0}::double precision),
    max_attempts => ${options.maxAttempts ?? null}::int)`.execute(db);
}
