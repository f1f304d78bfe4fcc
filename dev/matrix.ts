import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { STACK_VARIABLE } from '../test/support/stack-variable.ts';
import { versionsPage, versionsTable, verdict, withVersions, type MatrixResult } from '../test/matrix/table.ts';
import { compareVersions, newerRelease, VERSIONS, wayToForm } from '../test/matrix/versions.ts';
import { claimDataFolder, makeFolder } from './data-folder.ts';
import { ensureJar, type Jar } from './jar.ts';
import { maven, type Workshop } from './maven.ts';
import { portBaseFrom } from './ports.ts';
import { terminalProgress } from './progress.ts';
import { sha256 } from './realm.ts';
import { ROOT, startStack, STEPS, writeDescription, writeEnvironment } from './stack.ts';
import { StartError } from './start-error.ts';

/**
 * `npm run test:matrix` boots one and the same jar on each version and writes docs/versions.md and the table in README.md.
 * `npm run test:matrix -- 26.0.8 26.7.4` runs these only; both are written anew when the others were run with that jar and realm file before.
 */
const RUN_DIR = join(ROOT, '.run', 'matrix');
/** Apart from what `npm start` keeps: seven versions would push its builds out. */
const CACHE_DIR = join(process.env['VESTIBULE_CACHE'] || join(ROOT, '.run', 'cache'), 'matrix');
const RESULTS = join(RUN_DIR, 'results.json');
const REALM_FILE = join(ROOT, 'realm-export.json');
const PAGE = join(ROOT, 'docs', 'versions.md');
const README = join(ROOT, 'README.md');
/** One address registers many times here. */
const LIMITS = { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '10000', REGISTER_LIMIT_PER_MINUTE: '10000', MAIL_LIMIT_SECONDS_BETWEEN: '0', MAIL_LIMIT_PER_MAILBOX_PER_DAY: '100', LOGIN_LIMIT_PER_CLIENT: '100000' };

const asked = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => asked.abort(signal));

try {
  process.exitCode = await main(process.argv.slice(2).filter((arg) => /^\d+\.\d+\.\d+$/.test(arg)));
} catch (error) {
  console.error(error instanceof StartError ? error.message : error);
  process.exitCode = 1;
}
process.exit();

async function main(chosen: readonly string[]): Promise<number> {
  const portBase = portBaseFrom(process.argv.slice(2), { VESTIBULE_PORT_BASE: '9700', ...process.env });
  makeFolder(CACHE_DIR);
  const folder = await claimDataFolder(RUN_DIR);
  makeFolder(join(RUN_DIR, 'logs'));
  const workshop: Workshop = { cacheDir: CACHE_DIR, logFile: (name) => join(RUN_DIR, 'logs', `${name}.log`), record: folder.record };
  const jar = await ensureJar(ROOT, workshop, () => {});
  const versions = chosen.length > 0 ? chosen : [...VERSIONS, ...(await newest(workshop))];
  const of = originNow(jar);
  let results: readonly MatrixResult[] = [];
  for (const version of versions) {
    console.log(`\n== Keycloak ${version}`);
    const result = await tryVersion(version, jar, portBase).catch((error: unknown): MatrixResult => {
      console.error(error);
      return { version, passed: 0, failed: 1, faults: [String(error).split('\n', 1)[0] ?? ''] };
    });
    if (asked.signal.aborted) throw new StartError('Stopped before it was done.');
    results = withEarlier(result, of);
    console.log(`== Keycloak ${version}: ${verdict(result)}, ${result.passed} passed, ${result.failed} failed`);
  }
  folder.release();
  console.log(`\n${versionsTable(results)}`);
  if (originNow(jar) === of) writePage(results, jar);
  else console.log('realm-export.json was changed meanwhile: docs/versions.md and README.md are left as they were.');
  return results.every((result) => verdict(result) !== 'no') ? 0 : 1;
}

function originNow(jar: Jar): string {
  return sha256(jar.hash + readFileSync(REALM_FILE, 'utf8'));
}

