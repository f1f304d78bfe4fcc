import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { creationOf, openBridge, type TestBridge } from '../../test/bridge/support/bridge.ts';
import startTestPostgres from '../../test/support/setup/fast.ts';
import stopTestPostgres from '../../test/support/setup/fast-teardown.ts';

/** schemathesis over /openapi.json of a bridge of its own: `npm run check:api [-- --seed 1]`. */
const ROOT = join(import.meta.dirname, '..', '..');
const RUN_DIR = join(ROOT, '.run', 'check-api');
const ENVIRONMENT = join(RUN_DIR, 'venv');
const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt');
const REPORT = join(RUN_DIR, 'report.json');
const MINIMUM_CASES = 2_000;
/** Of pino. */
const ERROR_LEVEL = 50;
/** Trials that requests with an id in their path may name: some are erased, some revoked in time. */
const LIVES = 20;
const EXAMPLES_PER_OPERATION = '100';
/** Forms with JSON in their fields, of a server whose key one of them ends: test/bridge/refusals/servers.test.ts holds each of them. */
const LEFT_OUT = /^\/api\/v1\/remotes\//;

const TOKENS: Readonly<Record<string, (realm: TestBridge['realm']) => Promise<string>>> = {
  'vestibule-keycloak': (realm) => realm.stepToken(),
  'vestibule-proxy': (realm) => realm.serviceToken('vestibule-proxy', 'trial-manage', { resource_access: { 'vestibule-bridge': { roles: ['trial-manage', 'billing-pages', 'support'] } } }),
  'reading-proxy': (realm) => realm.serviceToken('vestibule-proxy', 'trial-read'),
  'a-program': (realm) => realm.serviceToken('a-program', 'trial-create'),
};

const PRODUCT = {
  attributes: [{ id: 'team', label: 'Team', required: true, max_length: 10 }],
  consents: [{ id: 'terms', label: 'Terms', version: '2', required: true }],
};
const LIMITS = { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '1000000', REGISTER_LIMIT_PER_MINUTE: '1000000', LOG_LEVEL: 'info' };

const schemathesis = installSchemathesis();
await startTestPostgres();
try {
  const bridge = await openBridge({ env: LIMITS, product: PRODUCT });
  const tokens = await openTokens(bridge);
  try {
    const code = await check(schemathesis, bridge, { tokens: tokens.url, ...(await fixture(bridge)) });
    process.exitCode = judge(code, bridge, await pathsOf(bridge));
  } finally {
    tokens.close();
    await bridge.close();
  }
} finally {
  await stopTestPostgres();
}

function installSchemathesis(): string {
  const python = join(ENVIRONMENT, 'bin', 'python');
  const installed = join(ENVIRONMENT, 'installed.txt');
  const wanted = readFileSync(REQUIREMENTS, 'utf8');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return join(ENVIRONMENT, 'bin', 'schemathesis');
  console.log('Installing schemathesis into .run/check-api/venv …');
  mkdirSync(RUN_DIR, { recursive: true, mode: 0o700 });
  run('python3', ['-m', 'venv', '--clear', ENVIRONMENT], 'This needs Python 3.10 or newer with its venv module (Debian: python3-venv).');
  run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', REQUIREMENTS], 'This needs the Python package index once.');
  writeFileSync(installed, wanted);
  return join(ENVIRONMENT, 'bin', 'schemathesis');
}

function run(file: string, args: readonly string[], advice: string): void {
  if (spawnSync(file, args, { stdio: 'inherit' }).status === 0) return;
  console.error(`${file} ${args.slice(0, 3).join(' ')} failed. ${advice}`);
  process.exit(1);
}

