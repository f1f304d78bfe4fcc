import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT } from '../../../dev/stack.ts';

const FOLDER = join(ROOT, '.run', 'cache', 'bench-peers');
const FILES = ['package.json', 'package-lock.json'];

/** Installs what the proxy is compared with, where that has not been done; answers with the folder. */
export function installPeers(): string {
  if (isInstalled()) return FOLDER;
  mkdirSync(FOLDER, { recursive: true });
  for (const file of FILES) cpSync(join(import.meta.dirname, file), join(FOLDER, file));
  cpSync(join(ROOT, '.npmrc'), join(FOLDER, '.npmrc'));
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: FOLDER, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`The bench's peers could not be installed in ${FOLDER}: npm ci ended with ${status}.`);
  return FOLDER;
}

/** Takes packages from there. */
export function requireFrom(folder: string): NodeJS.Require {
  return createRequire(join(folder, 'package.json'));
}

function isInstalled(): boolean {
  if (!existsSync(join(FOLDER, 'node_modules', '.package-lock.json'))) return false;
  return FILES.every((file) => existsSync(join(FOLDER, file)) && readFileSync(join(FOLDER, file)).equals(readFileSync(join(import.meta.dirname, file))));
}
