import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { KEYCLOAK_VERSION } from '../dev/keycloak.ts';
import { freePortBase } from '../dev/ports.ts';
import { databaseFolder } from '../dev/postgres.ts';
import { ROOT } from '../dev/stack.ts';
import { onInterruption } from '../test/support/setup/run-folder.ts';
import { printRows, type Row } from './report.ts';

/** What dev/progress.ts prints when a step is done. */
const STEP = /^\[\d+\/\d+\] (.+?)(?: \(([^()]+)\))?: ([\d.]+) s$/;
const READY = /^Ready after /;
const PACKAGES = /^Installed the packages in ([\d.]+) s\.$/;

interface Step {
  title: string;
  remark?: string;
  seconds: number;
}

interface Start {
  steps: readonly Step[];
  /** From the command to the line that says ready. */
  seconds: number;
}

/**
 * `npm start` twice, in a folder and on ports of its own. Before the first one there is no data, no jar and no built
 * Keycloak; the fetched distribution is there, because how long that takes is the network's affair.
 */
export async function start(): Promise<object> {
  const parent = join(ROOT, '.run');
  mkdirSync(parent, { recursive: true });
  const runDir = mkdtempSync(join(parent, 'bench-start-'));
  const portBase = await freePortBase();
  const dataDir = join(runDir, `data-${portBase}`);
  try {
    keepDistribution(join(runDir, 'cache'));
    const first = await npmStart(runDir, portBase);
    const second = await npmStart(runDir, portBase);
    const rows = [...rowsOf('first', first), ...rowsOf('second', second)];
    printRows(rows);
    return { keptBeforeTheFirst: ['npm packages', "Maven's own repository", `Keycloak ${KEYCLOAK_VERSION}, unpacked`], first, second, rows };
  } finally {
    for (const folder of [databaseFolder(dataDir), runDir]) rmSync(folder, { recursive: true, force: true });
  }
}

function keepDistribution(cacheDir: string): void {
  const name = `keycloak-${KEYCLOAK_VERSION}`;
  const kept = join(process.env['VESTIBULE_CACHE'] || join(ROOT, '.run', 'cache'), name);
  if (existsSync(kept)) cpSync(kept, join(cacheDir, name), { recursive: true, preserveTimestamps: true });
}

/** Starts, waits until it is ready, and ends it as Ctrl-C would. */
async function npmStart(runDir: string, portBase: number): Promise<Start> {
  const started = performance.now();
  const env = { ...process.env, VESTIBULE_RUN: runDir, VESTIBULE_CACHE: join(runDir, 'cache') };
  const child = spawn('npm', ['start', '--silent', '--', '--port-base', String(portBase)], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] });
  onInterruption(async () => void child.kill('SIGTERM'));
  const steps: Step[] = [];
  const said: string[] = [];
  let seconds: number | undefined;
  // Its output closes when the last process of the start has ended.
  const closed = once(child, 'close');
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    const [, title, remark, taken] = STEP.exec(line) ?? [];
    if (title !== undefined) steps.push({ title, ...(remark === undefined ? {} : { remark }), seconds: Number(taken) });
    const [, packages] = PACKAGES.exec(line) ?? [];
    if (packages !== undefined) steps.push({ title: 'npm packages', seconds: Number(packages) });
    if (!READY.test(line)) continue;
    seconds = (performance.now() - started) / 1000;
    child.kill('SIGTERM');
  }
  await closed;
  if (seconds === undefined) throw new Error(`npm start ended before it was ready:\n${said.join('\n')}`);
  return { steps, seconds };
}

function rowsOf(which: string, { steps, seconds }: Start): readonly Row[] {
  const named = steps.map(({ title, remark, seconds: taken }) => ({ measured: `${which}: ${title}${remark === undefined ? '' : ` (${remark})`}`, unit: 's', value: taken }));
  const rest = seconds - steps.reduce((sum, step) => sum + step.seconds, 0);
  return [...named, { measured: `${which}: npm, checks of the machine, databases`, unit: 's', value: rest }, { measured: `${which}: ready after`, unit: 's', value: seconds }];
}
