import { sql } from 'kysely';

/** Plans, what was charged for them, and invoices. */
export const BILLING_PLANS = [
  sql`create table bridge.billing_account (
    id uuid primary key default gen_random_uuid(),
    -- Whose it is; a server's moves to its only realm.
    realm_id uuid unique references bridge.remote_realm,
    server_id uuid unique references bridge.remote_server,
    legal_name text not null default '',
    postal_address text not null default '',
    vat_id text not null default '',
    purchase_order text not null default '',
    invoice_recipients jsonb not null default '[]',
    check (num_nonnulls(realm_id, server_id) = 1)
  )`,
  sql`create table bridge.billing_plan (
    id uuid primary key default gen_random_uuid(),
    account_id uuid not null references bridge.billing_account,
    type text not null check (type in ('community', 'basic', 'business', 'legacy')),
    state text not null check (state in ('scheduled', 'active', 'ended')),
    -- Of plans that cost something: months of a period, seats, and a seat's price without tax.
    months int,
    seats int,
    next_seats int,
    unit_price bigint,
    currency text not null,
    tax_basis_points int not null,
    -- Periods are counted from here, so that the 31st comes back after a short month.
    anchor timestamptz,
    periods int not null default 0,
    period_starts_at timestamptz,
    -- Null: open-ended, or not begun.
    period_ends_at timestamptz,
    renews boolean not null default true,
    reminded_for timestamptz,
    agreed_at timestamptz not null,
    ended_at timestamptz
  )`,
  sql`create unique index billing_plan_one_active on bridge.billing_plan (account_id) where state = 'active'`,
  sql`create unique index billing_plan_one_scheduled on bridge.billing_plan (account_id) where state = 'scheduled'`,
  sql`create index billing_plan_due on bridge.billing_plan (period_ends_at) where state = 'active'`,
  sql`create table bridge.billing_counter (name text primary key, value bigint not null)`,
  sql`insert into bridge.billing_counter values ('invoice', 0)`,
  sql`create table bridge.billing_invoice (
    number bigint primary key,
    account_id uuid not null references bridge.billing_account,
    issued_at timestamptz not null,
    due_at timestamptz not null,
    currency text not null,
    net bigint not null,
    tax bigint not null,
    total bigint not null,
    -- Seller, buyer and lines as they were.
    content jsonb not null,
    check (total = net + tax)
  )`,
  sql`create index on bridge.billing_invoice (account_id, number)`,
  sql`create table bridge.billing_ledger (
    id bigint generated always as identity primary key,
    account_id uuid not null references bridge.billing_account,
    plan_id uuid not null references bridge.billing_plan,
    invoice_number bigint not null references bridge.billing_invoice,
    kind text not null check (kind in ('period', 'seats', 'credit')),
    seats int not null,
    period_starts_at timestamptz not null,
    period_ends_at timestamptz not null,
    net bigint not null,
    tax bigint not null,
    total bigint not null,
    at timestamptz not null,
    check (total = net + tax)
  )`,
  sql`create index on bridge.billing_ledger (account_id, id)`,
  sql`create function bridge.refuse_change() returns trigger language plpgsql as $$
    begin raise exception '% is never changed', tg_table_name; end $$`,
  sql`create trigger billing_invoice_immutable before update or delete on bridge.billing_invoice for each row execute function bridge.refuse_change()`,
  sql`create trigger billing_ledger_immutable before update or delete on bridge.billing_ledger for each row execute function bridge.refuse_change()`,
  sql`create table bridge.sponsorship_request (
    id uuid primary key default gen_random_uuid(),
    account_id uuid not null references bridge.billing_account,
    user_id uuid not null references bridge.billing_user,
    organization_type text not null,
    website text not null,
    description text not null,
    expected_users text not null,
    paid_users text not null,
    requested_plan text not null,
    state text not null default 'pending' check (state in ('pending', 'granted', 'declined')),
    requested_at timestamptz not null,
    decided_at timestamptz
  )`,
  sql`create unique index sponsorship_one_pending on bridge.sponsorship_request (account_id) where state = 'pending'`,
];
