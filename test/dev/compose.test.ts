import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { loadConfig as loadBridge } from '../../bridge/config.ts';
import { filledIn } from '../../dev/check-compose/filled-in.ts';
import { KEYCLOAK_VERSION } from '../../dev/keycloak.ts';
import { variablesIn } from '../../dev/realm.ts';
import { loadConfig as loadProxy } from '../../proxy/config.ts';

/** docker-compose.yml without a Docker engine; `npm run check:compose` holds it against the compose schema. */
const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Service {
  image?: string;
  build?: { context: string; dockerfile: string; target?: string };
  profiles?: string[];
  command?: string[];
  environment: Record<string, string | number>;
  depends_on?: Record<string, { condition: string; required?: boolean }>;
  ports?: string[];
  volumes?: string[];
  healthcheck: { test: string[] };
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as { services: Record<string, Service>; volumes: Record<string, unknown> };
const services = Object.entries(compose.services);
const example = read('.env.example');
const values = filledIn(example);
const realmFile = read('realm-export.json');
const SECRET = /PASSWORD|SECRET|KEY$|KEY_PREVIOUS$/;

const service = (name: string): Service => {
  const found = compose.services[name];
  if (!found) throw new Error(`no service ${name}`);
  return found;
};

/** All that must be healthy before it, a circle gone through once. */
function awaitedBy(name: string, seen: readonly string[] = []): string[] {
  const others = Object.keys(service(name).depends_on ?? {}).filter((other) => !seen.includes(other));
  return others.flatMap((other) => [other, ...awaitedBy(other, [...seen, ...others])]);
}

/** As compose interpolates; refuses where compose would. */
function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{([A-Z_]+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind: string | undefined, rest: string) => {
    if (env[name]) return env[name];
    if (kind === '-') return rest;
    throw new Error(`${name}: ${rest}`);
  });
}

const environmentOf = (name: string, env = values): Record<string, string> =>
  Object.fromEntries(Object.entries(service(name).environment).map(([variable, value]) => [variable, interpolate(String(value), env)]));

/** Read where products.yaml names them. */
const NAMED_IN_PRODUCTS = /^APP_WEBHOOK_SECRET(_PREVIOUS)?$/;

const SETTINGS_FILES: Record<string, string[]> = { bridge: ['bridge/config.ts'], proxy: ['proxy/config.ts', 'proxy/site/site-environment.ts', 'proxy/site/written-proof.ts'] };
const settingsOf = (name: string): string[] => (SETTINGS_FILES[name] ?? []).flatMap((file) => [...read(file).matchAll(/^ {2}([A-Z][A-Z_]+): /gm)]).map(([, setting = '']) => setting);

