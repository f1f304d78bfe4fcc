import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '..');
const PARTS = ['platform', 'bridge', 'proxy', 'realm', 'self-hosted', 'dev', 'test'];
const LAYERED = ['bridge', 'proxy'];

const IMPORT = /(?:^|\n)(?:import|export)\s[^;'"()]*?from\s*['"]([^'"]+)['"]|(?:^|\n)import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

interface Source {
  path: string;
  part: string;
  text: string;
  /** Paths in the project, and names of packages. */
  imports: string[];
}

const sources = PARTS.flatMap((part) => filesIn(part, /\.ts$/)).map(readSource);

function filesIn(folder: string, name: RegExp): string[] {
  const absolute = join(ROOT, folder);
  if (!existsSync(absolute)) return [];
  return readdirSync(absolute, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && name.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !path.includes('node_modules/') && !path.includes('/target/'));
}

function readSource(path: string): Source {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const named = [...text.matchAll(IMPORT)].map(([, from, alone, lazy]) => from ?? alone ?? lazy ?? '');
  const imports = named.map((name) => (name.startsWith('.') ? join(dirname(path), name).split(sep).join('/') : name));
  return { path, part: path.split('/')[0] ?? '', text, imports };
}

/** `importing → imported` for every import that is not allowed. */
function wrongImports(from: (source: Source) => boolean, refused: (name: string) => boolean): string[] {
  return sources.filter(from).flatMap(({ path, imports }) => imports.filter(refused).map((name) => `${path} → ${name}`));
}

describe('who may import what', () => {
  test.each([
    ['platform', ['bridge', 'proxy', 'realm', 'dev', 'test']],
    ['bridge', ['proxy', 'realm', 'dev', 'test']],
    ['proxy', ['bridge', 'dev', 'test', 'realm']],
    ['realm', ['proxy', 'dev', 'test']],
    ['self-hosted', ['platform', 'bridge', 'proxy', 'realm', 'dev', 'test']],
  ])('%s imports nothing of %j', (part, others) => {
    expect(wrongImports((source) => source.part === part, (name) => others.some((other) => name.startsWith(`${other}/`)))).toEqual([]);
  });

  test('realm takes of the bridge only how nodes are asked', () => {
    expect(wrongImports((source) => source.part === 'realm', (name) => name.startsWith('bridge/') && name !== 'bridge/keycloak/nodes.ts')).toEqual([]);
  });

  test('a store imports no service and no routes', () => {
    expect(wrongImports(({ path }) => path.endsWith('.store.ts'), (name) => /\.(service|routes)\.ts$/.test(name))).toEqual([]);
  });

  test('a service imports no routes and no Express', () => {
    expect(wrongImports(({ path }) => path.endsWith('.service.ts'), (name) => name === 'express' || name.endsWith('.routes.ts'))).toEqual([]);
  });

  test('relative imports name a file that exists, with its extension', () => {
    expect(wrongImports(() => true, (name) => PARTS.includes(name.split('/')[0] ?? '') && name.includes('/') && !existsSync(join(ROOT, name)))).toEqual([]);
  });
});

test('in bridge, proxy and realm, main.ts alone reads the environment', () => {
  const reading = sources.filter(({ part, text }) => [...LAYERED, 'realm', 'platform'].includes(part) && text.includes('process.env'));
  expect(reading.map(({ path }) => path).filter((path) => basename(path) !== 'main.ts')).toEqual([]);
});

test('the worker is killed in each job', () => {
  const jobs = /export interface Jobs \{([^]*?)\n\}/.exec(readSource('bridge/db/job.ts').text)?.[1]?.matchAll(/^  (\w+):/gm) ?? [];
  const killed = readSource('test/faults/long/jobs.test.ts').text.matchAll(/^test\('killed in (\w+)/gm);
  expect([...new Set([...killed].map(([, name]) => name))].toSorted()).toEqual([...jobs].map(([, name]) => name).toSorted());
});

test('no folder is a drawer for anything', () => {
  const folders = new Set([...PARTS, 'keycloak/src'].flatMap((part) => filesIn(part, /./)).flatMap((path) => path.split('/').slice(0, -1)));
  expect(['utils', 'util', 'helpers', 'lib', 'common', 'shared', 'misc'].filter((name) => folders.has(name))).toEqual([]);
});

test('the lock file names no registry', () => {
  const lock = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  expect(lock).not.toContain('"resolved"');
  // Addresses of funding pages are the packages' own; a registry's would be that of an archive.
  expect(lock.match(/https?:\/\/[^"]*(?:registry|\.tgz)[^"]*/g) ?? []).toEqual([]);
});

describe('every language has the same keys', () => {
  const jsonFolders = [...new Set(LAYERED.flatMap((part) => filesIn(part, /^[a-z]{2}\.json$/)).map((path) => dirname(path)))];
  const bundles = [...new Set(filesIn('keycloak/src/main/resources', /_[a-z]{2}\.properties$/).map((path) => path.replace(/_[a-z]{2}\.properties$/, '')))];
  const languageFolders = [...new Set(LAYERED.flatMap((part) => filesIn(part, /./)).filter((path) => path.includes('/en/')).map((path) => path.slice(0, path.indexOf('/en/'))))];

  test.each(jsonFolders)('%s/*.json', (folder) => {
    expectSame(filesIn(folder, /^[a-z]{2}\.json$/), jsonKeys);
  });

  test.each(bundles)('%s_*.properties', (bundle) => {
    expectSame(filesIn(dirname(bundle), /\.properties$/).filter((path) => path.startsWith(`${bundle}_`)), propertyKeys);
  });

  test.each(languageFolders)('%s/<language>/: files, and keys in them', (folder) => {
    const languages = readdirSync(join(ROOT, folder), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => `${folder}/${entry.name}`);
    expectSame(languages, (path) => filesIn(path, /./).map((file) => file.slice(path.length)).toSorted());
    for (const file of filesIn(`${folder}/en`, /\.json$/)) expectSame(languages.map((path) => path + file.slice(`${folder}/en`.length)), jsonKeys);
  });
});

function expectSame(paths: readonly string[], keysOf: (path: string) => string[]): void {
  const [first = '', ...others] = paths;
  expect(others.length).toBeGreaterThan(0);
  for (const other of others) expect({ path: other, keys: keysOf(other) }).toEqual({ path: other, keys: keysOf(first) });
}

function jsonKeys(path: string): string[] {
  return nestedKeys(JSON.parse(readFileSync(join(ROOT, path), 'utf8'))).toSorted();
}

function nestedKeys(value: unknown, prefix = ''): string[] {
  if (typeof value !== 'object' || value === null) return [prefix];
  return Object.entries(value).flatMap(([key, inner]) => nestedKeys(inner, `${prefix}/${key}`));
}

function propertyKeys(path: string): string[] {
  return readFileSync(join(ROOT, path), 'utf8')
    .replaceAll(/\\\r?\n\s*/g, '')
    .split('\n')
    .filter((line) => /^\s*[^#!\s]/.test(line))
    .map((line) => line.split(/[=:]/, 1)[0]?.trim() ?? '')
    .toSorted();
}
