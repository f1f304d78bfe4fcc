import { sql } from 'kysely';

/** A trial's whole life: one row from its invitation on, and everything that happened to it (docs/trial-life.md). */
export const TRIAL_LIFE = [
  sql`create table bridge.life (
    id uuid primary key default gen_random_uuid(),
    product text not null,
    -- Null once erased.
    address text,
    locale text not null,
    state text not null default 'invited' check (state in ('invited', 'active', 'ending', 'grace', 'expired', 'converted', 'revoked')),
    -- Whose trial row it goes with; null while invited.
    user_id text,
    plan text,
    rehearsal boolean not null default false,
    -- Rises with every change; Keycloak's stamp carries it, so that a late write changes nothing.
    version bigint not null default 0,
    kept_version bigint not null default 0,
    reminded_at timestamptz,
    -- When the sweep looks next; null: never again by itself.
    next_deadline timestamptz,
    began_at timestamptz not null,
    erased_at timestamptz
  )`,
  sql`create unique index life_of_user on bridge.life (user_id, product) where user_id is not null`,
  sql`create index on bridge.life (product, address)`,
  sql`create index on bridge.life (next_deadline) where next_deadline is not null`,
  sql`create index on bridge.life (began_at, id)`,
  // What is searched by.
  sql`create index on bridge.life (address text_pattern_ops)`,
  sql`create index on bridge.life (reverse(address) text_pattern_ops)`,
  sql`create table bridge.life_event (
    id bigint generated always as identity primary key,
    life_id uuid not null references bridge.life,
    at timestamptz not null,
    kind text not null,
    from_state text,
    to_state text,
    -- 'person', 'keycloak', 'sweep', 'staff:<sub>', 'client:<id>'
    actor text not null,
    reason text,
    request_id text,
    idempotency_key text,
    -- Never an address, a name or a token: it stays when a person is erased.
    detail jsonb not null default '{}'
  )`,
  sql`create index on bridge.life_event (life_id, id)`,
  sql`create unique index life_event_once on bridge.life_event (life_id, idempotency_key) where idempotency_key is not null`,
  sql`alter table bridge.invitation add column life_id uuid references bridge.life`,
  sql`create index on bridge.invitation (life_id)`,
  sql`alter table bridge.mail add column life_id uuid references bridge.life`,
  sql`create index on bridge.mail (life_id)`,
  sql`alter table bridge.mail alter column sign_up_request_id drop not null`,
  sql`alter table bridge.mail drop constraint mail_kind_check`,
  sql`alter table bridge.mail add constraint mail_kind_check check (kind in (
    'invitation', 'welcome_back', 'trial_ended', 'trial_reminder', 'trial_grace', 'trial_over', 'trial_extended', 'trial_converted'))`,
  sql`alter table bridge.mail add constraint mail_about_something check (sign_up_request_id is not null or life_id is not null)`,
  sql`create index on bridge.sign_up_request (address, product)`,
  // A converted trial has no end any more.
  sql`alter table bridge.trial alter column trial_ends_at drop not null`,
  sql`alter table bridge.trial alter column trial_access_until drop not null`,
  sql`alter table bridge.trial add constraint trial_ends_whole check ((trial_ends_at is null) = (trial_access_until is null))`,
  // Whichever way a trial row comes and goes, its life follows (docs/decisions/0045).
  sql`create function bridge.trial_begins() returns trigger language plpgsql as $$
    declare
      attempt record;
      begun uuid;
    begin
      select registration.address, registration.locale, registration.attempted_at, registration.made_by, invitation.life_id into attempt
        from bridge.registration left join bridge.invitation on invitation.id = registration.invitation_id
        where registration.attempt_id = new.attempt_id;
      update bridge.life
        set state = 'active', user_id = new.user_id, version = version + 1, kept_version = version + 1, reminded_at = attempt.attempted_at, next_deadline = attempt.attempted_at
        where id = attempt.life_id and state = 'invited' returning id into begun;
      if begun is null then
        insert into bridge.life (product, address, locale, state, user_id, version, kept_version, reminded_at, next_deadline, began_at)
        values (new.product, attempt.address, attempt.locale, 'active', new.user_id, 1, 1, attempt.attempted_at, attempt.attempted_at, attempt.attempted_at)
        returning id into begun;
      end if;
      insert into bridge.life_event (life_id, at, kind, from_state, to_state, actor)
      values (begun, attempt.attempted_at, 'registered', 'invited', 'active', coalesce('client:' || attempt.made_by, 'person'));
      return null;
    end $$`,
  sql`create trigger trial_begins after insert on bridge.trial for each row execute function bridge.trial_begins()`,
  sql`create function bridge.trial_released() returns trigger language plpgsql as $$
    declare
      settled timestamptz;
      freed uuid;
    begin
      select coalesce(settled_at, attempted_at) into settled from bridge.registration where attempt_id = old.attempt_id;
      update bridge.life set state = 'invited', user_id = null, version = version + 1, next_deadline = null
        where user_id = old.user_id and product = old.product and state = 'active' returning id into freed;
      if freed is not null then
        insert into bridge.life_event (life_id, at, kind, from_state, to_state, actor) values (freed, settled, 'released', 'active', 'invited', 'keycloak');
      end if;
      return null;
    end $$`,
  sql`create trigger trial_released after delete on bridge.trial for each row execute function bridge.trial_released()`,
  sql`create function bridge.registration_confirmed() returns trigger language plpgsql as $$
    begin
      insert into bridge.life_event (life_id, at, kind, from_state, to_state, actor)
      select id, coalesce(new.settled_at, new.attempted_at), 'confirmed', state, state, 'keycloak'
      from bridge.life where user_id = new.user_id and product = new.product;
      return null;
    end $$`,
  sql`create trigger registration_confirmed after update of state on bridge.registration for each row
    when (new.state = 'confirmed' and old.state <> 'confirmed') execute function bridge.registration_confirmed()`,
  // Whoever was over before is told nothing by an upgrade.
  sql`insert into bridge.life (product, address, locale, state, user_id, version, kept_version, reminded_at, next_deadline, began_at)
    select trial.product, address, locale, seen.state, trial.user_id, 1, 1, now(), case seen.state when 'expired' then null else now() end, attempted_at
    from bridge.trial join bridge.registration using (attempt_id),
      lateral (select case when trial.trial_access_until <= now() then 'expired' when trial.trial_ends_at <= now() then 'grace' else 'active' end as state) as seen`,
  sql`insert into bridge.life (product, address, locale, began_at)
    select product, address, min(locale), min(issued_at) from bridge.invitation where state = 'issued' group by product, address`,
  sql`update bridge.invitation set life_id = life.id from bridge.life
    where life.state = 'invited' and life.product = invitation.product and life.address = invitation.address and invitation.state = 'issued'`,
];