/** `GET /<client>`: a fresh token of a caller that the bridge knows. */
async function openTokens({ realm }: TestBridge): Promise<{ url: string; close(): void }> {
  const server = createServer((req, res) => {
    const make = TOKENS[req.url?.slice(1) ?? ''] ?? TOKENS['vestibule-keycloak']!;
    void make(realm).then((text) => res.end(text));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

/** What valid requests may name: see hooks.py. */
async function fixture(bridge: TestBridge) {
  const fresh = { token: await bridge.invite(), username: 'ada@example.com' };
  const other = { token: await bridge.invite({ address: 'ada+tag@xn--bcher-kva.example' }), username: 'ada+tag@bücher.example' };
  for (let at = 0; at < LIVES; at += 1) await bridge.send('/api/trial/register', { body: { username: `life.${at}@example.com`, attributes: { team: 'one' }, consents: [{ id: 'terms', version: '2' }] } });
  await bridge.settled();
  const used = await signUp(bridge, 'mary@example.com');
  return {
    addresses: ['ada@example.com', 'Ada.Lovelace+trial@Example.COM', "o'hara@example.org", 'ada@bücher.example', 'ada@xn--bcher-kva.example'],
    pages: ['/', '/start?x=1#y', '/a%20b'],
    invitations: [fresh, other, { token: used.token, username: used.username }],
    invitations_for_programs: await Promise.all(Array.from({ length: 20 }, async (_, index) => ({ token: await bridge.invite({ address: `program.${index}@example.com` }), username: `program.${index}@example.com` }))),
    lives: (await bridge.db.selectFrom('bridge.life').select('id').execute()).map(({ id }) => id),
    attempts: [{ attempt_id: used.attempt_id, user_id: used.user_id }],
    people: [{ user_id: used.user_id }, { username: used.username }],
  };
}

async function signUp(bridge: TestBridge, username: string) {
  const creation = creationOf(await bridge.invite({ address: username }), { username, user_id: randomUUID() });
  await bridge.asStep('/api/trial/creation', creation);
  await bridge.asStep('/api/trial/creation/outcome', { attempt_id: creation.attempt_id, user_id: creation.user_id, outcome: 'committed' });
  return creation;
}

async function check(schemathesis: string, bridge: TestBridge, given: object): Promise<number> {
  const args = [
    ['--config-file', join(import.meta.dirname, 'schemathesis.toml')],
    ['run', `${bridge.url}/openapi.json`, '--checks', 'all', '--max-examples', EXAMPLES_PER_OPERATION],
    ['--exclude-path-regex', LEFT_OUT.source],
    ['--report', 'json', '--report-json-path', REPORT, ...process.argv.slice(2)],
  ].flat();
  const child = spawn(schemathesis, args, {
    cwd: RUN_DIR,
    stdio: 'inherit',
    env: {
      ...process.env,
      PYTHONPATH: import.meta.dirname,
      PYTHONDONTWRITEBYTECODE: '1',
      SCHEMATHESIS_HOOKS: 'hooks',
      VESTIBULE_CHECK_API: JSON.stringify(given),
    },
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? 1;
}

interface LogLine {
  msg?: string;
  level: number;
  method?: string;
  path?: string;
  status?: number;
}

/** As in /openapi.json: `/api/trial/{id}`. */
async function pathsOf(bridge: TestBridge): Promise<readonly string[]> {
  const { paths } = (await (await fetch(`${bridge.url}/openapi.json`)).json()) as { paths: Record<string, unknown> };
  return Object.keys(paths).filter((path) => !LEFT_OUT.test(path));
}

/** Its own verdict, and what it can't know: enough was asked, every caller was let in, and no error was logged. */
function judge(code: number, bridge: TestBridge, paths: readonly string[]): number {
  const lines = bridge.log().trim().split('\n').map((line) => JSON.parse(line) as LogLine);
  const answers = statuses(lines.filter(({ msg }) => msg === 'request'), paths);
  for (const [path, counts] of answers) console.log(`${path}: ${[...counts].sort().map(([status, count]) => `${count} × ${status}`).join(', ')}`);
  const generated = generatedCases();
  const faults = [
    ...(code === 0 ? [] : [`schemathesis answered ${code}`]),
    ...(generated >= MINIMUM_CASES ? [] : [`${generated} cases instead of at least ${MINIMUM_CASES}`]),
    ...paths.filter((path) => ![...(answers.get(path)?.keys() ?? [])].some(wasLetIn)).map((path) => `${path} let nobody in`),
    ...lines.filter(({ level }) => level >= ERROR_LEVEL).slice(0, 5).map((line) => `logged: ${JSON.stringify(line)}`),
  ];
  for (const fault of faults) console.error(`check:api: ${fault}`);
  console.log(`check:api: ${generated} cases, ${faults.length === 0 ? 'no fault' : `${faults.length} faults`}`);
  return faults.length === 0 ? 0 : 1;
}

/** Past who may call, and past the form of what was sent. */
function wasLetIn(status: number): boolean {
  return ![400, 401, 403, 405, 413, 415].includes(status);
}

function generatedCases(): number {
  const { test_cases: cases } = JSON.parse(readFileSync(REPORT, 'utf8')) as { test_cases: { generated: number } };
  return cases.generated;
}

/** By path as documented, how often each status was answered. */
function statuses(lines: readonly LogLine[], documented: readonly string[]): ReadonlyMap<string, Map<number, number>> {
  const paths = new Map<string, Map<number, number>>();
  const patterns = documented.toSorted((one, other) => Number(one.includes('{')) - Number(other.includes('{'))).map((path) => ({ path, pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`) }));
  for (const { path: asked = '', status = 0 } of lines) {
    const path = patterns.find(({ pattern }) => pattern.test(asked))?.path;
    if (path === undefined) continue;
    const counts = paths.get(path) ?? new Map<number, number>();
    paths.set(path, counts.set(status, (counts.get(status) ?? 0) + 1));
  }
  return paths;
}
