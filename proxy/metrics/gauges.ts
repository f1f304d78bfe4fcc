import type { Registry } from 'prom-client';
import type { Pool } from 'pg';
import type { Dependency } from '../../platform/health.ts';
import type { Log } from '../../platform/log.ts';
import { dependencyGauge, poolGauge, readAtScrape } from '../../platform/metrics.ts';
import { countLiveSessions, type SessionKeeping } from '../session/session.service.ts';

interface Using {
  sessions: Pick<SessionKeeping, 'db' | 'clock' | 'limits'>;
  pool: Pool;
  log: Log;
  dependencies: Readonly<Record<string, Dependency>>;
}

/** What is read when somebody scrapes: it is the same whichever replica answers. */
export function proxyGauges(registry: Registry, { sessions, pool, log, dependencies }: Using): void {
  // First: what is read below waits for connections itself.
  poolGauge(registry, 'vestibule_proxy_database_connections', pool);
  readAtScrape(
    registry,
    { live: { name: 'vestibule_proxy_sessions', help: 'Sessions that would let somebody in now.' } },
    async () => ({ live: [{ value: await countLiveSessions(sessions) }] }),
    log,
  );
  dependencyGauge(registry, 'vestibule_proxy_dependency_up', dependencies, log);
}
