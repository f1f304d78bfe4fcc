import { execFileSync, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const STOP_LIMIT_MS = 20_000;
const POLL_MS = 50;
const LAST_LINES = 25;

/** What tells one process from another that got the same id later; undefined when there is no such process. */
export function identityOf(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      // The name, in brackets, may hold spaces. After it: state is field 3, the start time (ticks since boot) field 22.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] === 'Z') return undefined;
      const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      return `${bootId} ${fields[19]}`;
    }
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Sends `first` to the process group, and SIGKILL to what is left of it when its leader has ended or time is up. */
export async function endGroup(pid: number, first: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const identity = identityOf(pid);
  signalGroup(pid, first);
  await untilGone(pid, identity);
  signalGroup(pid, 'SIGKILL');
  await untilGone(pid, identity);
}

/** Asks one process to end, and makes it when it does not. */
export async function endProcess(pid: number): Promise<void> {
  const identity = identityOf(pid);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (identity === undefined || identityOf(pid) !== identity) return;
    process.kill(pid, signal);
    await untilGone(pid, identity);
  }
}

async function untilGone(pid: number, identity: string | undefined): Promise<void> {
  const deadline = Date.now() + STOP_LIMIT_MS;
  while (Date.now() < deadline) {
    if (identity === undefined || identityOf(pid) !== identity) return;
    await delay(POLL_MS);
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended already.
  }
}

export interface Command {
  name: string;
  file: string;
  args: readonly string[];
  logFile: string;
  /** The exact environment; nothing is inherited but PATH, HOME and the like when it holds them. */
  env: NodeJS.ProcessEnv;
  cwd: string;
  uid?: number | undefined;
  gid?: number | undefined;
}

export interface RunningProcess {
  readonly name: string;
  readonly pid: number;
  /** Settles when the process has ended, with a sentence that says how. */
  readonly ended: Promise<string>;
  readonly hasEnded: () => boolean;
  readonly succeeded: () => boolean;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a process as leader of a group of its own, its output added to a log file. */
export function startProcess(command: Command, record?: ProcessRecord): RunningProcess {
  mkdirSync(dirname(command.logFile), { recursive: true });
  const log = openSync(command.logFile, 'a', 0o600);
  const options: SpawnOptions = { cwd: command.cwd, env: command.env, detached: true, stdio: ['ignore', log, log] };
  if (command.uid !== undefined) options.uid = command.uid;
  if (command.gid !== undefined) options.gid = command.gid;
  const child: ChildProcess = spawn(command.file, command.args, options);
  closeSync(log);
  let over = false;
  let status: number | null = null;
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => {
      over = true;
      resolve(`${command.name} could not be started: ${error.message}`);
    });
    child.once('exit', (code, signal) => {
      over = true;
      status = code;
      resolve(`${command.name} ended ${signal ? `by ${signal}` : `with exit code ${code}`}`);
    });
  });
  const pid = child.pid ?? 0;
  if (pid !== 0) record?.add(command.name, pid);
  return {
    name: command.name,
    pid,
    ended,
    hasEnded: () => over,
    succeeded: () => status === 0,
    stop: async (signal) => {
      if (pid !== 0) await endGroup(pid, signal);
      record?.remove(pid);
    },
  };
}

interface RecordedProcess {
  name: string;
  pid: number;
  identity: string;
}

/** Which processes belong to a data folder, so that a start after a kill -9 can end them, and nothing else. */
export interface ProcessRecord {
  add(name: string, pid: number): void;
  remove(pid: number): void;
  /** Ends what an earlier start left running; answers the names. */
  endLeftOvers(): Promise<string[]>;
}

export function processRecord(dataDir: string): ProcessRecord {
  const file = join(dataDir, 'processes.json');
  const read = (): RecordedProcess[] => {
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as RecordedProcess[];
    } catch {
      return [];
    }
  };
  const write = (all: RecordedProcess[]): void => {
    mkdirSync(dataDir, { recursive: true });
    if (all.length === 0) rmSync(file, { force: true });
    else writeFileSync(file, JSON.stringify(all, null, 2), { mode: 0o600 });
  };
  return {
    add: (name, pid) => {
      const identity = identityOf(pid);
      if (identity !== undefined) write([...read(), { name, pid, identity }]);
    },
    remove: (pid) => write(read().filter((one) => one.pid !== pid)),
    endLeftOvers: async () => {
      const alive = read().filter((one) => identityOf(one.pid) === one.identity);
      await Promise.all(alive.map((one) => endGroup(one.pid, one.name === 'postgres' ? 'SIGINT' : 'SIGTERM')));
      write([]);
      return alive.map((one) => one.name);
    },
  };
}

/** Waits until `ready` answers true; rejects with the log's last lines when the process ends before, or time is up. */
export async function waitUntilReady(
  running: RunningProcess,
  logFile: string,
  limitMs: number,
  ready: () => Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (Date.now() < deadline) {
    if (running.hasEnded()) throw new Error(`${await running.ended}.\n${lastLines(logFile)}`);
    if (await ready().catch(() => false)) return;
    await delay(POLL_MS);
  }
  throw new Error(`${running.name} was not ready after ${limitMs / 1000} s.\n${lastLines(logFile)}`);
}

export function lastLines(logFile: string): string {
  const lines = statSync(logFile, { throwIfNoEntry: false }) ? readFileSync(logFile, 'utf8').trimEnd().split('\n') : [];
  return [`The last lines of ${logFile}:`, ...lines.slice(-LAST_LINES).map((line) => `  ${line}`)].join('\n');
}

export async function answersOk(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
  await response.arrayBuffer();
  return response.ok;
}

const SYSTEM_VARIABLES = ['PATH', 'HOME', 'JAVA_HOME', 'LANG', 'TMPDIR', 'TZ', 'USER'];

/** What a process needs of ours to run at all; everything else it is told by name. */
export function systemEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(SYSTEM_VARIABLES.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}
