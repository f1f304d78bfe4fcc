import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { escapeLiteral } from 'pg';
import { parse } from 'yaml';
import { migrate as migrateBridge } from '../../bridge/db/migrate.ts';
import { freePortBase } from '../../dev/ports.ts';
import { startPostgres, withClient, type Postgres } from '../../dev/postgres.ts';
import { migrate as migrateProxy } from '../../proxy/db/migrate.ts';

/** docker/postgres-init.sh as the image runs it, and what the addresses in docker-compose.yml find then. */
const SCRIPT = readFileSync('docker/postgres-init.sh', 'utf8');
const { services } = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true }) as { services: Record<string, { environment: Record<string, string> }> };
const settingOf = (service: string, name: string) => String(services[service]?.environment[name]);
const passwords = new Map<string, string>();

let folder: string;
let postgres: Postgres;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vestibule-init-'));
  postgres = await startPostgres({ dataDir: folder, port: await freePortBase(), password: randomBytes(16).toString('hex'), durable: false });
  for (const statement of statements()) await withClient(postgres.url, (client) => client.query(statement));
});
afterAll(async () => {
  await postgres.destroy();
  rmSync(folder, { recursive: true, force: true });
});

/** With psql's variables filled in: each is one of the container's own. */
function statements(): string[] {
  const [, text = ''] = /<<'SQL'\n([\s\S]*?)\nSQL/.exec(SCRIPT) ?? [];
  const given = Object.fromEntries([...SCRIPT.matchAll(/-v (\w+)="\$(\w+)"/g)].map(([, name = '', variable = '']) => [name, variable]));
  const filled = text.replaceAll(/:'(\w+)'/g, (_, name: string) => {
    const variable = given[name] ?? '';
    expect(settingOf('postgres', variable)).toMatch(/^\$\{/);
    // Of this very value in .env.
    passwords.set(settingOf('postgres', variable), `${name}'s "password"`);
    return escapeLiteral(passwords.get(settingOf('postgres', variable)) ?? '');
  });
  return filled.split(';').map((one) => one.trim()).filter((one) => one !== '');
}

/** Role, password and database as a service has them, on this server. */
function urlOf(role: string, passwordOf: string, database: string): string {
  const password = passwords.get(passwordOf);
  if (password === undefined) throw new Error(`docker/postgres-init.sh gives no role the password ${passwordOf}`);
  return postgres.databaseUrl(database, role, password);
}

function urlIn(setting: string): string {
  const [, role = '', password = '', database = ''] = /^postgres:\/\/(\w+):(\$\{.*\})@postgres\/(\w+)$/.exec(setting) ?? [];
  return urlOf(role, password, database);
}

const bridge = () => urlIn(settingOf('bridge', 'BRIDGE_DATABASE_URL'));
const proxy = () => urlIn(settingOf('proxy', 'PROXY_DATABASE_URL'));
const keycloak = () => urlOf(settingOf('keycloak', 'KC_DB_USERNAME'), settingOf('keycloak', 'KC_DB_PASSWORD'), settingOf('keycloak', 'KC_DB_URL').replace(/^jdbc:postgresql:\/\/postgres\//, ''));

const at = (url: string, database: string) => Object.assign(new URL(url), { pathname: `/${database}` }).href;

test('bridge and proxy make their schemas where compose sends them, and Keycloak its tables', async () => {
  expect(await Promise.all([migrateBridge(bridge()), migrateProxy(proxy())])).toEqual([[], []]);
  await withClient(keycloak(), (client) => client.query('create table realm (id text)'));
});

test('each gets into its own database only, and into nobody else’s schema', async () => {
  for (const url of [bridge(), proxy()]) await expect(withClient(at(url, 'keycloak'), (client) => client.query('select 1'))).rejects.toThrow('permission denied');
  await expect(withClient(at(keycloak(), 'vestibule'), (client) => client.query('select 1'))).rejects.toThrow('permission denied');
  await expect(withClient(proxy(), (client) => client.query('select * from bridge.mail'))).rejects.toThrow('permission denied');
});
