import type { Pool } from 'pg';

/** The lock of a worker is held before this much of a job's time has passed. */
const YOUNG_SECONDS = 10;

/**
 * graphile-worker frees the jobs of a killed worker after four hours. So each worker holds an advisory lock in a session
 * of its own, which ends with its process, and the jobs of those who hold none are freed.
 */
export async function holdWorkerLock(pool: Pool, workerPoolId: string, onLost: () => void): Promise<() => void> {
  const session = await pool.connect();
  let released = false;
  const end = (broken: boolean) => {
    if (released) return;
    released = true;
    session.removeListener('error', lost);
    session.removeListener('end', lost);
    session.release(broken);
  };
  const lost = () => {
    end(true);
    onLost();
  };
  session.on('error', lost);
  session.on('end', lost);
  await session.query('select pg_advisory_lock(hashtextextended($1, 0))', [lockName(workerPoolId)]);
  // The connection is closed, not reused: that is what frees the lock.
  return () => end(true);
}

export async function freeJobsOfDeadWorkers(pool: Pool): Promise<void> {
  await pool.query(
    `select graphile_worker.force_unlock_workers(array_agg(locked_by))
     from (
       select distinct locked_by from graphile_worker._private_jobs
       where locked_by is not null and locked_at < now() - make_interval(secs => $1)
     ) worker
     where pg_try_advisory_xact_lock(hashtextextended('${lockName('')}' || locked_by, 0))
     having count(*) > 0`,
    [YOUNG_SECONDS],
  );
  // Added again while it ran, a job is not to be tried again: the other one does its work. Its worker being dead, nobody takes it away.
  await pool.query(
    `select graphile_worker.complete_jobs(array(
       select id from graphile_worker.jobs where locked_at is null and key is null and attempts >= max_attempts and last_error is null
     ))`,
  );
}

function lockName(workerPoolId: string): string {
  return `worker ${workerPoolId}`;
}
