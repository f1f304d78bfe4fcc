import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { migrate as migrateBridge } from '../bridge/db/migrate.ts';
import { claimDataFolder } from '../dev/data-folder.ts';
import { freePort } from '../dev/ports.ts';
import { startPostgres } from '../dev/postgres.ts';
import { answersOk, startProcess, systemEnvironment, waitUntilReady, type Command, type ProcessRecord } from '../dev/processes.ts';
import { ROOT } from '../dev/stack.ts';
import { migrate as migrateProxy } from '../proxy/db/migrate.ts';
import { openRealm, type Realm } from '../test/bridge/support/realm.ts';
import { makeTemplate, TEST_POSTGRES } from '../test/support/database.ts';
import { onInterruption, runFolder } from '../test/support/setup/run-folder.ts';

const START_LIMIT_MS = 60_000;
/** In production an issuer is https; its keys are read from the realm's internal address. */
const KEYCLOAK_PUBLIC_URL = 'https://keycloak.test';
export const ISSUER = `${KEYCLOAK_PUBLIC_URL}/realms/vestibule`;

export interface Service {
  /** Without a path. */
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** What the bridge needs to answer Keycloak, without a Keycloak: a Postgres, and a realm's keys over HTTP. */
export interface Stand {
  realm: Realm;
  /** The bridge as shipped, in production mode, on a migrated database. */
  startBridge(databaseUrl: string, env?: Readonly<Record<string, string>>): Promise<Service>;
  /** A script of ours in a process of its own; it gets PORT, and answers `path` when it is ready. */
  start(script: string, env: Readonly<Record<string, string>>, path: string): Promise<Service>;
  /** Another program, which takes its port and a folder of its own by its arguments. */
  startProgram(file: string, args: (given: { port: number; folder: string }) => readonly string[], path: string): Promise<Service>;
  close(): Promise<void>;
}

export async function openStand(): Promise<Stand> {
  const { path: dataDir, record } = await claimDataFolder(await runFolder('bench'));
  const postgres = await startPostgres({ dataDir, port: await freePort(), password: randomBytes(24).toString('hex'), durable: true, record });
  const realm = await openRealm();
  const close = async (): Promise<void> => {
    await record.endLeftOvers();
    await realm.close();
    await postgres.destroy();
    rmSync(dataDir, { recursive: true, force: true });
  };
  onInterruption(close);
  process.env[TEST_POSTGRES] = postgres.url;
  try {
    await makeTemplate(postgres.url, { bridge: migrateBridge, proxy: migrateProxy });
  } catch (error) {
    await close();
    throw error;
  }
  const start: Stand['start'] = (script, env, path) => startService(script, env, path, { record, dataDir });
  return {
    realm,
    start,
    startProgram: (file, args, path) => startProgram(file, args, path, { record, dataDir }),
    startBridge: (databaseUrl, env = {}) => start('bridge/main.ts', { ...bridgeEnvironment(realm), BRIDGE_DATABASE_URL: databaseUrl, ...env }, '/readyz'),
    close,
  };
}

export async function startService(
  script: string,
  env: Readonly<Record<string, string>>,
  path: string,
  { record, dataDir }: { record: ProcessRecord; dataDir: string },
): Promise<Service> {
  const port = await freePort();
  const command = {
    name: `${script.split('/').at(-2)}-${port}`,
    file: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', script],
    env: { ...systemEnvironment(), ...env, PORT: String(port), BRIDGE_PORT: String(port), PROXY_PORT: String(port) },
  };
  return startCommand(command, `http://127.0.0.1:${port}`, path, { record, dataDir });
}

async function startProgram(
  file: string,
  args: (given: { port: number; folder: string }) => readonly string[],
  path: string,
  { record, dataDir }: { record: ProcessRecord; dataDir: string },
): Promise<Service> {
  const port = await freePort();
  const name = `${file.split('/').at(-1)}-${port}`;
  const command = { name, file, args: args({ port, folder: join(dataDir, name) }), env: systemEnvironment() };
  return startCommand(command, `http://127.0.0.1:${port}`, path, { record, dataDir });
}

async function startCommand(
  command: Pick<Command, 'name' | 'file' | 'args' | 'env'>,
  url: string,
  path: string,
  { record, dataDir }: { record: ProcessRecord; dataDir: string },
): Promise<Service> {
  const logFile = join(dataDir, 'logs', `${command.name}.log`);
  const running = startProcess({ ...command, cwd: ROOT, logFile }, record);
  await waitUntilReady(running, logFile, START_LIMIT_MS, () => answersOk(`${url}${path}`));
  return { url, pid: running.pid, stop: () => running.stop() };
}

function bridgeEnvironment(realm: Realm): Record<string, string> {
  return {
    VESTIBULE_MODE: 'production',
    BRIDGE_CLIENT_SECRET: 'not used here',
    KEYCLOAK_PUBLIC_URL,
    KEYCLOAK_INTERNAL_URL: realm.internalUrl,
    PROXY_PUBLIC_URL: 'https://proxy.test',
    SMTP_URL: 'smtp://127.0.0.1:9',
    MAIL_FROM: 'hello@example.com',
    CONTACT_URL: 'https://example.com/contact',
    ADDRESS_HASH_KEY: randomBytes(32).toString('base64'),
  };
}
