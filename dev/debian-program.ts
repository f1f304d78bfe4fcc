import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { StartError } from './start-error.ts';

/** A program that tests run and npm does not have. */
export interface Program {
  /** What it is called on PATH; the first that is found is taken. */
  names: readonly [string, ...string[]];
  /** The environment variable that may name it. */
  variable: string;
  /** Of Debian. */
  package: string;
  purpose: string;
}

/** Where Debian puts servers; not on everybody's PATH. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin'];

/** What the variable names, else the first on PATH. */
export function findProgram({ names, variable }: Pick<Program, 'names' | 'variable'>, env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  const given = env[variable];
  if (given) return isProgram(given) ? given : undefined;
  const folders = [...(env['PATH'] ?? '').split(delimiter).filter(Boolean), ...SYSTEM_FOLDERS];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
}

/** Installs Debian's where that is possible. */
export function ensureProgram(program: Program): string {
  const found = findProgram(program);
  if (found) return found;
  const { variable, names, purpose } = program;
  if (process.env[variable]) throw new StartError(`${variable} is ${process.env[variable]}, and there is no program there.`);
  if (process.getuid?.() === 0 && spawnSync('apt-get', ['--version']).status === 0) {
    console.log(`Installing ${program.package} by apt-get …`);
    for (const args of [['update'], ['install', '-y', '--no-install-recommends', program.package]]) {
      // RUNLEVEL 1: what is installed as a service is not started.
      spawnSync('apt-get', args, { stdio: ['ignore', 2, 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' } });
    }
  }
  const installed = findProgram(program);
  if (installed) return installed;
  throw new StartError(`${purpose}: install it so that "${names[0]}" is on PATH, or set ${variable}.`);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