describe('the environment', () => {
  test('is one with which the bridge starts', () => {
    expect(loadBridge(environmentOf('bridge'))).toMatchObject({ development: false, address: { host: '0.0.0.0', port: 8402 } });
  });

  test('is one with which the proxy starts', () => {
    expect(loadProxy(environmentOf('proxy'))).toMatchObject({ mode: 'production', host: '0.0.0.0', port: 8400, bridgeUrl: 'http://bridge:8402' });
  });

  test('is one with which both start in development, with the values of the comment in .env.example', () => {
    const development = { ...values, ...Object.fromEntries([...example.matchAll(/^# {3}([A-Z_]+)=(.+)$/gm)].map(([, name = '', value = '']) => [name, value])) };
    expect(development).toMatchObject({ VESTIBULE_MODE: 'development', BRIDGE_INTERNAL_URL: `http://bridge:${service('bridge').environment['BRIDGE_PORT']}`, APP_INTERNAL_URL: `http://app:${service('app').environment['APP_PORT']}` });
    expect(loadBridge(environmentOf('bridge', development))).toMatchObject({ development: true });
    expect(loadProxy(environmentOf('proxy', development))).toMatchObject({ mode: 'development', bridgeUrl: 'http://bridge:8402' });
    // Addresses without TLS are refused by production alone: the values must not be mixed.
    expect(() => loadProxy(environmentOf('proxy', { ...development, VESTIBULE_MODE: 'production' }))).toThrow('PROXY_PUBLIC_URL');
  });

  test('gives the realm file all that it names', () => {
    const names = variablesIn(realmFile).map(({ name }) => name);
    expect(Object.keys(service('keycloak').environment)).toEqual(expect.arrayContaining(names));
  });

  test.each(['bridge', 'proxy'])('names for the %s only what it reads', (name) => {
    expect(Object.keys(service(name).environment).filter((variable) => !settingsOf(name).includes(variable) && !NAMED_IN_PRODUCTS.test(variable))).toEqual([]);
  });

  test.each(['bridge', 'proxy'])('.env.example tells of every setting of the %s', (part) => {
    expect(settingsOf(part).filter((name) => !new RegExp(`\\b${name}\\b`).test(example))).toEqual([]);
  });

  test('.env.example holds what the file asks for, with a comment before each, and nothing else', () => {
    const asked = [...read('docker-compose.yml').matchAll(/\$\{([A-Z_]+)/g)].map(([, name = '']) => name);
    expect(Object.keys(values).toSorted()).toEqual([...new Set(asked)].toSorted());
    expect(example).not.toMatch(/\n\n[A-Z_]+=/);
  });

  test.each(Object.keys(values).filter((name) => new RegExp(`\\$\\{${name}:\\?`).test(read('docker-compose.yml'))))('without %s nothing starts', (name) => {
    const without = { ...values, [name]: '' };
    expect(() => services.map(([one, { ports = [] }]) => [environmentOf(one, without), ports.map((port) => interpolate(port, without))])).toThrow(`${name}: set it in .env`);
  });

  test('no secret stands in the files', () => {
    const given = services.flatMap(([, { environment }]) => Object.entries(environment)).filter(([name]) => SECRET.test(name));
    expect(given.filter(([, value]) => !/^\$\{[A-Z_]+:[?-][^}]*\}$/.test(String(value)))).toEqual([]);
    expect(example.split('\n').filter((line) => /^[A-Z_]*(PASSWORD|SECRET|KEY|KEY_PREVIOUS)=./.test(line))).toEqual([]);
  });
});

describe('the services', () => {
  test('only the proxy and Keycloak publish a port, and the port that they listen on', () => {
    expect(services.filter(([, { ports }]) => ports).map(([name]) => name)).toEqual(['keycloak', 'proxy']);
    expect([service('proxy').ports, service('keycloak').ports]).toEqual([['${PUBLISHED_PROXY_PORT:-8400}:8400'], ['${PUBLISHED_KEYCLOAK_PORT:-8401}:8080']]);
  });

  test.each(services)('%s waits for what exists and is healthy, and can itself be seen to be', (_, { depends_on = {}, healthcheck, profiles = [] }) => {
    expect(healthcheck.test.length).toBeGreaterThan(1);
    for (const [other, { condition, required = true }] of Object.entries(depends_on)) {
      expect(condition).toBe('service_healthy');
      // What a profile leaves out must not be required outside of it.
      const leftOut = (service(other).profiles ?? []).some((profile) => !profiles.includes(profile));
      expect({ other, required }).toEqual({ other, required: !leftOut });
    }
  });

  test('nobody waits for himself', () => {
    for (const [name] of services) expect([name, awaitedBy(name).includes(name)]).toEqual([name, false]);
  });

  test('a database comes first, and the proxy last', () => {
    expect(Object.keys(service('keycloak').depends_on ?? {})).toContain('postgres');
    expect(Object.keys(service('bridge').depends_on ?? {})).toEqual(expect.arrayContaining(['postgres', 'keycloak']));
    expect(Object.keys(service('proxy').depends_on ?? {})).toEqual(expect.arrayContaining(['bridge', 'keycloak']));
  });

  test.each([
    ['bridge', 'BRIDGE_PORT', '/readyz', 'platform/health.ts'],
    ['proxy', 'PROXY_METRICS_PORT', '/readyz', 'platform/health.ts'],
    ['app', 'APP_PORT', '/livez', 'dev/app/app.ts'],
    ['mail', 'INBOX_PORT', '/api/messages', 'dev/inbox/routes.ts'],
  ])('%s is asked where it answers', (name, port, path, file) => {
    const { environment, healthcheck } = service(name);
    expect(healthcheck.test.at(-1)).toContain(`'http://127.0.0.1:${environment[port]}${path}'`);
    expect(read(file)).toContain(`'${path}'`);
  });

  test.each(services.filter(([, { command }]) => command?.[0] === 'node'))('%s runs a file that exists', (_, { command = [] }) => {
    expect(existsSync(join(ROOT, command[1] ?? ''))).toBe(true);
  });

  test('volumes are declared, and files that are mounted exist', () => {
    for (const source of services.flatMap(([, { volumes = [] }]) => volumes).map((volume) => volume.split(':')[0] ?? '')) {
      expect([source, source.startsWith('./') ? existsSync(join(ROOT, source)) : source in compose.volumes]).toEqual([source, true]);
    }
  });
});

const DOCKERFILES = [...new Set(services.flatMap(([, { build }]) => (build ? [build.dockerfile] : [])))];

describe.each(DOCKERFILES)('%s', (path) => {
  const lines = read(path).split('\n');
  const stages = new Set(lines.flatMap((line) => /^FROM \S+ AS (\S+)/.exec(line)?.[1] ?? []));

  test('copies what exists', () => {
    const sources = lines.filter((line) => /^COPY (?!--from)/.test(line)).flatMap((line) => line.split(/\s+/).slice(1, -1));
    expect(sources.filter((source) => !existsSync(join(ROOT, source)))).toEqual([]);
    const sent = read('.dockerignore').split('\n').flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
    expect(sources.filter((source) => !sent.some((path) => source === path || source.startsWith(`${path}/`)))).toEqual([]);
    const from = lines.flatMap((line) => /^COPY --from=(\S+)/.exec(line)?.[1] ?? []);
    expect(from.filter((stage) => !stages.has(stage))).toEqual([]);
  });

  test('has the stages that compose asks for', () => {
    const targets = services.flatMap(([, { build }]) => (build?.dockerfile === path && build.target ? [build.target] : []));
    expect(targets.filter((target) => !stages.has(target))).toEqual([]);
  });
});

describe('the Keycloak image', () => {
  const dockerfile = read('docker/keycloak.Dockerfile');

  test('is of the version that the tests run on, in both stages', () => {
    expect([...dockerfile.matchAll(/^FROM keycloak\/keycloak:(\S+)/gm)].map(([, version]) => version)).toEqual([KEYCLOAK_VERSION, KEYCLOAK_VERSION]);
  });

  test('is built optimized, and no option of the build is changed at start', () => {
    expect(dockerfile).toContain('"--optimized"');
    const options = [...(/^ENV (.*)$/m.exec(dockerfile)?.[1] ?? '').matchAll(/(KC_\w+)=/g)].map(([, name]) => name);
    expect(options).toEqual(['KC_DB', 'KC_HEALTH_ENABLED', 'KC_METRICS_ENABLED']);
    expect(Object.keys(service('keycloak').environment).filter((name) => options.includes(name))).toEqual([]);
  });
});

describe('docker/keycloak-entrypoint.sh', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vestibule-entrypoint-'));
    writeFileSync(join(folder, 'realm.json'), realmFile);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const start = (env: Record<string, string>) => {
    const shell = { PATH: process.env['PATH'] ?? '', REALM_FILE: join(folder, 'realm.json'), KEYCLOAK_COMMAND: 'echo' };
    const { status, stdout, stderr } = spawnSync('bash', [join(ROOT, 'docker', 'keycloak-entrypoint.sh'), 'start', '--optimized'], { env: { ...shell, ...env }, encoding: 'utf8' });
    return { status, stdout, stderr };
  };
  const required = variablesIn(realmFile).filter((variable) => variable.required).map(({ name }) => name);

  test('starts Keycloak with its arguments where all is set', () => {
    expect(start(environmentOf('keycloak'))).toEqual({ status: 0, stdout: 'start --optimized\n', stderr: '' });
  });

  test('names every variable that is missing, once', () => {
    const { status, stderr } = start({});
    expect(status).toBe(1);
    expect(/not set: (.*)\. Set them/.exec(stderr)?.[1]?.split(' ').toSorted()).toEqual(required.toSorted());
  });

  test.each(required)('refuses to start without %s', (name) => {
    const { status, stdout, stderr } = start({ ...environmentOf('keycloak'), [name]: '' });
    expect({ status, stdout, stderr }).toEqual({ status: 1, stdout: '', stderr: `The realm file needs these environment variables, which are not set: ${name}. Set them and start again.\n` });
  });
});

test.each([
  [200, 0],
  [503, 1],
])('docker/keycloak-health.sh: %i of /health/ready ends with %i', async (status, code) => {
  const server = createServer((req, res) => res.writeHead(req.url === '/health/ready' ? status : 404).end('{}')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const [ended] = await once(spawn('bash', [join(ROOT, 'docker', 'keycloak-health.sh'), String(port)]), 'exit');
  server.close();
  expect(ended).toBe(code);
});
