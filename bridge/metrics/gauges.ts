import type { Registry } from 'prom-client';
import type { Pool } from 'pg';
import type { Clock } from '../../platform/clock.ts';
import type { Dependency } from '../../platform/health.ts';
import type { Log } from '../../platform/log.ts';
import { dependencyGauge, poolGauge, readAtScrape } from '../../platform/metrics.ts';
import type { Db } from '../db/schema.ts';
import { findBacklog } from '../webhooks/delivery.store.ts';
import { findPendingRegistrations, listJobBacklog, type JobBacklog } from './backlog.store.ts';

interface Using {
  db: Db;
  pool: Pool;
  clock: Clock;
  log: Log;
  dependencies: Readonly<Record<string, Dependency>>;
}

/** What is read when somebody scrapes: it is the same whichever replica answers. */
export function bridgeGauges(registry: Registry, { db, pool, clock, log, dependencies }: Using): void {
  // First: what is read below waits for connections itself.
  poolGauge(registry, 'vestibule_bridge_database_connections', pool);
  readAtScrape(
    registry,
    {
      open: { name: 'vestibule_bridge_reservations_open', help: 'Reserved invitations whose account is neither confirmed nor given up yet.' },
      oldest: { name: 'vestibule_bridge_reservation_oldest_seconds', help: 'Age of the oldest open reservation; 0 when there is none.' },
    },
    async () => {
      const { count, oldestAttemptedAt } = await findPendingRegistrations(db);
      const age = oldestAttemptedAt === null ? 0 : (clock.now().getTime() - oldestAttemptedAt.getTime()) / 1000;
      return { open: [{ value: count }], oldest: [{ value: age }] };
    },
    log,
  );
  readAtScrape(
    registry,
    {
      jobs: { name: 'vestibule_bridge_jobs', help: 'Jobs by task and state; "failed" ones are not tried again.', labels: ['task', 'state'] },
      oldest: { name: 'vestibule_bridge_job_oldest_seconds', help: 'Age of the oldest job of a task and state, since it was added.', labels: ['task', 'state'] },
      overdue: { name: 'vestibule_bridge_job_overdue_seconds', help: 'How long the oldest job that could run has waited for a worker.', labels: ['task'] },
    },
    async () => {
      const backlog = await listJobBacklog(db);
      return {
        jobs: backlog.map((one) => ({ labels: labelsOf(one), value: one.jobs })),
        oldest: backlog.map((one) => ({ labels: labelsOf(one), value: one.oldestSeconds })),
        overdue: [...Map.groupBy(backlog, ({ task }) => task)].map(([task, states]) => ({
          labels: { task },
          value: Math.max(...states.map(({ overdueSeconds }) => overdueSeconds)),
        })),
      };
    },
    log,
  );
  readAtScrape(
    registry,
    {
      waiting: { name: 'vestibule_bridge_webhooks_waiting', help: 'Events that apps have not taken yet.' },
      dead: { name: 'vestibule_bridge_webhooks_dead', help: 'Events that were given up; what follows of their trials waits for npm run webhooks -- replay.' },
      oldest: { name: 'vestibule_bridge_webhook_oldest_seconds', help: 'Age of the oldest event that waits; 0 when there is none.' },
    },
    async () => {
      const { waiting, dead, oldestSeconds } = await findBacklog(db);
      return { waiting: [{ value: waiting }], dead: [{ value: dead }], oldest: [{ value: oldestSeconds }] };
    },
    log,
  );
  dependencyGauge(registry, 'vestibule_bridge_dependency_up', dependencies, log);
}

function labelsOf({ task, state }: JobBacklog): Record<string, string> {
  return { task, state };
}
