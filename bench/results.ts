import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, hostname, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { KEYCLOAK_VERSION } from '../dev/keycloak.ts';

export const RESULTS = join(import.meta.dirname, 'results');
const BYTES_PER_GIB = 1024 ** 3;

type Machine = ReturnType<typeof here>;

/** Where and when something is measured: to be asked before it begins. */
export function here() {
  const processors = cpus();
  return {
    name: hostname(),
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / BYTES_PER_GIB),
    node: process.version,
    keycloak: KEYCLOAK_VERSION,
    date: new Date().toISOString(),
    loadAtStart: load(),
  };
}

/** One file per bench: its history is that of the repository. */
export function writeResults(bench: string, machine: Machine, results: object): string {
  mkdirSync(RESULTS, { recursive: true });
  const file = join(RESULTS, `${bench}.json`);
  writeFileSync(file, `${JSON.stringify({ bench, machine: { ...machine, loadAtEnd: load() }, ...results }, undefined, 2)}\n`);
  return file;
}

function load(): readonly number[] {
  return loadavg().map((one) => Math.round(one * 10) / 10);
}
