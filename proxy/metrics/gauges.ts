import type { Registry } from 'prom-client';
import type { Pool } from 'pg';
import type { Dependency } from '../../platform/health.ts';
import type { Log } from '../../platform/log.ts';
import { dependencyGauge, poolGauge, readAtScrape } from '../../platform/metrics.ts';
import type { TrialFeed } from '../bridge/trial-feed.ts';
import { countLiveSessions, type SessionKeeping } from '../session/session.service.ts';

interface Using {
  sessions: Pick<SessionKeeping, 'db' | 'clock' | 'limits'>;
  pool: Pool;
  feed: Pick<TrialFeed, 'connected' | 'ageMilliseconds'>;
  log: Log;
  dependencies: Readonly<Record<string, Dependency>>;
}

/** What is read when somebody scrapes: it is the same whichever replica answers, but for the pool and the feed. */
export function proxyGauges(registry: Registry, { sessions, pool, feed, log, dependencies }: Using): void {
  // First: what is read below waits for connections itself.
  poolGauge(registry, 'vestibule_proxy_database_connections', pool);
  readAtScrape(
    registry,
    { live: { name: 'vestibule_proxy_sessions', help: 'Sessions that would let somebody in now.' } },
    async () => ({ live: [{ value: await countLiveSessions(sessions) }] }),
    log,
  );
  readAtScrape(
    registry,
    {
      connected: { name: 'vestibule_proxy_trial_feed_connected', help: 'Whether this replica hears changes of trials as they come: 1 or 0.' },
      age: { name: 'vestibule_proxy_trial_feed_age_seconds', help: 'How old what this replica knows about changed trials may be; nothing before the first word.' },
    },
    async () => {
      const age = feed.ageMilliseconds();
      return { connected: [{ value: feed.connected() ? 1 : 0 }], age: age === undefined ? [] : [{ value: age / 1000 }] };
    },
    log,
  );
  dependencyGauge(registry, 'vestibule_proxy_dependency_up', dependencies, log);
}
