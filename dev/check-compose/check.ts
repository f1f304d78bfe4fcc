import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filledIn } from './filled-in.ts';

/** `npm run check:compose`: docker-compose.yml against the compose schema, by compose-go. Needs Go, and no Docker. */
const ROOT = join(import.meta.dirname, '..', '..');

if (spawnSync('go', ['version']).status !== 0) {
  console.error('No Go was found. Install it (1.24 or newer) to check docker-compose.yml against the compose schema; npm test checks the rest without.');
  process.exit(1);
}
const folder = mkdtempSync(join(tmpdir(), 'vestibule-compose-'));
try {
  const envFile = join(folder, 'compose.env');
  const values = filledIn(readFileSync(join(ROOT, '.env.example'), 'utf8'));
  writeFileSync(envFile, Object.entries(values).map(([name, value]) => `${name}=${value}\n`).join(''));
  const { status } = spawnSync('go', ['run', '.', join(ROOT, 'docker-compose.yml'), envFile], { cwd: import.meta.dirname, stdio: 'inherit' });
  if (status === 0) console.log('docker-compose.yml is valid.');
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true });
}
