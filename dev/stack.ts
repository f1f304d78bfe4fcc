import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Express } from 'express';
import { sampleApp } from './app/app.ts';
import { claimDataFolder, makeFolder } from './data-folder.ts';
import { bridgeEnvironment, proxyEnvironment, realmEnvironment, REALM, type Addresses } from './environment.ts';
import { openInbox } from './inbox/inbox.ts';
import { ensureJar, type Jar } from './jar.ts';
import { ensureBuild, ensureDistribution, importRealm, KEYCLOAK_VERSION, startKeycloak } from './keycloak.ts';
import { embedDemo } from './embed-demo/server.ts';
import { freePortBase, portsFrom, takenPorts, type Ports } from './ports.ts';
import { selfHostedServer } from './self-hosted/server.ts';
import { registerServer } from '../self-hosted/self-hosted-billing.ts';
import { ensureStaffPerson } from './staff-person.ts';
import { startPart, type Part } from './part.ts';
import { dropDatabase, ensureDatabase, ensureRole, startPostgres, withClient, type Postgres } from './postgres.ts';
import { answersOk, lastLines, startProcess, systemEnvironment, waitUntilReady } from './processes.ts';
import { productsFileFor } from './products.ts';
import type { Progress } from './progress.ts';
import { changesSince, keepOrigin, originOf, realmFileFor, realmVariables } from './realm.ts';
import { secretsOf, type Secrets } from './secrets.ts';
import { StartError } from './start-error.ts';

export const ROOT = join(import.meta.dirname, '..');
export const STEPS = 9;
const SERVICE_LIMIT_MS = 60_000;
const DATABASE = 'vestibule';

/** Who dials whom, where something may be put between. */
export type Hop = 'bridge-postgres' | 'keycloak-postgres' | 'proxy-postgres' | 'keycloak-bridge' | 'bridge-keycloak' | 'bridge-smtp';
export type PartName = 'postgres' | 'keycloak' | 'bridge' | 'proxy';

export interface StackOptions {
  portBase: number;
  dataDir: string;
  /** Where the distribution, built servers and jars are kept, for any number of stacks. */
  cacheDir: string;
  progress: Progress;
  /** Read for what the realm file names besides our own variables, and for settings of bridge and proxy. */
  env: Readonly<Record<string, string | undefined>>;
  /** False for tests: the databases need not survive a power cut. */
  durable?: boolean;
  keycloakVersion?: string;
  /** `start --import-realm` (the default), or `kc.sh import` before the first start. */
  importBy?: 'start' | 'command';
  /** Taken instead of one made from the sources. */
  jar?: Jar;
  /** Gets the port that would be dialled and answers the one to dial instead: for tests that put faults between. */
  detour?: (hop: Hop, port: number) => Promise<number>;
  /** The SMTP code by which the inbox refuses a recipient; it takes all others. */
  refuseRecipient?: (address: string) => number | undefined;
  /** Gives up and ends what was started so far. */
  signal?: AbortSignal;
}

/** What `.run/stack.json` holds. */
export interface StackDescription {
  proxy: string;
  bridge: string;
  keycloak: string;
  realm: string;
  inbox: string;
  app: string;
  /** A product that somebody runs at home, whose billing is done here. */
  selfHosted: string;
  /** A page of another site that shows small apps in a frame. */
  embedDemo: string;
  /** What Prometheus would scrape. */
  metrics: { bridge: string; proxy: string };
  admin: { username: string; password: string };
  /** Has the realm role `staff`. */
  staff: { username: string; password: string };
  /** As the superuser of the database `vestibule`. */
  databaseUrl: string;
}

export interface Stack {
  description: StackDescription;
  smtpUrl: string;
  bridgeEnvironment: Readonly<Record<string, string>>;
  proxyEnvironment: Readonly<Record<string, string>>;
  parts: Readonly<Record<PartName, Part>>;
  /** Another replica of the proxy, at ports of its own. */
  startProxyReplica(ports: { port: number; metricsPort: number }): Promise<Part>;
  /** Settles with a sentence when a part ends by itself. */
  broken: Promise<string>;
  stop(): Promise<void>;
  /** Stops, and deletes the database files. */
  destroy(): Promise<void>;
}

