import { renameSync, writeFileSync } from 'node:fs';

/** Readable by its owner only, and there whole or as it was before: a kill in the middle leaves no half of it. */
export function writeWhole(file: string, text: string): void {
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, text, { mode: 0o600 });
  renameSync(unfinished, file);
}
