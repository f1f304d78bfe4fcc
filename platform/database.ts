import { Kysely, PostgresDialect, sql } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import { Pool } from 'pg';
import { giveUpSilent } from './silent-connections.ts';
import { prepareMarked } from './prepared.ts';

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const UNIQUE_VIOLATION = '23505';
/** A connection costs more than twenty statements: those of a rush stay for the next one. */
const IDLE_MILLISECONDS = 300_000;

export interface Database<Schema> {
  db: Kysely<Schema>;
  /** The same connections, for libraries that speak pg. */
  pool: Pool;
  close(): Promise<void>;
}

/**
 * `onError` hears of idle connections that break; queries report their own errors. `silenceMilliseconds`: a connection on which a
 * statement has no answer for so long is given up, for a host may be gone without a word.
 */
export function openDatabase<Schema>(
  url: string,
  options: { poolSize: number; name: string; onError: (error: Error) => void; silenceMilliseconds?: number },
): Database<Schema> {
  const pool = new Pool({ connectionString: url, max: options.poolSize, application_name: options.name, connectionTimeoutMillis: 5_000, idleTimeoutMillis: IDLE_MILLISECONDS });
  prepareMarked(pool);
  if (options.silenceMilliseconds !== undefined) giveUpSilent(pool, options.silenceMilliseconds);
  listenForErrors(pool, options.onError);
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
  return {
    db,
    pool,
    close: async () => {
      await db.destroy();
      // Kysely leaves a pool alone that it never asked for a connection.
      if (!pool.ended) await pool.end();
    },
  };
}

/**
 * Brings `schema` up to date under an advisory lock, so that many replicas may start at once. `then` runs under the same lock.
 * Answers with the migrations of a newer release that it found: this one runs on them. Throws where one of them took away what it needs.
 */
export async function migrateSchema(
  url: string,
  schema: string,
  migrations: Readonly<Record<string, Migration>>,
  then: (pool: Pool) => Promise<void> = async () => {},
): Promise<readonly string[]> {
  const pool = new Pool({ connectionString: url, max: 4, application_name: `${schema}-migrate` });
  listenForErrors(pool, () => {});
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  try {
    return await db.connection().execute(async (lock) => {
      await sql`select pg_advisory_lock(hashtext(${`vestibule migrations of ${schema}`}))`.execute(lock);
      try {
        await sql`create schema if not exists ${sql.id(schema)}`.execute(db);
        const newer = await ofNewerReleases(db, schema, Object.keys(migrations));
        const known = { ...migrations, ...Object.fromEntries(newer.map((name) => [name, DONE_BY_A_NEWER_RELEASE])) };
        const migrator = new Migrator({ db: db.withSchema(schema), provider: { getMigrations: async () => known }, migrationTableSchema: schema });
        const { error } = await migrator.migrateToLatest();
        if (error !== undefined) throw new Error(`Migrating schema ${schema} failed`, { cause: error });
        await then(pool);
        return newer;
      } finally {
        await sql`select pg_advisory_unlock(hashtext(${`vestibule migrations of ${schema}`}))`.execute(lock);
      }
    });
  } finally {
    await db.destroy();
  }
}

// Kysely refuses names that it has no migration for.
const DONE_BY_A_NEWER_RELEASE: Migration = { up: async () => {} };
/** `0007-drop-company-after-0005` takes away what releases before 0005 use. */
const USED_UNTIL = /[-_]after[-_](\d{4})$/;

async function ofNewerReleases(db: Kysely<unknown>, schema: string, known: readonly string[]): Promise<readonly string[]> {
  const table = `${schema}.kysely_migration`;
  const { rows: [there] } = await sql<{ yes: boolean }>`select to_regclass(${table}) is not null as yes`.execute(db);
  if (!there?.yes) return [];
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(table)} order by name`.execute(db);
  const last = known.toSorted().at(-1) ?? '';
  const newer = rows.map(({ name }) => name).filter((name) => name > last);
  const tooNew = newer.find((name) => (USED_UNTIL.exec(name)?.[1] ?? '') > last.slice(0, 4));
  if (tooNew === undefined) return newer;
  throw new Error(`Schema ${schema} is too new: ${tooNew} took away what this release needs. Start the newer release again, or bring back the backup from before it.`);
}

// An error event that nobody listens to ends the process: idle connections break when Postgres restarts.
function listenForErrors(pool: Pool, onError: (error: Error) => void): void {
  pool.on('error', onError);
  pool.on('connect', (client) => client.on('error', onError));
}

/** Whether a statement failed because it would have made a second one of what there may be one of. */
export function isUniqueViolation(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === UNIQUE_VIOLATION;
}
