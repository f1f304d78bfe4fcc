import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';

const PLACES = ['/usr/lib/*/faketime/libfaketime.so.1', '/usr/lib64/faketime/libfaketime.so.1'];

/** Debian's libfaketime, installed where that is possible; undefined where it can't be had. */
export function libfaketime(): string | undefined {
  if (find() === undefined && process.getuid?.() === 0) {
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', 'libfaketime'], { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  }
  return find();
}

function find(): string | undefined {
  return globSync(PLACES)[0];
}

/** For a process whose wall clock is to be that far from the machine's; its timers run as always. */
export function shiftedClock(library: string, seconds: number): Record<string, string> {
  return { LD_PRELOAD: library, FAKETIME: `${seconds > 0 ? '+' : ''}${seconds}s`, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}
