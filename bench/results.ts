import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, 'results');
const BYTES_PER_GIB = 1024 ** 3;

/** Where and when something was measured. */
export function machine() {
  const processors = cpus();
  return {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / BYTES_PER_GIB),
    node: process.version,
    date: new Date().toISOString(),
    loadAtEnd: loadavg().map((load) => Math.round(load * 10) / 10),
  };
}

/** One file per bench: its history is that of the repository. */
export function writeResults(bench: string, results: object): string {
  mkdirSync(FOLDER, { recursive: true });
  const file = join(FOLDER, `${bench}.json`);
  writeFileSync(file, `${JSON.stringify({ bench, machine: machine(), ...results }, undefined, 2)}\n`);
  return file;
}
