import { setTimeout as pause } from 'node:timers/promises';
import type { Pool } from 'pg';

/** Much less than lies between two looks for the dead. */
const LOCK_AGAIN_MILLISECONDS = 500;

/**
 * graphile-worker frees the jobs of a killed worker after four hours. So each worker holds an advisory lock in a session
 * of its own, which ends with its process, and the jobs of those who hold none are freed. A session that ends before its
 * process is replaced: jobs under way, a mail above all, are not another's to do again (docs/decisions/0060).
 */
export async function holdWorkerLock(pool: Pool, workerPoolId: string, onLost: () => void): Promise<() => void> {
  const over = new AbortController();
  const lost = () => {
    if (over.signal.aborted) return;
    onLost();
    void again();
  };
  let release = await lock(pool, workerPoolId, lost);
  const again = async () => {
    while (!over.signal.aborted) {
      try {
        release = await lock(pool, workerPoolId, lost);
        if (over.signal.aborted) release();
        return;
      } catch {
        await pause(LOCK_AGAIN_MILLISECONDS, undefined, { ref: false });
      }
    }
  };
  return () => {
    over.abort();
    release();
  };
}

async function lock(pool: Pool, workerPoolId: string, onLost: () => void): Promise<() => void> {
  const session = await pool.connect();
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    session.removeListener('error', lost);
    session.removeListener('end', lost);
    // The connection is closed, not reused: that is what frees the lock.
    session.release(true);
  };
  const lost = () => {
    end();
    onLost();
  };
  try {
    const { rows } = await session.query<{ locked: boolean }>('select pg_try_advisory_lock(hashtextextended($1, 0)) as locked', [lockName(workerPoolId)]);
    if (rows[0]?.locked !== true) throw new Error('The session that was lost holds it still');
  } catch (error) {
    end();
    throw error;
  }
  session.on('error', lost);
  session.on('end', lost);
  return end;
}

/**
 * Frees the jobs of those who hold no lock, and held none at the look before, either. Answers who holds none now, for the
 * next look: a worker may be about to take its lock, or to take it again.
 */
export async function freeJobsOfDeadWorkers(pool: Pool, deadBefore: readonly string[]): Promise<readonly string[]> {
  const { rows } = await pool.query<{ dead: string[] }>(
    `with dead as materialized (
       select locked_by from (select distinct locked_by from graphile_worker._private_jobs where locked_by is not null) worker
       where pg_try_advisory_xact_lock(hashtextextended('${lockName('')}' || locked_by, 0))
     )
     select array(select locked_by from dead) as dead,
       (select graphile_worker.force_unlock_workers(array_agg(locked_by)) from dead where locked_by = any($1) having count(*) > 0)::text`,
    [deadBefore],
  );
  // Added again while it ran, a job is not to be tried again: the other one does its work. Its worker being dead, nobody takes it away.
  await pool.query(
    `select graphile_worker.complete_jobs(array(
       select id from graphile_worker.jobs where locked_at is null and key is null and attempts >= max_attempts and last_error is null
     ))`,
  );
  return rows[0]?.dead ?? [];
}

function lockName(workerPoolId: string): string {
  return `worker ${workerPoolId}`;
}
