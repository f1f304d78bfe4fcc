import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { claimDataFolder, isAbandoned, type DataFolder } from '../../../dev/data-folder.ts';
import { databaseFolder } from '../../../dev/postgres.ts';

const RUN_DIR = join(import.meta.dirname, '..', '..', '..', '.run');
const PREFIX = 'test-';

/** Data of this test run. Runs that were killed left theirs, and perhaps their servers: those are ended here. */
export async function runFolder(kind: 'fast' | 'stack' | 'faults' | 'soak' | 'bench'): Promise<string> {
  mkdirSync(RUN_DIR, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(RUN_DIR).filter((one) => one.startsWith(PREFIX))) {
    const path = join(RUN_DIR, name);
    if (!isAbandoned(path)) continue;
    const left: DataFolder = await claimDataFolder(path);
    left.release();
    for (const folder of [databaseFolder(path), path]) rmSync(folder, { recursive: true, force: true });
  }
  return join(RUN_DIR, `${PREFIX}${kind}-${process.pid}`);
}

/** Jest ends at once on Ctrl-C, without its teardown. */
export function onInterruption(stop: () => Promise<void>): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      stop().then(() => process.exit(130), () => process.exit(130));
    });
  }
}
