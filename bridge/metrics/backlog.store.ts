import { sql } from 'kysely';
import type { Db } from '../db/schema.ts';

export interface JobBacklog {
  task: string;
  state: 'queued' | 'running' | 'retrying' | 'failed';
  jobs: number;
  /** Since it was added. */
  oldestSeconds: number;
  /** Of those that could run now and don't. */
  overdueSeconds: number;
}

export interface PendingRegistrations {
  count: number;
  oldestAttemptedAt: Date | null;
}

/** Read from the partial index over pending ones, so it costs the same however many registrations there were. */
export async function findPendingRegistrations(db: Db): Promise<PendingRegistrations> {
  const { count, oldest } = await db
    .selectFrom('bridge.registration')
    .select((eb) => [eb.fn.countAll<string>().as('count'), eb.fn.min('attempted_at').as('oldest')])
    .where('state', '=', 'pending')
    .executeTakeFirstOrThrow();
  return { count: Number(count), oldestAttemptedAt: oldest };
}

/** Job queues live on real time: Postgres' own clock. */
export async function listJobBacklog(db: Db): Promise<readonly JobBacklog[]> {
  const { rows } = await sql<JobBacklog>`
    with job as (
      select task_identifier as task, created_at, run_at,
        case
          when locked_at is not null then 'running'
          when attempts >= max_attempts then 'failed'
          when attempts > 0 then 'retrying'
          else 'queued'
        end as state
      from graphile_worker.jobs
    )
    select task, state, count(*)::int as jobs,
      extract(epoch from now() - min(created_at))::float8 as "oldestSeconds",
      coalesce(extract(epoch from now() - min(run_at) filter (where state in ('queued', 'retrying') and run_at < now())), 0)::float8 as "overdueSeconds"
    from job
    group by task, state`.execute(db);
  return rows;
}