export async function startStack(options: StackOptions): Promise<Stack> {
  const undo: (() => Promise<unknown> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const one of undo.splice(0).toReversed()) await one();
  };
  try {
    const { postgres, ...started } = await Promise.race([startParts(options, undo), refusal(options.signal)]);
    const destroy = async (): Promise<void> => {
      await stop();
      await postgres.destroy();
    };
    return { ...started, stop, destroy };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function refusal(signal: AbortSignal | undefined): Promise<never> {
  if (signal && !signal.aborted) await once(signal, 'abort');
  return signal ? Promise.reject(new StartError('Stopped before it was ready.')) : new Promise(() => {});
}

async function startParts(options: StackOptions, undo: (() => Promise<unknown> | void)[]): Promise<Omit<Stack, 'stop' | 'destroy'> & { postgres: Postgres }> {
  const { dataDir, cacheDir, signal, keycloakVersion = KEYCLOAK_VERSION } = options;
  const progress: Progress = {
    ...options.progress,
    step: (...step) => {
      signal?.throwIfAborted();
      return options.progress.step(...step);
    },
  };
  const ports = portsFrom(options.portBase);
  const addresses = addressesOf(ports);
  const dial = (hop: Hop, port: number): Promise<number> => options.detour?.(hop, port) ?? Promise.resolve(port);
  const realmText = realmFileFor(keycloakVersion, readFileSync(join(ROOT, 'realm-export.json'), 'utf8'));

  const folder = await claimDataFolder(dataDir);
  // The record knows what is only half-way started, too.
  undo.push(folder.release, folder.record.endLeftOvers);
  if (folder.ended.length > 0) progress.line(`Ended what an earlier start had left running: ${folder.ended.join(', ')}.`);
  rmSync(join(dataDir, 'logs'), { recursive: true, force: true });
  makeFolder(cacheDir);
  await refuseTakenPorts(ports);
  const secrets = secretsOf(dataDir);
  const variables = realmVariables(realmText, {
    ...options.env,
    ...realmEnvironment({ ...addresses, bridgeInternal: `http://127.0.0.1:${await dial('keycloak-bridge', ports.bridge)}` }, secrets, options.env),
  });
  const log = (name: string): string => join(dataDir, 'logs', `${name}.log`);
  const workshop = { cacheDir, logFile: log, record: folder.record };

  const startDatabase = (): Promise<Postgres> =>
    startPostgres({ dataDir, port: ports.postgres, password: secrets.postgres, durable: options.durable ?? true, record: folder.record });
  const { postgres, part: postgresPart } = await progress.step('Postgres 18', 2, async () => {
    const postgres = await startDatabase();
    const part = await startPart(async () => postgres.process, { again: async () => (await startDatabase()).process, stopBy: 'SIGINT' });
    undo.push(part.stop);
    return { postgres, part };
  });
  const jar = await progress.step('Provider jar for Keycloak, by Maven', 30, async (note) => options.jar ?? ensureJar(ROOT, workshop, note));
  const distribution = await progress.step(`Keycloak ${keycloakVersion}, by Maven (180 MB)`, 25, (note) => ensureDistribution(workshop, keycloakVersion, note));
  const build = await progress.step('Keycloak with the jar, kc.sh build', 30, (note) => ensureBuild(workshop, distribution, jar, note));

  const origin = originOf(realmText, jar.hash, variables);
  const changes = changesSince(dataDir, origin);
  if (changes === undefined || changes.length > 0) await startOver(postgres);
  if (changes && changes.length > 0) progress.line(`      Changed: ${changes.join(', ')}. The realm is made again, and what bridge and proxy held about its users is gone.`);
  await prepareDatabases(postgres, secrets);

  const listen = async (app: Express, port: number): Promise<void> => {
    const server = app.listen(port, '127.0.0.1');
    await once(server, 'listening');
    undo.push(() => {
      server.closeAllConnections();
      server.close();
    });
  };
  await progress.step('Inbox and sample app', 1, async () => {
    const inbox = await openInbox({ host: '127.0.0.1', httpPort: ports.inbox, smtpPort: ports.smtp, refuseRecipient: options.refuseRecipient });
    undo.push(inbox.close);
    await listen(sampleApp({ webhookSecret: secrets.sampleAppWebhook }), ports.app);
  });

  const admin = { username: 'admin', password: secrets.admin };
  const keycloak = await progress.step(`Keycloak, ${changes?.length === 0 ? 'start' : 'first start with the realm'}`, changes?.length === 0 ? 14 : 25, async () => {
    const dialled = { ...ports, postgres: await dial('keycloak-postgres', ports.postgres) };
    const importsRealm = options.importBy !== 'command';
    const how = { build, dataDir, realm: realmText, importsRealm, variables, ports: dialled, databasePassword: secrets.databaseKeycloak, admin, record: folder.record, logFile: log('keycloak') };
    if (!importsRealm && changes?.length !== 0) await importRealm(how, workshop);
    const started = await startPart(() => startKeycloak(how));
    undo.push(started.stop);
    // Ready as it is, a busy machine lets it take seconds over its first page: a time limit would mistake that for none.
    const { ok } = await fetch(`http://127.0.0.1:${ports.keycloak}/realms/${REALM}`);
    if (!ok) throw new Error(`Keycloak has no realm ${REALM}.\n${lastLines(log('keycloak'))}`);
    return started;
  });
  const staff = await ensureStaffPerson(addresses.keycloakInternal, admin, secrets.staff);
  keepOrigin(dataDir, origin);

  const productsFile = productsFileFor(dataDir, options.env['PRODUCTS_FILE'] || 'products.yaml', { embedOrigin: addresses.embedDemo, webhookUrl: `${addresses.appInternal}/webhooks` });
  const bridgeEnv = bridgeEnvironment({
    productsFile,
    addresses: {
      ...addresses,
      keycloakInternal: `http://127.0.0.1:${await dial('bridge-keycloak', ports.keycloak)}`,
      smtp: `smtp://127.0.0.1:${await dial('bridge-smtp', ports.smtp)}`,
    },
    secrets,
    env: options.env,
    databaseUrl: atPort(postgres.databaseUrl(DATABASE, 'bridge', secrets.databaseBridge), await dial('bridge-postgres', ports.postgres)),
  });
  const proxyEnv = proxyEnvironment({
    productsFile,
    addresses,
    secrets,
    env: options.env,
    databaseUrl: atPort(postgres.databaseUrl(DATABASE, 'proxy', secrets.databaseProxy), await dial('proxy-postgres', ports.postgres)),
  });
  const startService = async (service: 'bridge' | 'proxy', env: Record<string, string>, { name, healthPort }: { name: string; healthPort: number }): Promise<Part> => {
    const part = await startPart(async (more) => {
      const running = startProcess(
        { name, file: process.execPath, args: [`${service}/main.ts`], cwd: ROOT, logFile: log(name), env: { ...systemEnvironment(), ...env, ...more } },
        folder.record,
      );
      await waitUntilReady(running, log(name), SERVICE_LIMIT_MS, () => answersOk(`http://127.0.0.1:${healthPort}/readyz`));
      return running;
    });
    undo.push(part.stop);
    return part;
  };
  const bridge = await progress.step('Bridge', 2, () => startService('bridge', bridgeEnv, { name: 'bridge', healthPort: ports.bridge }));
  const proxy = await progress.step('Proxy', 2, () => startService('proxy', proxyEnv, { name: 'proxy', healthPort: ports.proxyMetrics }));
  await progress.step('Self-hosted server with billing, and a page with a frame', 1, async () => {
    const selfHosted = selfHostedServer({ url: addresses.selfHosted, billingUrl: addresses.proxy, serverKey: secrets.selfHostedServer });
    await registerServer(selfHosted, { hostname: new URL(addresses.selfHosted).host, contactEmail: 'admin@selfhosted.example' });
    await listen(selfHosted.app, ports.selfHosted);
    const tokenUrl = `${addresses.keycloakInternal}/realms/${REALM}/protocol/openid-connect/token`;
    await listen(embedDemo({ origin: addresses.embedDemo, bridgeUrl: addresses.bridgeInternal, tokenUrl, clientId: 'vestibule-proxy', clientSecret: secrets.proxyClient }), ports.embedDemo);
  });
  const parts = { postgres: postgresPart, keycloak, bridge, proxy };

  return {
    postgres,
    description: {
      proxy: addresses.proxy,
      bridge: addresses.bridge,
      keycloak: addresses.keycloak,
      realm: REALM,
      inbox: addresses.inbox,
      app: addresses.app,
      selfHosted: addresses.selfHosted,
      embedDemo: addresses.embedDemo,
      metrics: { bridge: `${at(ports.bridgeMetrics)}/metrics`, proxy: `${at(ports.proxyMetrics)}/metrics` },
      admin,
      staff,
      databaseUrl: postgres.databaseUrl(DATABASE, 'postgres', secrets.postgres),
    },
    smtpUrl: addresses.smtp,
    bridgeEnvironment: bridgeEnv,
    proxyEnvironment: proxyEnv,
    parts,
    startProxyReplica: ({ port, metricsPort }) =>
      startService('proxy', { ...proxyEnv, PROXY_PORT: String(port), PROXY_METRICS_PORT: String(metricsPort) }, { name: `proxy-${port}`, healthPort: metricsPort }),
    broken: Promise.race((['keycloak', 'bridge', 'proxy'] as const).map(async (name) => `${await parts[name].ended}.\n${lastLines(log(name))}`)),
  };
}

function addressesOf(ports: Ports): Addresses {
  return {
    proxy: at(ports.proxy),
    keycloak: at(ports.keycloak),
    keycloakInternal: `http://127.0.0.1:${ports.keycloak}`,
    bridge: at(ports.bridge),
    bridgeInternal: `http://127.0.0.1:${ports.bridge}`,
    inbox: at(ports.inbox),
    app: at(ports.app),
    appInternal: `http://127.0.0.1:${ports.app}`,
    smtp: `smtp://127.0.0.1:${ports.smtp}`,
    selfHosted: at(ports.selfHosted),
    embedDemo: `http://demo.localhost:${ports.embedDemo}`,
    ports,
  };
}

function at(port: number): string {
  return `http://localhost:${port}`;
}

function atPort(address: string, port: number): string {
  const url = new URL(address);
  url.port = String(port);
  return url.href;
}

async function refuseTakenPorts(ports: Ports): Promise<void> {
  const taken = await takenPorts(ports);
  if (taken.length === 0) return;
  const list = taken.map(([name, port]) => `${port} (${name})`).join(', ');
  const other = await freePortBase();
  throw new StartError(
    `Port ${list} is taken by another program: stop that, or move all ports with "npm start -- --port-base ${other}" (or VESTIBULE_PORT_BASE=${other}).`,
  );
}

/** The databases go together: rows of the bridge about users of a realm that is gone would only mislead. */
async function startOver(postgres: Postgres): Promise<void> {
  await withClient(postgres.url, async (client) => {
    for (const database of ['keycloak', DATABASE]) await dropDatabase(client, database);
  });
}

async function prepareDatabases(postgres: Postgres, secrets: Secrets): Promise<void> {
  await withClient(postgres.url, async (client) => {
    await ensureRole(client, 'keycloak', secrets.databaseKeycloak);
    await ensureRole(client, 'bridge', secrets.databaseBridge);
    await ensureRole(client, 'proxy', secrets.databaseProxy);
    await ensureDatabase(client, DATABASE, ['bridge', 'proxy']);
    await ensureDatabase(client, 'keycloak', ['keycloak']);
  });
  await withClient(postgres.databaseUrl('keycloak', 'postgres', secrets.postgres), (client) => client.query('grant create on schema public to keycloak'));
}

/** Readable by its owner only: it holds the admin's password. */
export function writeDescription(file: string, stack: Stack): void {
  rmSync(file, { force: true });
  writeFileSync(file, `${JSON.stringify(stack.description, null, 2)}\n`, { mode: 0o600 });
}

/** For `node --env-file`: `npm run doctor` reads the bridge's. Readable by its owner only. */
export function writeEnvironment(file: string, environment: Readonly<Record<string, string>>): void {
  rmSync(file, { force: true });
  const lines = Object.entries(environment).map(([name, value]) => `${name}=${quoted(value)}`);
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
}

/** Node reads \n as the end of a line between double quotes, and takes what stands between single ones as it is. */
function quoted(value: string): string {
  return value.includes('\\') ? `'${value}'` : JSON.stringify(value);
}
