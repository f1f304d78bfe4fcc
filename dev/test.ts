import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { NOT_CHECKED } from './check-compose/not-checked.ts';
import { ensureChromium } from './chromium.ts';
import { formatTally, javaTally, jestTally, sum, type JestResults, type Tally } from './tally.ts';
import { StartError } from './start-error.ts';

const ROOT = join(import.meta.dirname, '..');
const BIN = join(ROOT, 'node_modules', '.bin');
const REPORTS = join(ROOT, 'keycloak', 'target', 'surefire-reports');
const RUN_DIR = join(ROOT, '.run');
const QUICK_FAULTS = 'test/faults/quick';

const FAILED: Tally = { passed: 0, failed: 1, skipped: 0 };
const PASSED: Tally = { passed: 1, failed: 0, skipped: 0 };

const args = process.argv.slice(2);
const fast = args.includes('--fast');
const faults = args.includes('--faults');
/** Anything else narrows jest down, and then jest alone is wanted. */
const narrowing = args.filter((arg) => arg !== '--fast' && arg !== '--faults');

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    interrupted = true;
  });
}

/** Left to `npm test`: pages in a browser, the generated tables of refusals, and 1 GiB each way. */
const SLOW_WITHOUT_KEYCLOAK = ['pages-in-chromium', 'test/bridge/refusals', 'test/proxy/streams'];

const tallies: Tally[] = [];
for (const check of checks()) {
  if (interrupted) tallies.push(FAILED);
  else tallies.push(await timed(check));
}
const total = sum(tallies);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
console.log(`\n${formatTally(total)}`);

interface Check {
  title: string;
  run(): Promise<Tally>;
}

function checks(): Check[] {
  const hurried = fast && narrowing.length === 0 ? ['--testPathIgnorePatterns', ...SLOW_WITHOUT_KEYCLOAK] : [];
  const fastTests: Check = { title: 'jest, without Keycloak', run: () => jest('fast', ['--maxWorkers=2', ...hurried]) };
  const stackTests: Check = { title: 'jest, on the whole stack', run: () => jest('stack', ['--runInBand']) };
  const faultTests: Check = { title: 'jest, faults on a stack of their own', run: () => jest('faults', ['--runInBand']) };
  const quickFaultTests: Check = { title: 'jest, the quick faults on a stack of their own', run: () => jest('faults', ['--runInBand', QUICK_FAULTS]) };
  if (faults) return [faultTests];
  if (narrowing.length > 0) return fast ? [fastTests] : [fastTests, stackTests, ...(narrowing.some((arg) => arg.includes('faults')) ? [faultTests] : [])];
  const still: Check[] = [
    { title: 'types (tsc)', run: () => tool('tsc', ['--noEmit']) },
    { title: 'lint (oxlint)', run: () => tool('oxlint', ['--deny-warnings']) },
  ];
  return fast ? [...still, fastTests] : [...still, { title: 'docker-compose.yml (compose-go)', run: compose }, { title: 'Java unit tests', run: java }, fastTests, stackTests, quickFaultTests];
}

async function timed({ title, run }: Check): Promise<Tally> {
  console.log(`\n== ${title}`);
  const started = performance.now();
  const tally = await run().catch((error: unknown) => {
    console.error(error instanceof StartError ? error.message : error);
    return FAILED;
  });
  console.log(`== ${title}: ${formatTally(tally)} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return tally;
}

async function tool(name: string, options: string[]): Promise<Tally> {
  return (await run(join(BIN, name), options)) === 0 ? PASSED : FAILED;
}

/** Counts where Go is there: nothing else of ours needs it. */
async function compose(): Promise<Tally> {
  const code = await run(process.execPath, ['--disable-warning=ExperimentalWarning', join(ROOT, 'dev', 'check-compose', 'check.ts')]);
  return code === NOT_CHECKED ? { passed: 0, failed: 0, skipped: 0 } : code === 0 ? PASSED : FAILED;
}

async function java(): Promise<Tally> {
  rmSync(REPORTS, { recursive: true, force: true });
  const code = await run('mvn', ['-B', '-ntp', '-q', '-f', join(ROOT, 'keycloak', 'pom.xml'), 'test']);
  const reports = existsSync(REPORTS) ? readdirSync(REPORTS).filter((name) => /^TEST-.*\.xml$/.test(name)) : [];
  return javaTally(reports.map((name) => readFileSync(join(REPORTS, name), 'utf8')), code);
}

async function jest(project: 'fast' | 'stack' | 'faults', options: string[]): Promise<Tally> {
  // Where only some tests are asked for, a project may have none of them.
  const wanted = narrowing.length === 0 || (await hasTests(project));
  if (!wanted) return { passed: 0, failed: 0, skipped: 0 };
  if (project !== 'faults' && !options.includes('--testPathIgnorePatterns')) process.env['CHROME_BIN'] = ensureChromium();
  mkdirSync(RUN_DIR, { recursive: true, mode: 0o700 });
  const output = join(RUN_DIR, `jest-${project}-${process.pid}.json`);
  try {
    const code = await run(process.execPath, [...jestArgs(project), ...options, '--json', `--outputFile=${output}`, ...narrowing]);
    const results = existsSync(output) ? (JSON.parse(readFileSync(output, 'utf8')) as JestResults) : undefined;
    return jestTally(results, code);
  } finally {
    rmSync(output, { force: true });
  }
}

async function hasTests(project: string): Promise<boolean> {
  const patterns = narrowing.filter((arg) => !arg.startsWith('-'));
  let listed = '';
  await run(process.execPath, [...jestArgs(project), '--listTests', '--passWithNoTests', ...patterns], (text) => {
    listed += text;
  });
  return listed.includes('.test.ts');
}

function jestArgs(project: string): string[] {
  return ['--disable-warning=ExperimentalWarning', '--experimental-vm-modules', join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'), '--selectProjects', project];
}

/** Everything goes to standard error but our own lines: the last line of standard output is the sum. */
function run(file: string, options: string[], onOutput?: (text: string) => void): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(file, options, { cwd: ROOT, stdio: ['ignore', onOutput ? 'pipe' : 2, onOutput ? 'ignore' : 2] });
    child.stdout?.on('data', (chunk: Buffer) => onOutput?.(String(chunk)));
    child.once('error', (error) => {
      console.error(`${file} could not be started: ${error.message}`);
      resolve(1);
    });
    child.once('close', (code) => resolve(code ?? 1));
  });
}
