import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filledIn } from './filled-in.ts';
import { NOT_CHECKED } from './not-checked.ts';

/**
 * `npm run check:compose`: docker-compose.yml against the compose schema, by compose-go. Needs Go, and no Docker. Ends with 1 where the
 * file is not valid, with {@link NOT_CHECKED} where Go or its modules can't be had.
 */
const ROOT = join(import.meta.dirname, '..', '..');

const folder = mkdtempSync(join(tmpdir(), 'vestibule-compose-'));
try {
  const checker = join(folder, 'check-compose');
  if (spawnSync('go', ['build', '-o', checker, '.'], { cwd: import.meta.dirname, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0) {
    const envFile = join(folder, 'compose.env');
    const values = filledIn(readFileSync(join(ROOT, '.env.example'), 'utf8'));
    writeFileSync(envFile, Object.entries(values).map(([name, value]) => `${name}=${value}\n`).join(''));
    const { status } = spawnSync(checker, [join(ROOT, 'docker-compose.yml'), envFile], { stdio: 'inherit' });
    if (status === 0) console.log('docker-compose.yml is valid.');
    process.exitCode = status === 0 ? 0 : 1;
  } else {
    console.error('docker-compose.yml is not checked: install Go (1.24 or newer), and let it load the modules of dev/check-compose/go.mod.');
    process.exitCode = NOT_CHECKED;
  }
} finally {
  rmSync(folder, { recursive: true });
}
