import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { BILLING_PLANS } from './billing-plans.migration.ts';
import { ERASURE } from './erasure.migration.ts';
import { GIVEN_UP_LIVES } from './given-up-lives.migration.ts';
import { JOIN } from './join.migration.ts';
import { KEPT_LIVES } from './kept-lives.migration.ts';
import { REMOTE_BILLING } from './remote-billing.migration.ts';
import { TRIAL_LIFE } from './trial-life.migration.ts';
import { TELL_TRIAL, WEBHOOKS } from './webhooks.migration.ts';

/** Only ever added to (docs/operating.md, "Upgrading and going back"). Plain SQL: what stands here is what Postgres gets. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-free-trial': {
    up: (db) =>
      statements(db, [
        sql`create table bridge.sign_up_request (
          id uuid primary key default gen_random_uuid(),
          product text not null,
          address text not null,
          -- Stays when an erasure forgets the address, so that a second trial is a decision.
          address_hash bytea not null,
          locale text not null,
          first_name text,
          last_name text,
          company text,
          next_page text,
          attributes jsonb not null,
          consents jsonb not null,
          request_id text not null,
          requested_at timestamptz not null,
          result text
        )`,
        sql`create table bridge.mail (
          id uuid primary key default gen_random_uuid(),
          sign_up_request_id uuid not null references bridge.sign_up_request,
          kind text not null check (kind in ('invitation', 'welcome_back', 'trial_ended')),
          product text not null,
          address text not null,
          mailbox_hash bytea not null,
          locale text not null,
          state text not null default 'queued' check (state in ('queued', 'sent', 'failed')),
          queued_at timestamptz not null,
          sent_at timestamptz,
          failure text
        )`,
        sql`create index on bridge.mail (mailbox_hash, queued_at)`,
        sql`create table bridge.invitation (
          id uuid primary key default gen_random_uuid(),
          type text not null default 'TRIAL_VERIFICATION',
          token_hash bytea not null unique,
          product text not null,
          address text not null,
          mail_id uuid references bridge.mail,
          first_name text,
          last_name text,
          locale text not null,
          state text not null default 'issued' check (state in ('issued', 'reserved', 'spent', 'revoked')),
          attempt_id uuid,
          issued_at timestamptz not null,
          expires_at timestamptz not null,
          check ((state = 'reserved') <= (attempt_id is not null))
        )`,
        sql`create index on bridge.invitation (address, product)`,
        sql`create table bridge.registration (
          attempt_id uuid primary key,
          invitation_id uuid not null references bridge.invitation,
          product text not null,
          address text not null,
          user_id text not null,
          state text not null default 'pending' check (state in ('pending', 'confirmed', 'superseded', 'released')),
          -- The language of the reminders to come.
          locale text not null,
          trial_app_id uuid not null,
          trial_ends_at timestamptz not null,
          trial_access_until timestamptz not null,
          attempted_at timestamptz not null,
          absent_at timestamptz,
          looks int not null default 0,
          -- What Keycloak said, for the timeline of a trial: settled_at alone does not tell a rollback from silence.
          outcome text check (outcome in ('committed', 'rolled_back')),
          settled_at timestamptz
        )`,
        sql`create unique index registration_one_pending on bridge.registration (product, address) where state = 'pending'`,
        sql`create unique index registration_one_confirmed on bridge.registration (product, user_id) where state = 'confirmed'`,
        sql`create index on bridge.registration (user_id)`,
        sql`create index on bridge.registration (address, product)`,
        sql`create table bridge.trial (
          id uuid primary key default gen_random_uuid(),
          product text not null,
          user_id text not null,
          attempt_id uuid not null unique references bridge.registration,
          trial_ends_at timestamptz not null,
          trial_access_until timestamptz not null,
          unique (user_id, product)
        )`,
        sql`create table bridge.trial_app (
          id uuid primary key,
          trial_id uuid not null unique references bridge.trial on delete cascade,
          name text not null,
          path text not null
        )`,
        sql`create table bridge.trial_app_permission (
          trial_app_id uuid not null references bridge.trial_app on delete cascade,
          user_id text not null,
          permission text not null,
          primary key (trial_app_id, user_id, permission)
        )`,
        sql`create table bridge.not_me (
          token_hash bytea primary key,
          address text not null,
          mailbox_hash bytea not null,
          mail_id uuid not null references bridge.mail
        )`,
        sql`create table bridge.suppressed_mailbox (mailbox_hash bytea primary key, since timestamptz not null)`,
        // The columns that rate-limiter-flexible writes.
        sql`create table bridge.rate_limit (key varchar(255) primary key, points int not null default 0, expire bigint)`,
      ]),
  },
  '0002-accounts-made-by-programs': {
    up: (db) =>
      statements(db, [
        // The client that asked; null: Keycloak's own registration.
        sql`alter table bridge.registration add column made_by text`,
        // Keycloak names the user once it has made the account.
        sql`alter table bridge.registration alter column user_id drop not null`,
        sql`alter table bridge.registration add constraint registration_of_a_user
          check (user_id is not null or (made_by is not null and state <> 'confirmed'))`,
      ]),
  },
  '0003-trial-changes': {
    up: (db) =>
      statements(db, [
        sql`create sequence bridge.trial_change_version`,
        // The newest word about each person and product; null: no end any more.
        sql`create table bridge.trial_change (
          user_id text not null,
          product text not null,
          trial_ends_at timestamptz,
          trial_access_until timestamptz,
          version bigint not null unique,
          primary key (user_id, product)
        )`,
        // Deferred to the commit, one commit at a time: whoever has seen a version has seen all before it (docs/decisions/0024).
        sql`create function bridge.tell_trial() returns trigger language plpgsql as $$
          begin
            perform pg_advisory_xact_lock(hashtext('vestibule trial changes'));
            insert into bridge.trial_change values (new.user_id, new.product, new.trial_ends_at, new.trial_access_until, nextval('bridge.trial_change_version'))
            on conflict (user_id, product) do update
              set trial_ends_at = excluded.trial_ends_at, trial_access_until = excluded.trial_access_until, version = excluded.version;
            perform pg_notify('bridge_trial_change', '');
            return null;
          end $$`,
        sql`create constraint trigger tell_trial after insert or update of trial_ends_at, trial_access_until on bridge.trial
          deferrable initially deferred for each row execute function bridge.tell_trial()`,
        sql`insert into bridge.trial_change
          select user_id, product, trial_ends_at, trial_access_until, nextval('bridge.trial_change_version') from bridge.trial`,
      ]),
  },
  '0004-remote-billing': { up: (db) => statements(db, REMOTE_BILLING) },
  '0005-billing-plans': { up: (db) => statements(db, BILLING_PLANS) },
  '0006-billing-support': {
    up: (db) =>
      statements(db, [
        // What support searches by, and what it ends.
        sql`create index on bridge.billing_user (email)`,
        sql`create index on bridge.billing_user (user_uuid)`,
        sql`create index on bridge.billing_session (realm_id)`,
      ]),
  },
  '0007-trial-life': { up: (db) => statements(db, TRIAL_LIFE) },
  '0008-what-people-gave': {
    up: (db) =>
      statements(db, [
        // Of what a product asks besides the address, by the attempt that made the account; personal data, gone with it.
        sql`create table bridge.given_attribute (
          attempt_id uuid not null references bridge.registration on delete cascade,
          attribute text not null,
          value text not null,
          given_at timestamptz not null,
          step text not null check (step in ('sign_up', 'registration_form', 'program')),
          primary key (attempt_id, attribute)
        )`,
        sql`create table bridge.given_consent (
          attempt_id uuid not null references bridge.registration on delete cascade,
          consent text not null,
          version text not null,
          given_at timestamptz not null,
          step text not null check (step in ('sign_up', 'registration_form', 'program')),
          primary key (attempt_id, consent)
        )`,
      ]),
  },
  '0009-webhooks': { up: (db) => statements(db, WEBHOOKS) },
  '0010-embeds': {
    up: (db) =>
      statements(db, [
        // Tokens carry it: what was framed before a revocation is over.
        sql`alter table bridge.trial_app add column embed_generation int not null default 1`,
      ]),
  },
  '0011-erasure': { up: (db) => statements(db, ERASURE) },
  '0013-first-looks': {
    up: (db) =>
      statements(db, [
        // Of real time: when a job is to ask Keycloak what came of the attempt. Null: one is queued, or nobody needs to.
        sql`alter table bridge.registration add column first_look_at timestamptz`,
        sql`create index registration_first_look on bridge.registration (first_look_at) where first_look_at is not null`,
        // As before, but a trial that begins rings no bell: nobody has a session yet, and it is told with the next look.
        TELL_TRIAL,
      ]),
  },
  '0014-joins': { up: (db) => statements(db, JOIN) },
  '0015-given-up-lives': { up: (db) => statements(db, GIVEN_UP_LIVES) },
  '0016-books-are-not-emptied': {
    up: (db) =>
      statements(db, [
        // Triggers for each row are not asked by a truncate.
        sql`create trigger billing_invoice_not_emptied before truncate on bridge.billing_invoice for each statement execute function bridge.refuse_change()`,
        sql`create trigger billing_ledger_not_emptied before truncate on bridge.billing_ledger for each statement execute function bridge.refuse_change()`,
      ]),
  },
  '0017-kept-lives': { up: (db) => statements(db, KEPT_LIVES) },
};

async function statements(db: Kysely<unknown>, all: readonly ReturnType<typeof sql>[]): Promise<void> {
  for (const one of all) await one.execute(db);
}
