import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { KEYCLOAK_VERSION } from '../../dev/keycloak.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const DISTRIBUTION = join(process.env['VESTIBULE_CACHE'] || join(ROOT, '.run', 'cache'), `keycloak-${KEYCLOAK_VERSION}`);
/** Wherever we set one, or tell others to. */
const FILES = ['docker-compose.yml', '.env.example', 'README.md', ...['docker', 'docs', 'dev', 'bridge/doctor'].flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(md|ts|sh|Dockerfile)$/.test(file)).map((file) => `${folder}/${file}`))];

/** Keycloak passes over a variable that it does not know without a word. */
test('every KC_ variable that we set or write of is an option of Keycloak’s', async () => {
  const { stdout } = await promisify(execFile)(join(DISTRIBUTION, 'bin', 'kc.sh'), ['start', '--help-all'], { maxBuffer: 1 << 20 });
  const known = new Set([...stdout.matchAll(/^\s*(?:-\w, )?--([a-z][a-z0-9-]+)/gm)].map(([, option = '']) => `KC_${option.toUpperCase().replaceAll('-', '_')}`));
  // Those of a provider are not listed; what such a variable does is held where it is used.
  const named = FILES.flatMap((file) => [...readFileSync(join(ROOT, file), 'utf8').matchAll(/\bKC_(?!SPI_)[A-Z][A-Z_]*[A-Z]\b/g)].map(([name]) => name));
  expect(named).toEqual(expect.arrayContaining(['KC_DB_URL', 'KC_HTTP_POOL_MAX_THREADS']));
  expect([...new Set(named)].filter((name) => !known.has(name))).toEqual([]);
});
