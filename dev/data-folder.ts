import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endProcess, identityOf, processRecord, type ProcessRecord } from './processes.ts';
import { StartError } from './start-error.ts';

const LONGEST_CHAIN = 6;
const LOOK_EVERY_MS = 1000;

interface Claim {
  pid: number;
  identity: string;
  /** The processes between us and npm: when one is gone, nobody can press Ctrl-C any more. */
  above: { pid: number; identity: string }[];
}

export interface DataFolder {
  path: string;
  record: ProcessRecord;
  /** What an earlier start had left running, by name. */
  ended: string[];
  release(): void;
}

/** Makes the folder ours: ends what a killed start left running in it; refuses while another start is using it. */
export async function claimDataFolder(path: string): Promise<DataFolder> {
  makeFolder(path);
  const file = join(path, 'start.json');
  const earlier = readClaim(file);
  const ended: string[] = [];
  if (earlier && isAlive(earlier) && earlier.pid !== process.pid) {
    if (earlier.above.every(isAlive)) {
      throw new StartError(
        `A stack is running on ${path} already (process ${earlier.pid}). Stop it with Ctrl-C or "kill ${earlier.pid}", or start a second one: npm start -- --port-base 9400`,
      );
    }
    await endProcess(earlier.pid);
    ended.push('the earlier start');
  }
  const record = processRecord(path);
  ended.push(...(await record.endLeftOvers()));
  const identity = identityOf(process.pid) ?? '';
  const claim: Claim = { pid: process.pid, identity, above: processesUpToNpm() };
  writeFileSync(file, JSON.stringify(claim, null, 2), { mode: 0o600 });
  return { path, record, ended, release: () => rmSync(file, { force: true }) };
}

/** True when the start that claimed the folder is gone, or none did. */
export function isAbandoned(path: string): boolean {
  const claim = readClaim(join(path, 'start.json'));
  return !claim || !isAlive(claim);
}

/** Settles when npm, its shell or our bootstrap was killed and left us behind. */
export async function whenLeftBehind(signal: AbortSignal): Promise<void> {
  const above = processesUpToNpm();
  while (above.every(isAlive)) await delay(LOOK_EVERY_MS, undefined, { signal });
}

export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new StartError(`${path} can't be written by this user. Delete it, or change its owner, and start again.`, { cause: error });
  }
}

function processesUpToNpm(): Claim['above'] {
  const chain: Claim['above'] = [];
  // Started without npm there is only the bootstrap above us: what is above that may come and go.
  const longest = process.env['npm_lifecycle_event'] ? LONGEST_CHAIN : 1;
  let pid = process.ppid;
  while (pid > 1 && chain.length < longest) {
    const identity = identityOf(pid);
    if (identity === undefined) break;
    chain.push({ pid, identity });
    const { parent, command } = describe(pid);
    if (/(^|\/)npm\b/.test(command)) return chain;
    pid = parent;
  }
  return chain.slice(0, 1);
}

function describe(pid: number): { parent: number; command: string } {
  if (process.platform === 'linux') {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    return { parent, command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') };
  }
  const [parent = '0', ...command] = execFileSync('ps', ['-o', 'ppid=,command=', '-p', String(pid)], { encoding: 'utf8' }).trim().split(/\s+/);
  return { parent: Number(parent), command: command.join(' ') };
}

function isAlive(one: { pid: number; identity: string }): boolean {
  return identityOf(one.pid) === one.identity;
}

function readClaim(file: string): Claim | undefined {
  try {
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Claim) : undefined;
  } catch {
    return undefined;
  }
}
