import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, copyFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { KEYCLOAK_POOLS } from './environment.ts';
import type { Jar } from './jar.ts';
import { maven, runToEnd, type Workshop } from './maven.ts';
import type { Ports } from './ports.ts';
import { answersOk, startProcess, systemEnvironment, waitUntilReady, type ProcessRecord, type RunningProcess } from './processes.ts';
import { sha256 } from './realm.ts';

export const KEYCLOAK_VERSION = '26.7.4';
const START_LIMIT_MS = 180_000;
const BUILDS_KEPT = 3;
const REALM_FILE = 'vestibule-realm.json';
/** Everything of a built Keycloak but `data`, which belongs to one running server. */
const SHARED_FOLDERS = ['lib', 'providers', 'conf', 'themes'];

/** Options of `kc.sh build`; a change of one needs another build. */
const BUILD_OPTIONS = { KC_DB: 'postgres', KC_HEALTH_ENABLED: 'true', KC_METRICS_ENABLED: 'true' };

/** The unpacked distribution, fetched through Maven once per cache. */
export async function ensureDistribution(workshop: Workshop, version: string, note: (text: string) => void): Promise<string> {
  const { cacheDir } = workshop;
  const folder = join(cacheDir, `keycloak-${version}`);
  if (existsSync(folder)) {
    note('in the cache');
    return folder;
  }
  const unpacked = join(cacheDir, `unpacking-${process.pid}`);
  const artifact = `org.keycloak:keycloak-quarkus-dist:${version}:zip`;
  mkdirSync(unpacked, { recursive: true });
  try {
    const goal = ['dependency:unpack', `-Dartifact=${artifact}`, '-DoutputDirectory=.', '-DmarkersDirectory=marks'];
    await maven(workshop, `Fetching Keycloak ${version}`, 'keycloak-fetch', goal, unpacked);
    putInPlace(join(unpacked, `keycloak-${version}`), folder);
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
  }
  return folder;
}

/** The distribution with our jar, after `kc.sh build`; made again only when the jar or the options changed. */
export async function ensureBuild(workshop: Workshop, distribution: string, jar: Jar, note: (text: string) => void): Promise<string> {
  const { cacheDir } = workshop;
  const key = sha256(JSON.stringify([basename(distribution), jar.hash, BUILD_OPTIONS])).slice(0, 16);
  const folder = join(cacheDir, `built-${key}`);
  if (existsSync(folder)) {
    note('unchanged');
    utimesSync(folder, new Date(), new Date());
    return folder;
  }
  const making = join(cacheDir, `building-${process.pid}`);
  try {
    cpSync(distribution, making, { recursive: true, preserveTimestamps: true });
    copyFileSync(jar.file, join(making, 'providers', 'vestibule-keycloak.jar'));
    await runToEnd(workshop, {
      title: 'Building Keycloak',
      name: 'keycloak-build',
      file: 'sh',
      args: [join(making, 'bin', 'kc.sh'), 'build'],
      cwd: making,
      env: { ...systemEnvironment(), ...BUILD_OPTIONS },
    });
    putInPlace(making, folder);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  forgetOld(cacheDir, 'built-');
  forgetOld(cacheDir, 'vestibule-keycloak-');
  return folder;
}

export interface KeycloakOptions {
  build: string;
  dataDir: string;
  /** What a first start imports. */
  realm: string;
  /** By `--import-realm`; false where {@link importRealm} has. */
  importsRealm: boolean;
  /** What the realm file's `${NAMES}` stand for. */
  variables: Readonly<Record<string, string>>;
  ports: Ports;
  databasePassword: string;
  admin: { username: string; password: string };
  record: ProcessRecord;
  logFile: string;
}

/** `kc.sh import`, instead of `--import-realm` at the start: the other way that people take. Brings the database's schema along. */
export function importRealm(options: KeycloakOptions, workshop: Workshop): Promise<void> {
  const home = makeHome(options);
  return runToEnd(workshop, {
    title: 'Importing the realm by kc.sh import',
    name: 'keycloak-import',
    file: 'sh',
    args: [join(options.build, 'bin', 'kc.sh'), `-Dkc.home.dir=${home}`, 'import', '--optimized', '--file', join(home, 'data', 'import', REALM_FILE)],
    cwd: home,
    env: { ...systemEnvironment(), ...options.variables, ...environment(options) },
  });
}

export async function startKeycloak(options: KeycloakOptions): Promise<RunningProcess> {
  const { ports, logFile, importsRealm } = options;
  const home = makeHome(options);
  const running = startProcess(
    {
      name: 'keycloak',
      file: 'sh',
      args: [join(options.build, 'bin', 'kc.sh'), `-Dkc.home.dir=${home}`, 'start', '--optimized', ...(importsRealm ? ['--import-realm'] : [])],
      cwd: home,
      logFile,
      env: { ...systemEnvironment(), ...options.variables, ...environment(options) },
    },
    options.record,
  );
  try {
    // "Listening" is logged before the import is done; health on the management port is not fooled.
    await waitUntilReady(running, logFile, START_LIMIT_MS, () => answersOk(`http://127.0.0.1:${ports.management}/health/ready`));
  } catch (error) {
    await running.stop();
    throw error;
  }
  return running;
}

function environment({ ports, databasePassword, admin }: KeycloakOptions): Record<string, string> {
  return {
    // At start only: as an option of the build it has no effect, and the server would listen for a cluster.
    KC_CACHE: 'local',
    KC_DB_URL: `jdbc:postgresql://127.0.0.1:${ports.postgres}/keycloak`,
    KC_DB_USERNAME: 'keycloak',
    KC_DB_PASSWORD: databasePassword,
    KC_DB_POOL_MAX_SIZE: KEYCLOAK_POOLS.connections,
    KC_HTTP_POOL_MAX_THREADS: KEYCLOAK_POOLS.threads,
    KC_HTTP_ENABLED: 'true',
    KC_HTTP_HOST: '127.0.0.1',
    KC_HTTP_PORT: String(ports.keycloak),
    KC_HTTP_MANAGEMENT_PORT: String(ports.management),
    KC_HOSTNAME: `http://localhost:${ports.keycloak}`,
    KC_HOSTNAME_BACKCHANNEL_DYNAMIC: 'true',
    KC_BOOTSTRAP_ADMIN_USERNAME: admin.username,
    KC_BOOTSTRAP_ADMIN_PASSWORD: admin.password,
    KC_SPI_EVENTS_LISTENER__JBOSS_LOGGING__SUCCESS_LEVEL: 'info',
    JAVA_OPTS_KC_HEAP: '-Xms64m -Xmx512m',
  };
}

/** A Keycloak home that shares the build and has data of its own, so that two stacks may run at once. */
function makeHome({ build, dataDir, realm }: KeycloakOptions): string {
  const home = join(dataDir, 'keycloak');
  rmSync(home, { recursive: true, force: true });
  mkdirSync(join(home, 'data', 'import'), { recursive: true });
  for (const folder of SHARED_FOLDERS) symlinkSync(join(build, folder), join(home, folder));
  writeFileSync(join(home, 'data', 'import', REALM_FILE), realm);
  return home;
}

/** Another start may have made the same folder meanwhile; either is good. */
function putInPlace(made: string, folder: string): void {
  try {
    renameSync(made, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}

function forgetOld(cacheDir: string, prefix: string): void {
  const found = readdirSync(cacheDir).filter((name) => name.startsWith(prefix)).map((name) => join(cacheDir, name));
  const newestFirst = found.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const path of newestFirst.slice(BUILDS_KEPT)) rmSync(path, { recursive: true, force: true });
}
