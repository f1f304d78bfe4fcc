import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { migrate as migrateBridge } from '../../../bridge/db/migrate.ts';
import { claimDataFolder } from '../../../dev/data-folder.ts';
import { freePort } from '../../../dev/ports.ts';
import { startPostgres } from '../../../dev/postgres.ts';
import { migrate as migrateProxy } from '../../../proxy/db/migrate.ts';
import { makeKeys, PROVIDER_KEYS } from '../../proxy/support/provider-keys.ts';
import { makeTemplate, TEST_POSTGRES } from '../database.ts';
import { onInterruption, runFolder } from './run-folder.ts';

/** One Postgres for the whole run; every test gets a database of its own on it. */
export default async function setup(): Promise<void> {
  const { path: dataDir, record } = await claimDataFolder(await runFolder('fast'));
  const postgres = await startPostgres({ dataDir, port: await freePort(), password: randomBytes(24).toString('hex'), durable: false, record });
  const destroy = async (): Promise<void> => {
    await postgres.destroy();
    rmSync(dataDir, { recursive: true, force: true });
  };
  onInterruption(destroy);
  try {
    await makeTemplate(postgres.url, { bridge: migrateBridge, proxy: migrateProxy });
  } catch (error) {
    await destroy();
    throw error;
  }
  process.env[TEST_POSTGRES] = postgres.url;
  process.env[PROVIDER_KEYS] = await makeKeys();
  (globalThis as { stopTestPostgres?: () => Promise<void> }).stopTestPostgres = destroy;
}