/** Together with what was found of the same jar and realm file before; all of it is kept. */
function withEarlier(result: MatrixResult, of: string): readonly MatrixResult[] {
  const kept = existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as { of: string; results: MatrixResult[] }) : undefined;
  const earlier = kept?.of === of ? kept.results.filter(({ version }) => version !== result.version) : [];
  const all = [...earlier, result].toSorted((a, b) => compareVersions(a.version, b.version));
  writeFileSync(RESULTS, JSON.stringify({ of, results: all }, null, 2));
  return all;
}

function writePage(results: readonly MatrixResult[], jar: Jar): void {
  const missing = VERSIONS.filter((version) => results.every((one) => one.version !== version));
  if (missing.length > 0) return console.log(`docs/versions.md waits for ${missing.join(', ')}.`);
  writeFileSync(PAGE, versionsPage(results, { date: new Date().toISOString().slice(0, 10), jar: jar.hash.slice(0, 12) }));
  return writeFileSync(README, withVersions(readFileSync(README, 'utf8'), results));
}

async function tryVersion(version: string, jar: Jar, portBase: number): Promise<MatrixResult> {
  const dataDir = join(RUN_DIR, version);
  const env = { ...LIMITS, ...process.env, ...wayToForm(version).env };
  const progress = terminalProgress(STEPS);
  const stack = await startStack({ portBase, dataDir, cacheDir: CACHE_DIR, progress, env, durable: false, signal: asked.signal, keycloakVersion: version, jar });
  try {
    const file = join(dataDir, 'stack.json');
    writeDescription(file, stack);
    writeEnvironment(join(dataDir, 'bridge.env'), stack.bridgeEnvironment);
    return { version, ...(await journey(file, join(dataDir, 'jest.json'))) };
  } finally {
    await stack.destroy();
    rmSync(join(dataDir, 'realm-origin.json'), { force: true });
  }
}

async function journey(stackFile: string, output: string): Promise<Omit<MatrixResult, 'version'>> {
  rmSync(output, { force: true });
  const jest = [join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'), '--config', join(ROOT, 'test', 'matrix', 'jest.config.js'), '--runInBand', '--json', `--outputFile=${output}`];
  await new Promise((resolve) => {
    const options = ['--disable-warning=ExperimentalWarning', '--experimental-vm-modules', ...jest];
    const child = spawn(process.execPath, options, { cwd: ROOT, stdio: ['ignore', 2, 2], env: { ...process.env, [STACK_VARIABLE]: stackFile }, signal: asked.signal });
    child.once('error', resolve);
    child.once('close', resolve);
  });
  if (!existsSync(output)) return { passed: 0, failed: 1, faults: ['jest did not run'] };
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(output, 'utf8')) as JestOutput;
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const faults = tests.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
  return { passed: numPassedTests, failed: numFailedTests, faults };
}

interface JestOutput {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { assertionResults: { status: string; fullName: string }[] }[];
}

/** What Maven's metadata knows beyond our list; a registry that can't be asked adds nothing. */
async function newest(workshop: Workshop): Promise<readonly string[]> {
  // Of its own, so that the metadata lies at a known place.
  const cwd = mkdtempSync(join(tmpdir(), 'vestibule-metadata-'));
  try {
    const goal = [`-Dmaven.repo.local=${cwd}`, 'dependency:get', '-Dartifact=org.keycloak:keycloak-quarkus-dist:LATEST:pom', '-Dtransitive=false'];
    await maven(workshop, 'Asking for newer versions', 'metadata', goal, cwd);
    const folder = join(cwd, 'org', 'keycloak', 'keycloak-quarkus-dist');
    const metadata = readdirSync(folder).filter((name) => /^maven-metadata-.*\.xml$/.test(name)).map((name) => readFileSync(join(folder, name), 'utf8'));
    const newer = newerRelease(metadata.join(''), VERSIONS.toSorted(compareVersions).at(-1) ?? '');
    return newer === undefined ? [] : [newer];
  } catch (error) {
    console.log(`Newer versions were not asked for: ${error instanceof Error ? error.message.split('\n', 1)[0] : error}`);
    return [];
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}
