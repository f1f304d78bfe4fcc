import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { migrate as migrateBridge } from '../../bridge/db/migrate.ts';
import { MIGRATIONS as BRIDGE } from '../../bridge/db/migrations.ts';
import { withClient } from '../../dev/postgres.ts';
import { migrateSchema } from '../../platform/database.ts';
import { migrate as migrateProxy, MIGRATIONS as PROXY } from '../../proxy/db/migrate.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';

const ALL = [...Object.entries(BRIDGE), ...Object.entries(PROXY)];
/** Before the first release: nobody goes back to what came before them. */
const NEVER_GONE_BACK_FROM = new Set(['0002-accounts-made-by-programs', '0002_live_sessions', '0007-trial-life', '0011-erasure', '0015-given-up-lives', '0007_touches_in_place']);

const saysAfterWhich = (name: string) => /[-_]after[-_]\d{4}$/.test(name);

describe('what a migration may do to tables that the release before it uses', () => {
  test.each([
    ['a table, and a column that may be null', ['create table t (id int not null unique)', 'alter table t add column a int not null', 'alter table u add column b text'], []],
    ['a column with a default', ['alter table t add column a int not null default 0'], []],
    ['an index', ['create index i on t (a)'], []],
    ['a column less', ['alter table t drop column a'], ['alter table t drop column a']],
    ['a table less', ['drop table t'], ['drop table t']],
    ['another name', ['alter table t rename column a to b'], ['alter table t rename column a to b']],
    ['another type', ['alter table t alter column a type bigint'], ['alter table t alter column a type bigint']],
    ['a column that must be filled', ['alter table t add column a int not null'], ['alter table t add column a int not null']],
    ['a column that must be filled from now on', ['alter table t alter column a set not null'], ['alter table t alter column a set not null']],
    ['nulls where there were none', ['alter table t alter column a drop not null'], ['alter table t alter column a drop not null']],
    ['a rule that rows may break', ['alter table t add constraint c check (a > 0)'], ['alter table t add constraint c check (a > 0)']],
    ['a key that rows may break', ['create unique index i on t (a)'], ['create unique index i on t (a)']],
    ['rows less', ['delete from t'], ['delete from t']],
  ])('%s', (_, statements, refused) => {
    expect(takesAway(statements)).toEqual(refused);
  });

  test.each(ALL.filter(([name]) => !NEVER_GONE_BACK_FROM.has(name) && !saysAfterWhich(name)))('%s only adds: else its name must say after which migration it may', async (_, migration) => {
    expect(takesAway(await statementsOf(migration))).toEqual([]);
  });

  test.each(ALL.filter(([name]) => NEVER_GONE_BACK_FROM.has(name)))('%s is an exception because it must be', async (_, migration) => {
    expect(takesAway(await statementsOf(migration))).not.toEqual([]);
  });
});

describe.each([
  ['bridge', BRIDGE, migrateBridge, 'bridgeUrl'],
  ['proxy', PROXY, migrateProxy, 'proxyUrl'],
] as const)('%s on a database that a newer release has migrated', (schema, ours, migrate, url) => {
  const newer = (name: string): Record<string, Migration> => ({ ...ours, [name]: { up: async (db) => void (await sql`create table ${sql.table(`${schema}.of_the_newer`)} (id int)`.execute(db)) } });
  let database: TestDatabase;
  beforeAll(async () => {
    database = await freshDatabase();
  });
  afterAll(() => database.drop());

  test('starts, names what it does not know, and takes nothing back; the newer one then has nothing to do', async () => {
    expect(await migrate(database[url])).toEqual([]);
    expect(await migrateSchema(database[url], schema, newer('9001-adds'))).toEqual([]);
    expect(await migrate(database[url])).toEqual(['9001-adds']);
    expect(await migrateSchema(database[url], schema, newer('9001-adds'))).toEqual([]);
  });

  test('starts when something was taken away that it no longer uses, and not when it does', async () => {
    const last = Object.keys(ours).toSorted().at(-1)?.slice(0, 4);
    const gone = { up: async () => {} };
    await migrateSchema(database[url], schema, { ...newer('9001-adds'), [`9002-takes-after-${last}`]: gone });
    expect(await migrate(database[url])).toEqual(['9001-adds', `9002-takes-after-${last}`]);
    await migrateSchema(database[url], schema, { ...newer('9001-adds'), [`9002-takes-after-${last}`]: gone, '9003-takes-after-9001': gone });
    await expect(migrate(database[url])).rejects.toThrow(`Schema ${schema} is too new: 9003-takes-after-9001 took away what this release needs.`);
  });

  test('refuses a migration between its own: that is another history', async () => {
    const other = await freshDatabase();
    await withClient(other.adminUrl, (client) => client.query(`insert into ${schema}.kysely_migration values ('0001-zebra', now()::text)`));
    await expect(migrate(other[url])).rejects.toThrow(`Migrating schema ${schema} failed`);
    await other.drop();
  });
});

/** Statements after which the release before can't go on. What is made in the same migration is nobody's yet. */
function takesAway(statements: readonly string[]): string[] {
  const own = new Set<string>();
  return statements.map((text) => text.replaceAll('"', '').replaceAll(/\s+/g, ' ').trim()).filter((text) => {
    const made = /^create table (?:if not exists )?(\S+)/.exec(text)?.[1];
    if (made !== undefined) own.add(made);
    const changed = /^alter table (\S+)/.exec(text)?.[1] ?? /^create unique index .*?\bon (\S+)/.exec(text)?.[1];
    if (changed !== undefined && own.has(changed)) return false;
    return /^(?:drop|delete|truncate|create unique)\b|\brename\b|\bdrop (?:column|not null|default|constraint)\b|\balter column \S+ (?:set data )?type\b|\bset not null\b|\badd constraint\b|\badd column \S+ (?!.*\bdefault\b).*\bnot null\b/.test(text);
  });
}

/** What it would send, with nobody there to answer. */
async function statementsOf(migration: Migration): Promise<string[]> {
  const statements: string[] = [];
  const dialect = { createAdapter: () => new PostgresAdapter(), createDriver: () => new DummyDriver(), createIntrospector: (db: Kysely<unknown>) => new PostgresIntrospector(db), createQueryCompiler: () => new PostgresQueryCompiler() };
  await migration.up(new Kysely<unknown>({ dialect, log: ({ query }) => void statements.push(query.sql) }));
  return statements;
}
