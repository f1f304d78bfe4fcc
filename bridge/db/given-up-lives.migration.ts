import { sql } from 'kysely';

/**
 * Whatever a manager decided about a registration that was still open, its life goes on when it comes to nothing, and when it
 * comes through after all; and an erasure leaves no id behind (docs/decisions/0057).
 */
export const GIVEN_UP_LIVES = [
  // Of the creation, for the timeline and for apps: the trigger that writes the event knows no request.
  sql`alter table bridge.registration add column request_id text`,
  // Of the act that it tells about; null where a sign-up request has it, or time alone sent it.
  sql`alter table bridge.mail add column request_id text`,
  // The erasure after which nobody needs this word for long.
  sql`alter table bridge.trial_change add column forgotten_by uuid references bridge.life`,
  sql`create index on bridge.trial_change (forgotten_by) where forgotten_by is not null`,
  // Nobody real is ever marked: a rehearsal has an address that rehearsals make.
  sql`alter table bridge.life add constraint life_rehearsal check (not rehearsal or address is null or address like '%+rehearsal-%@%')`,
  sql`create index on bridge.life (id) where rehearsal`,
  // A decision of these stays, the rest begins anew; what is being erased is left alone.
  sql`update bridge.life set user_id = null, version = version + 1, next_deadline = null, state = case when state in ('revoked', 'converted') then state else 'invited' end
    where user_id is not null and erase_asked_at is null and not exists (select from bridge.trial where trial.user_id = life.user_id and trial.product = life.product)`,
  sql`create or replace function bridge.trial_begins() returns trigger language plpgsql as $$
    declare
      attempt record;
      taken record;
      ends timestamptz;
    begin
      select registration.address, registration.locale, registration.attempted_at, registration.made_by, registration.request_id, invitation.life_id into attempt
        from bridge.registration left join bridge.invitation on invitation.id = registration.invitation_id
        where registration.attempt_id = new.attempt_id;
      select id, state, version into taken from bridge.life where user_id = new.user_id and product = new.product and erase_asked_at is null for no key update;
      if taken.id is null then
        select id, state, version into taken from bridge.life where id = attempt.life_id and user_id is null and erase_asked_at is null for no key update;
      end if;
      if taken.id is null then
        -- Beyond every version that this person's stamp may have of a life that is another's by now.
        insert into bridge.life (product, address, locale, state, user_id, version, kept_version, reminded_at, next_deadline, began_at)
        select new.product, attempt.address, attempt.locale, 'active', new.user_id, before.version + 1, case before.version when 0 then 1 else 0 end,
            attempt.attempted_at, attempt.attempted_at, attempt.attempted_at
          from (select coalesce(max(version), 0) as version from bridge.life where product = new.product and address = attempt.address) as before
        returning id, 'invited' as state, version - 1 as version into taken;
      elsif taken.state in ('revoked', 'converted') then
        -- What was decided before the account was there holds for it, too.
        if taken.state = 'revoked' then
          select date_trunc('second', max(at)) into ends from bridge.life_event where life_id = taken.id and kind = 'revoked';
        end if;
        update bridge.trial set trial_ends_at = case taken.state when 'revoked' then least(trial_ends_at, ends) end,
            trial_access_until = case taken.state when 'revoked' then least(trial_access_until, ends) end
          where id = new.id;
        update bridge.life set user_id = new.user_id, version = version + 1 where id = taken.id;
      else
        update bridge.life
          set state = 'active', user_id = new.user_id, version = version + 1, kept_version = case version when 0 then 1 else kept_version end,
            reminded_at = attempt.attempted_at, next_deadline = attempt.attempted_at
          where id = taken.id;
      end if;
      -- The first attempt's stamp is what its creation answers; after it Keycloak may hold what was decided about an earlier one.
      if taken.version > 0 then
        perform graphile_worker.add_job('keep_life', payload => json_build_object('life_id', taken.id), job_key => 'keep:' || taken.id,
          run_at => now() + interval '5 seconds', queue_name => 'keep_life');
      end if;
      insert into bridge.life_event (life_id, at, kind, from_state, to_state, actor, request_id)
      values (taken.id, attempt.attempted_at, 'registered', taken.state, case when taken.state in ('revoked', 'converted') then taken.state else 'active' end,
        coalesce('client:' || attempt.made_by, 'person'), attempt.request_id);
      return null;
    end $$`,
  sql`create or replace function bridge.trial_released() returns trigger language plpgsql as $$
    declare
      attempt record;
      freed record;
    begin
      -- An erasure takes the trial away as well, and tells it otherwise.
      select id, state into freed from bridge.life where user_id = old.user_id and product = old.product and erase_asked_at is null for no key update;
      if freed.id is null then
        return null;
      end if;
      select coalesce(settled_at, attempted_at) as settled, request_id into attempt from bridge.registration where attempt_id = old.attempt_id;
      update bridge.life set user_id = null, version = version + 1, next_deadline = null, state = case when state in ('revoked', 'converted') then state else 'invited' end where id = freed.id;
      insert into bridge.life_event (life_id, at, kind, from_state, to_state, actor, request_id)
      values (freed.id, attempt.settled, 'released', freed.state, case when freed.state in ('revoked', 'converted') then freed.state else 'invited' end, 'keycloak', attempt.request_id);
      return null;
    end $$`,
  sql`create or replace function bridge.registration_confirmed() returns trigger language plpgsql as $$
    begin
      insert into bridge.life_event (life_id, at, kind, from_state, to_state, actor, request_id)
      select id, coalesce(new.settled_at, new.attempted_at), 'confirmed', state, state, 'keycloak', new.request_id
      from bridge.life where user_id = new.user_id and product = new.product;
      return null;
    end $$`,
  // A person who comes again is not forgotten any more.
  sql`create or replace function bridge.tell_trial() returns trigger language plpgsql as $$
    begin
      perform pg_advisory_xact_lock(hashtext('vestibule trial changes'));
      insert into bridge.trial_change (user_id, product, trial_ends_at, trial_access_until, version, ready)
      values (new.user_id, new.product, new.trial_ends_at, new.trial_access_until, nextval('bridge.trial_change_version'), new.ready)
      on conflict (user_id, product) do update
        set trial_ends_at = excluded.trial_ends_at, trial_access_until = excluded.trial_access_until, version = excluded.version, ready = excluded.ready, forgotten_by = null;
      if tg_op = 'UPDATE' then
        perform pg_notify('bridge_trial_change', '');
      end if;
      return null;
    end $$`,
];
