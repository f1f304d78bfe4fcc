import { sql } from 'kysely';

/** Self-hosted servers, who may sign in to their billing, and what they were sent. */
export const REMOTE_BILLING = [
  sql`create table bridge.remote_server (
    -- Zulip's zulip_org_id.
    id uuid primary key,
    key_hash bytea not null,
    -- Rises with the key: tokens, links and sessions of an older one are over.
    key_generation int not null default 1,
    hostname text not null,
    hostname_verified_at timestamptz,
    contact_email text not null,
    plan_type text not null default 'free',
    version text,
    last_realm_count_id bigint not null default 0,
    last_installation_count_id bigint not null default 0,
    last_realmauditlog_id bigint not null default 0,
    registered_at timestamptz not null,
    last_request_at timestamptz not null,
    deactivated_at timestamptz
  )`,
  sql`create unique index remote_server_one_per_hostname on bridge.remote_server (hostname) where deactivated_at is null`,
  sql`create table bridge.remote_realm (
    id uuid primary key,
    server_id uuid not null references bridge.remote_server,
    -- Kept from its first sight on: knowing the id of a realm is not owning it.
    owner_secret_hash bytea not null,
    -- The server's own number for it, which its reports of seats use.
    local_id bigint not null,
    host text not null,
    url text not null,
    name text not null,
    org_type int not null,
    date_created timestamptz not null,
    authentication_methods jsonb not null,
    is_system_bot_realm boolean not null,
    deactivated boolean not null,
    locally_deleted_at timestamptz,
    registration_deactivated_at timestamptz,
    plan_type text not null default 'free',
    seats int,
    seats_reported_at timestamptz,
    first_seen_at timestamptz not null
  )`,
  sql`create index on bridge.remote_realm (server_id)`,
  sql`create table bridge.billing_user (
    id uuid primary key default gen_random_uuid(),
    realm_id uuid references bridge.remote_realm,
    -- What the server calls the person; a whole server's people are known by their address.
    user_uuid uuid,
    server_id uuid references bridge.remote_server,
    email text not null,
    full_name text not null,
    state text not null default 'pending' check (state in ('pending', 'confirmed', 'deactivated')),
    date_joined timestamptz not null,
    last_login timestamptz,
    tos_version text,
    major_release_mails boolean not null default false,
    maintenance_release_mails boolean not null default false,
    check (num_nonnulls(realm_id, server_id) = 1),
    check ((realm_id is null) = (user_uuid is null)),
    unique (realm_id, user_uuid),
    unique (server_id, email)
  )`,
  sql`create table bridge.billing_login_request (
    id uuid primary key default gen_random_uuid(),
    server_id uuid not null references bridge.remote_server,
    realm_id uuid references bridge.remote_realm,
    user_uuid uuid,
    key_generation int not null,
    full_name text not null,
    email text not null,
    mailbox_hash bytea not null,
    client_hash text not null,
    uri_scheme text not null,
    next_page text,
    requested_at timestamptz not null,
    -- The login that its link led to.
    completed_at timestamptz,
    revoked_at timestamptz
  )`,
  sql`create index on bridge.billing_login_request (client_hash, requested_at)`,
  sql`create index on bridge.billing_login_request (server_id, requested_at)`,
  sql`create index on bridge.billing_login_request (mailbox_hash, requested_at)`,
  sql`create table bridge.billing_mail (
    id uuid primary key default gen_random_uuid(),
    kind text not null,
    login_request_id uuid references bridge.billing_login_request,
    address text not null,
    mailbox_hash bytea not null,
    locale text not null,
    -- What the template fills in besides links.
    content jsonb not null,
    request_id text not null,
    state text not null default 'queued' check (state in ('queued', 'sent', 'failed')),
    queued_at timestamptz not null,
    sent_at timestamptz,
    failure text
  )`,
  sql`create index on bridge.billing_mail (mailbox_hash, queued_at)`,
  sql`create table bridge.billing_mail_token (
    token_hash bytea primary key,
    mail_id uuid not null references bridge.billing_mail,
    purpose text not null check (purpose in ('confirmation', 'not_me')),
    expires_at timestamptz
  )`,
  sql`create table bridge.billing_session (
    id uuid primary key default gen_random_uuid(),
    -- The jti of the token that it spent.
    token_id uuid not null unique,
    -- Of the browser that posted the form: the same post again gets the same session.
    attempt_hash bytea not null,
    user_id uuid not null references bridge.billing_user,
    server_id uuid not null references bridge.remote_server,
    realm_id uuid references bridge.remote_realm,
    uri_scheme text not null,
    next_page text,
    authenticated_at timestamptz not null,
    ends_at timestamptz not null,
    ended_at timestamptz
  )`,
  sql`create index on bridge.billing_session (user_id)`,
  sql`create index on bridge.billing_session (server_id)`,
  sql`create table bridge.billing_consent (
    id bigint generated always as identity primary key,
    user_id uuid not null references bridge.billing_user,
    version text not null,
    email text not null,
    client_address text not null,
    ticked_at timestamptz not null
  )`,
  sql`create table bridge.billing_audit (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    act text not null,
    actor_kind text not null check (actor_kind in ('server', 'user', 'staff', 'person', 'system')),
    -- Of a server, a billing user or a member of staff; a person is not known yet.
    actor_id text,
    server_id uuid,
    realm_id uuid,
    user_id uuid,
    client_address text,
    request_id text not null,
    details jsonb not null
  )`,
  sql`create index on bridge.billing_audit (server_id, at)`,
  sql`create index on bridge.billing_audit (realm_id, at)`,
];
