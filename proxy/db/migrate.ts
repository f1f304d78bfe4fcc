import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { migrateSchema } from '../../platform/database.ts';

const migrations: Record<string, Migration> = {
  '0001_session_and_login': {
    up: async (db: Kysely<unknown>) => {
      await db.schema
        .createTable('session')
        .addColumn('id_hash', 'bytea', (column) => column.primaryKey())
        .addColumn('sub', 'text', (column) => column.notNull())
        .addColumn('sid', 'text')
        .addColumn('email', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('roles', sql`text[]`, (column) => column.notNull())
        .addColumn('trial_app', 'text')
        .addColumn('trial_ends_at', 'timestamptz')
        .addColumn('trial_access_until', 'timestamptz')
        .addColumn('sealed_tokens', 'text', (column) => column.notNull())
        .addColumn('created_at', 'timestamptz', (column) => column.notNull())
        .addColumn('last_seen_at', 'timestamptz', (column) => column.notNull())
        .addColumn('ends_at', 'timestamptz', (column) => column.notNull())
        .execute();
      for (const column of ['sub', 'sid', 'ends_at', 'last_seen_at']) {
        await db.schema.createIndex(`session_${column}`).on('session').column(column).execute();
      }
      await db.schema
        .createTable('login_transaction')
        .addColumn('state_hash', 'bytea', (column) => column.primaryKey())
        .addColumn('id', 'text', (column) => column.notNull().unique())
        .addColumn('binding_hash', 'bytea', (column) => column.notNull())
        .addColumn('sealed', 'text', (column) => column.notNull())
        .addColumn('has_invitation', 'boolean', (column) => column.notNull())
        .addColumn('created_at', 'timestamptz', (column) => column.notNull())
        .addColumn('expires_at', 'timestamptz', (column) => column.notNull())
        .addColumn('used_at', 'timestamptz')
        .addColumn('sealed_other_person', 'text')
        .execute();
      await db.schema.createIndex('login_transaction_expires_at').on('login_transaction').column('expires_at').execute();
    },
  },
};

/** Brings schema `proxy` up to date; many replicas may call it at once. */
export function migrate(databaseUrl: string): Promise<void> {
  return migrateSchema(databaseUrl, 'proxy', migrations);
}
