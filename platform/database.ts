import { Kysely, PostgresDialect, sql } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import { Pool } from 'pg';

export interface Database<Schema> {
  db: Kysely<Schema>;
  /** The same connections, for libraries that speak pg. */
  pool: Pool;
  close(): Promise<void>;
}

/** `onError` hears of idle connections that break; queries report their own errors. */
export function openDatabase<Schema>(
  url: string,
  options: { poolSize: number; name: string; onError: (error: Error) => void },
): Database<Schema> {
  const pool = new Pool({ connectionString: url, max: options.poolSize, application_name: options.name, connectionTimeoutMillis: 5_000 });
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

/** Brings `schema` up to date under an advisory lock, so that many replicas may start at once. `then` runs under the same lock. */
export async function migrateSchema(
  url: string,
  schema: string,
  migrations: Readonly<Record<string, Migration>>,
  then: (pool: Pool) => Promise<void> = async () => {},
): Promise<void> {
  const pool = new Pool({ connectionString: url, max: 4, application_name: `${schema}-migrate` });
  listenForErrors(pool, () => {});
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  try {
    await db.connection().execute(async (lock) => {
      await sql`select pg_advisory_lock(hashtext(${`vestibule migrations of ${schema}`}))`.execute(lock);
      try {
        await sql`create schema if not exists ${sql.id(schema)}`.execute(db);
        const migrator = new Migrator({ db: db.withSchema(schema), provider: { getMigrations: async () => migrations }, migrationTableSchema: schema });
        const { error } = await migrator.migrateToLatest();
        if (error !== undefined) throw new Error(`Migrating schema ${schema} failed`, { cause: error });
        await then(pool);
      } finally {
        await sql`select pg_advisory_unlock(hashtext(${`vestibule migrations of ${schema}`}))`.execute(lock);
      }
    });
  } finally {
    await db.destroy();
  }
}

// An error event that nobody listens to ends the process: idle connections break when Postgres restarts.
function listenForErrors(pool: Pool, onError: (error: Error) => void): void {
  pool.on('error', onError);
  pool.on('connect', (client) => client.on('error', onError));
}
