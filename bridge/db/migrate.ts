import { runMigrations } from 'graphile-worker';
import { migrateSchema } from '../../platform/database.ts';
import { workerLogger } from './worker-log.ts';
import { MIGRATIONS } from './migrations.ts';

/** Brings the schemas `bridge` and `graphile_worker` up to date. Safe when many replicas start at once. Answers with migrations of a newer release. */
export function migrate(databaseUrl: string): Promise<readonly string[]> {
  return migrateSchema(databaseUrl, 'bridge', MIGRATIONS, async (pgPool) => {
    await runMigrations({ pgPool, logger: workerLogger(undefined) });
  });
}
