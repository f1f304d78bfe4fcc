import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StartError } from './start-error.ts';
import { writeWhole } from './whole-file.ts';

/** What the realm in the database was made from. Keycloak reads all of it once, at the first import. */
export interface RealmOrigin {
  'realm-export.json': string;
  'the provider jar': string;
  'the variables of the realm file': string;
}

const VARIABLE = /\$\{([A-Z][A-Z0-9_]*)(:[^}]*)?\}/g;

/** The variables that a realm file names; those with a default (`${NAME:default}`) need not be set. */
export function variablesIn(realmFile: string): { name: string; required: boolean }[] {
  const found = new Map<string, boolean>();
  for (const [, name = '', fallback] of realmFile.matchAll(VARIABLE)) found.set(name, found.get(name) === true || fallback === undefined);
  return [...found].map(([name, required]) => ({ name, required }));
}

/** Keycloak would keep the text `${NAME}` as the value, even of a secret, and not say so. */
export function realmVariables(realmFile: string, env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const named = variablesIn(realmFile);
  const missing = named.filter(({ name, required }) => required && !env[name]).map(({ name }) => name);
  if (missing.length > 0) {
    throw new StartError(`realm-export.json needs ${missing.join(', ')}, not set: set ${missing.length > 1 ? 'them' : 'it'} in the environment and start again.`);
  }
  return Object.fromEntries(named.flatMap(({ name }) => (env[name] ? [[name, env[name]]] : [])));
}

/**
 * The realm file as a release of Keycloak takes it. One before 26.2 refuses the field it does not know; without it the
 * client would be an ordinary one, and programs can't make accounts there (docs/programs.md).
 */
export function realmFileFor(version: string, realmFile: string): string {
  if (version.localeCompare('26.2.0', 'en', { numeric: true }) >= 0) return realmFile;
  const { adminPermissionsEnabled: _, ...realm } = JSON.parse(realmFile) as { adminPermissionsEnabled: boolean; clients: { clientId: string }[] };
  return JSON.stringify({ ...realm, clients: realm.clients.filter(({ clientId }) => clientId !== 'admin-permissions') });
}

export function originOf(realmFile: string, jarHash: string, variables: Readonly<Record<string, string>>): RealmOrigin {
  const sorted = Object.entries(variables).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    'realm-export.json': sha256(realmFile),
    'the provider jar': jarHash,
    'the variables of the realm file': sha256(JSON.stringify(sorted)),
  };
}

/** What differs from what the data folder's realm was made from; undefined when it has none. */
export function changesSince(dataDir: string, origin: RealmOrigin): string[] | undefined {
  const file = originFile(dataDir);
  if (!existsSync(file)) return undefined;
  const kept = JSON.parse(readFileSync(file, 'utf8')) as Partial<RealmOrigin>;
  return Object.entries(origin).flatMap(([part, hash]) => (kept[part as keyof RealmOrigin] === hash ? [] : [part]));
}

/** Kept once the import is done, so that a start that broke off half-way is made again from nothing. */
export function keepOrigin(dataDir: string, origin: RealmOrigin): void {
  writeWhole(originFile(dataDir), JSON.stringify(origin, null, 2));
}

function originFile(dataDir: string): string {
  return join(dataDir, 'realm-origin.json');
}

export function sha256(text: string | Buffer): string {
  return createHash('sha256').update(text).digest('hex');
}
