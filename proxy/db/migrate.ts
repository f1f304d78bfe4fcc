import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { migrateSchema } from '../../platform/database.ts';

/** Only ever added to (docs/operating.md, "Upgrading and going back"). */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
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
  '0002_live_sessions': {
    up: async (db: Kysely<unknown>) => {
      await db.schema
        .alterTable('session')
        .addColumn('site', 'text', (column) => column.notNull().defaultTo(''))
        .addColumn('groups', sql`text[]`, (column) => column.notNull().defaultTo(sql`'{}'`))
        .addColumn('absolute_end_at', 'timestamptz')
        .addColumn('refresh_due_at', 'timestamptz')
        .addColumn('refresh_lease_until', 'timestamptz')
        .execute();
      await sql`update proxy.session set absolute_end_at = ends_at`.execute(db);
      await sql`alter table proxy.session alter column absolute_end_at set not null`.execute(db);
      // Told by the database itself, so that no statement can forget to: not for last_seen_at and the lease.
      await sql`
        create function proxy.tell_session() returns trigger language plpgsql as $$
        begin
          perform pg_notify('proxy_session', encode(old.id_hash, 'base64'));
          return null;
        end $$`.execute(db);
      await sql`
        create trigger tell_session after delete or update of
          site, sub, sid, email, name, roles, groups, trial_app, trial_ends_at, trial_access_until, ends_at, absolute_end_at, refresh_due_at
        on proxy.session for each row execute function proxy.tell_session()`.execute(db);
      // A logout that comes before the session it ends is stored must win (SECURITY.md 23).
      await db.schema
        .createTable('ended_login')
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('ended_at', 'timestamptz', (column) => column.notNull())
        .addPrimaryKeyConstraint('ended_login_pkey', ['kind', 'name'])
        .execute();
      await db.schema
        .createTable('logout_token')
        .addColumn('jti', 'text', (column) => column.primaryKey())
        .addColumn('expires_at', 'timestamptz', (column) => column.notNull())
        .execute();
    },
  },
  '0003_kept_claims': {
    up: async (db: Kysely<unknown>) => {
      await db.schema.alterTable('session').addColumn('claims', 'jsonb').execute();
      await sql`create trigger tell_session_claims after update of claims on proxy.session for each row execute function proxy.tell_session()`.execute(db);
    },
  },
  '0004_trial_ends': {
    up: async (db: Kysely<unknown>) => {
      await db.schema
        .createTable('trial_end')
        .addColumn('user_id', 'text', (column) => column.notNull())
        .addColumn('product', 'text', (column) => column.notNull())
        .addColumn('trial_ends_at', 'timestamptz')
        .addColumn('trial_access_until', 'timestamptz')
        .addColumn('version', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('trial_end_pkey', ['user_id', 'product'])
        .execute();
      await db.schema.createIndex('trial_end_version').on('trial_end').column('version').execute();
      // Rows of an older release that runs beside this one have none.
      await db.schema.alterTable('session').addColumn('end_without_trial_at', 'timestamptz').execute();
    },
  },
  '0005_preparing': {
    up: async (db: Kysely<unknown>) => {
      await db.schema.alterTable('trial_end').addColumn('ready', 'boolean', (column) => column.notNull().defaultTo(true)).execute();
      await db.schema.alterTable('session').addColumn('preparing', 'boolean', (column) => column.notNull().defaultTo(false)).execute();
      await sql`create trigger tell_session_preparing after update of preparing on proxy.session for each row execute function proxy.tell_session()`.execute(db);
    },
  },
  '0006_embeds': {
    up: async (db: Kysely<unknown>) => {
      await db.schema
        .createTable('embed_session')
        .addColumn('id_hash', 'bytea', (column) => column.primaryKey())
        .addColumn('token_id', 'text', (column) => column.notNull().unique())
        .addColumn('app', 'text', (column) => column.notNull())
        .addColumn('user_id', 'text', (column) => column.notNull())
        .addColumn('origin', 'text', (column) => column.notNull())
        .addColumn('generation', 'integer', (column) => column.notNull())
        .addColumn('ends_at', 'timestamptz', (column) => column.notNull())
        .execute();
      await db.schema.createIndex('embed_session_ends_at').on('embed_session').column('ends_at').execute();
    },
  },
  '0007_touches_in_place': {
    up: async (db: Kysely<unknown>) => {
      // With it each touch wrote every index of the row anew; the sweep, which alone read it, looks at all rows every five minutes.
      await db.schema.dropIndex('session_last_seen_at').ifExists().execute();
      await sql`alter table proxy.session set (fillfactor = 85)`.execute(db);
    },
  },
  '0008_whose_and_by_whom': {
    up: async (db: Kysely<unknown>) => {
      // Rows of an older release have none, also while it runs beside this one.
      await db.schema.alterTable('session').addColumn('issuer', 'text').addColumn('client_id', 'text').execute();
      await db.schema.alterTable('login_transaction').addColumn('begun_by', 'bytea').execute();
      await db.schema.createIndex('login_transaction_begun_by').on('login_transaction').columns(['begun_by', 'created_at']).where(sql.ref('used_at'), 'is', null).execute();
    },
  },
};

/** Brings schema `proxy` up to date; many replicas may call it at once. Answers with migrations of a newer release. */
export function migrate(databaseUrl: string): Promise<readonly string[]> {
  return migrateSchema(databaseUrl, 'proxy', MIGRATIONS);
}
