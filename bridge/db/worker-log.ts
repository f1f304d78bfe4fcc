import { Logger } from 'graphile-worker';
import type { Log } from '../../platform/log.ts';

/** graphile-worker's lines, in our log; silent without one. */
export function workerLogger(log: Log | undefined): Logger {
  return new Logger((scope) => (level, message) => {
    const job = scope.jobId === undefined ? {} : { job_id: scope.jobId, task: scope.taskIdentifier };
    if (level === 'error') log?.error(job, message);
    else if (level === 'warning') log?.warn(job, message);
    else log?.debug(job, message);
  });
}
