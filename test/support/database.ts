import { randomBytes } from 'node:crypto';
import { dropDatabase, ensureDatabase, ensureRole, withClient } from '../../dev/postgres.ts';

/** Set by the global setup: the test server's address as superuser. */
export const TEST_POSTGRES = 'VESTIBULE_TEST_POSTGRES';
const TEMPLATE = 'vestibule_template';
const ROLES = ['bridge', 'proxy'] as const;
/** The server lives for one test run, on 127.0.0.1, behind a random superuser password. */
const ROLE_PASSWORD = 'test';

export interface TestDatabase {
  bridgeUrl: string;
  proxyUrl: string;
  /** As the superuser, to look behind the parts' backs. */
  adminUrl: string;
  drop(): Promise<void>;
}

/** A database of the caller's own, cloned from the migrated template: about 30 ms. */
export async function freshDatabase(): Promise<TestDatabase> {
  const server = process.env[TEST_POSTGRES];
  if (!server) throw new Error(`${TEST_POSTGRES} is not set: run this test by npm test or npm run test:fast, whose global setup starts Postgres.`);
  const name = `test_${randomBytes(6).toString('hex')}`;
  await withClient(server, async (client) => {
    await client.query(`create database ${name} template ${TEMPLATE} strategy wal_log`);
    await ensureDatabase(client, name, ROLES);
  });
  return {
    bridgeUrl: addressOf(server, name, 'bridge'),
    proxyUrl: addressOf(server, name, 'proxy'),
    adminUrl: addressOf(server, name),
    drop: () => withClient(server, (client) => dropDatabase(client, name)),
  };
}

type Migrate = (databaseUrl: string) => Promise<unknown>;
export interface Migrations {
  bridge: Migrate;
  proxy: Migrate;
}

/** Makes the template that every {@link freshDatabase} is cloned from. */
export async function makeTemplate(server: string, migrations: Migrations): Promise<void> {
  await withClient(server, async (client) => {
    for (const role of ROLES) await ensureRole(client, role, ROLE_PASSWORD);
    await ensureDatabase(client, TEMPLATE, ROLES);
  });
  await Promise.all(ROLES.map((role) => migrations[role](addressOf(server, TEMPLATE, role))));
}

function addressOf(server: string, database: string, role?: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  if (role) {
    url.username = role;
    url.password = ROLE_PASSWORD;
  }
  return url.href;
}
