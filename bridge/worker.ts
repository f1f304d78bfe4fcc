import { EventEmitter, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { run, type TaskList, type Worker, type WorkerEvents, type WorkerPool } from 'graphile-worker';
import { sql } from 'kysely';
import type { Pool } from 'pg';
import type { Log } from '../platform/log.ts';
import { secondsSince } from '../platform/metrics.ts';
import { workerLogger } from './db/worker-log.ts';
import type { Jobs } from './db/job.ts';
import type { Db } from './db/schema.ts';
import type { Meter } from './metrics/meter.ts';
import { freeJobsOfDeadWorkers, holdWorkerLock } from './db/worker-lock.ts';
import { workerPool } from './db/worker-pool.ts';

const CONCURRENT_JOBS = 4;
const POLL_MILLISECONDS = 1_000;
const QUEUE_REST_MILLISECONDS = 100;
const RESTART_MILLISECONDS = 1_000;
const SWEEP_MILLISECONDS = 10_000;
/** For what is left to do when the jobs under way have ended. */
const SHUT_DOWN_MILLISECONDS = 2_000;

export type JobHandlers = {
  [Name in keyof Jobs]: (payload: Jobs[Name], job: { lastTry: boolean }) => Promise<void>;
};

export interface RunningWorker {
  /** Rejects while the worker is not running. */
  check(): Promise<void>;
  /** Lets jobs under way finish. */
  stop(): Promise<void>;
}

/** Starts again by itself when it ends, as it does when Postgres was away while a job finished. */
export async function startWorker(pgPool: Pool, handlers: JobHandlers, meter: Pick<Meter, 'job'>, log: Log): Promise<RunningWorker> {
  const stopping = new AbortController();
  let running: Run | undefined = await startRun(pgPool, handlers, meter, log);
  const supervised = (async () => {
    while (!stopping.signal.aborted) {
      await running?.ended;
      running = undefined;
      await pause(RESTART_MILLISECONDS, undefined, { signal: stopping.signal }).catch(() => {});
      if (stopping.signal.aborted) return;
      running = await startRun(pgPool, handlers, meter, log).catch((error: unknown) => void log.error({ err: error }, 'the job worker did not start'));
    }
  })();
  return {
    check: async () => {
      if (!running?.takesJobs()) throw new Error('the job worker is not running');
    },
    stop: async () => {
      stopping.abort();
      await running?.stop();
      await supervised;
    },
  };
}

interface Run {
  ended: Promise<void>;
  takesJobs(): boolean;
  stop(): Promise<void>;
}

async function startRun(pgPool: Pool, handlers: JobHandlers, meter: Pick<Meter, 'job'>, log: Log): Promise<Run> {
  const events: WorkerEvents = new EventEmitter();
  const created = once(events, 'pool:create') as Promise<[{ workerPool: WorkerPool }]>;
  const workers: Worker[] = [];
  events.on('worker:create', ({ worker }) => void workers.push(worker));
  let takesJobs = true;
  events.once('pool:gracefulShutdown', ({ workerPool }) => {
    takesJobs = false;
    void endShutDown(events, workerPool, workers);
  });
  goOnAfterARest(events);
  const runner = await run({
    pgPool: workerPool(pgPool),
    events,
    taskList: taskList(handlers, meter),
    concurrency: CONCURRENT_JOBS,
    pollInterval: POLL_MILLISECONDS,
    noHandleSignals: true,
    logger: workerLogger(log),
    // Without a batch its completeJob is not waited for: a database error there would end the process.
    preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
  });
  const stop = () => runner.stop().catch(() => {});
  const [{ workerPool: started }] = await created;
  const unlock = await holdWorkerLock(pgPool, started.id, () => void stop()).catch((error: unknown) => {
    void stop();
    throw error;
  });
  let dead: readonly string[] = [];
  const sweep = async () => {
    dead = await freeJobsOfDeadWorkers(pgPool, dead).catch((error: unknown) => {
      log.warn({ err: error }, 'jobs of dead workers were not freed');
      return [];
    });
  };
  void sweep();
  const sweeping = setInterval(() => void sweep(), SWEEP_MILLISECONDS);
  const ended = runner.promise
    .catch((error: unknown) => log.error({ err: error }, 'the job worker failed'))
    .finally(() => {
      clearInterval(sweeping);
      unlock();
    });
  return { ended, takesJobs: () => takesJobs, stop: async () => void (await Promise.race([stop(), ended])) };
}

/**
 * The next job of a queue is found at the next poll only: it is free a moment after the one before is done. Sooner, but with
 * a rest: what has a queue is in no hurry, and Keycloak is there for those who sign in.
 */
function goOnAfterARest(events: WorkerEvents): void {
  const workers = new Set<Worker>();
  events.on('worker:create', ({ worker }) => void workers.add(worker));
  events.on('worker:release', ({ worker }) => void workers.delete(worker));
  events.on('job:complete', ({ job }) => {
    if (job.job_queue_id !== null) setTimeout(() => void [...workers].some((worker) => worker.nudge()), QUEUE_REST_MILLISECONDS).unref();
  });
}

/**
 * When Postgres was away while two jobs finished, graphile-worker's shut-down waits forever (0.18.0: `batch` counts what is
 * pending below 0). Once no job is under way any more, forcing it gives nothing up.
 */
async function endShutDown(events: WorkerEvents, pool: WorkerPool, workers: readonly Worker[]): Promise<void> {
  let over = false;
  events.once('pool:release', () => {
    over = true;
  });
  await Promise.allSettled(workers.map((worker) => worker.promise));
  await pause(SHUT_DOWN_MILLISECONDS, undefined, { ref: false });
  if (!over) await Promise.resolve(pool.forcefulShutdown('its jobs have ended, it has not')).catch(() => {});
}

function taskList(handlers: JobHandlers, meter: Pick<Meter, 'job'>): TaskList {
  const task =
    <Name extends keyof Jobs>(name: Name): TaskList[string] =>
    async (payload, { job }) => {
      const started = performance.now();
      let outcome: 'done' | 'failed' = 'failed';
      try {
        await handlers[name](payload as Jobs[Name], { lastTry: job.attempts >= job.max_attempts });
        outcome = 'done';
      } finally {
        meter.job(name, outcome, secondsSince(started));
      }
    };
  return { send_invitation: task('send_invitation'), send_mail: task('send_mail'), send_billing_mail: task('send_billing_mail'), reconcile: task('reconcile'), finish_join: task('finish_join'), sweep_plans: task('sweep_plans'), sweep_lives: task('sweep_lives'), keep_life: task('keep_life'), erase_life: task('erase_life'), end_rehearsal: task('end_rehearsal') };
}

/** Jobs that wait for a later moment run now: the domain clock was moved past it. */
export async function hurryJobs(db: Db): Promise<void> {
  await sql`with hurried as (
      select id from graphile_worker.reschedule_jobs(array(select id from graphile_worker.jobs where locked_at is null and run_at > now()), run_at => now())
    )
    select pg_notify('jobs:insert', json_build_object('count', count(*))::text) from hurried`.execute(db);
}
