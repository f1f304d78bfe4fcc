import { sql } from 'kysely';

/**
 * Tells the proxies. A trial that begins rings no bell, because nobody has a session yet: it is told with the next look. One whose
 * app has still to make a workspace does, by the update that says so.
 */
export const TELL_TRIAL = sql`create or replace function bridge.tell_trial() returns trigger language plpgsql as $$
  begin
    perform pg_advisory_xact_lock(hashtext('vestibule trial changes'));
    insert into bridge.trial_change (user_id, product, trial_ends_at, trial_access_until, version, ready)
    values (new.user_id, new.product, new.trial_ends_at, new.trial_access_until, nextval('bridge.trial_change_version'), new.ready)
    on conflict (user_id, product) do update
      set trial_ends_at = excluded.trial_ends_at, trial_access_until = excluded.trial_access_until, version = excluded.version, ready = excluded.ready;
    if tg_op = 'UPDATE' then
      perform pg_notify('bridge_trial_change', '');
    end if;
    return null;
  end $$`;

/** What apps are told, and whether they have answered (docs/webhooks.md). */
export const WEBHOOKS = [
  // Which product's app is told of which kind of event: written from products.yaml at each start.
  sql`create table bridge.webhook_subscription (
    product text not null,
    kind text not null,
    -- Nobody is let into the app before it has answered this one.
    waits boolean not null,
    primary key (product, kind)
  )`,
  sql`create table bridge.webhook (
    event_id bigint primary key references bridge.life_event,
    -- The same however often it is sent.
    message_id uuid not null default gen_random_uuid(),
    life_id uuid not null references bridge.life,
    product text not null,
    kind text not null,
    -- The trial as it was when it happened. The address is read when it is sent, so that an erasure reaches what waits.
    state text not null,
    user_id text,
    trial_app_id uuid,
    plan text,
    trial_ends_at timestamptz,
    trial_access_until timestamptz,
    delivery text not null default 'waiting' check (delivery in ('waiting', 'delivered', 'dead', 'skipped')),
    tries int not null default 0,
    -- Real time, as all that is about sending.
    added_at timestamptz not null default now(),
    -- While it is being sent: when another may.
    next_try_at timestamptz not null default now(),
    failure text,
    delivered_at timestamptz
  )`,
  sql`create index on bridge.webhook (life_id, event_id)`,
  sql`create index webhook_held on bridge.webhook (life_id, event_id) where delivery in ('waiting', 'dead')`,
  sql`create index webhook_due on bridge.webhook (product, next_try_at) where delivery = 'waiting'`,
  sql`create index webhook_dead on bridge.webhook (product) where delivery = 'dead'`,
  // Whether the app has made what its person comes for. Told to the proxies with the trial's end.
  sql`alter table bridge.trial add column ready boolean not null default true`,
  sql`alter table bridge.trial_change add column ready boolean not null default true`,
  TELL_TRIAL,
  sql`create constraint trigger tell_trial_ready after update of ready on bridge.trial
    deferrable initially deferred for each row execute function bridge.tell_trial()`,
  // In the transaction of the event, whoever wrote it (docs/decisions/0049).
  sql`create function bridge.tell_app() returns trigger language plpgsql as $$
    declare
      told record;
    begin
      select life.id, life.product, life.state, life.plan, subscription.waits, trial.id as trial_id, trial.trial_ends_at, trial.trial_access_until, trial_app.id as trial_app_id,
          -- Who it was, of somebody who is gone by now.
          coalesce(life.user_id, (select before.user_id from bridge.webhook before where before.life_id = life.id and before.user_id is not null order by before.event_id desc limit 1)) as user_id
        into told
        from bridge.life
        join bridge.webhook_subscription subscription on subscription.product = life.product and subscription.kind = new.kind
        left join bridge.trial on trial.user_id = life.user_id and trial.product = life.product
        left join bridge.trial_app on trial_app.trial_id = trial.id
        where life.id = new.life_id;
      if not found then
        -- An app that nobody tells any more.
        if new.kind = 'erased' then
          update bridge.webhook set user_id = null where life_id = new.life_id;
        end if;
        return null;
      end if;
      insert into bridge.webhook (event_id, life_id, product, kind, state, user_id, trial_app_id, plan, trial_ends_at, trial_access_until)
      values (new.id, told.id, told.product, new.kind, coalesce(new.to_state, told.state), told.user_id, told.trial_app_id, told.plan, told.trial_ends_at, told.trial_access_until);
      if told.waits then
        update bridge.trial set ready = false where id = told.trial_id;
      end if;
      return null;
    end $$`,
  sql`create trigger tell_app after insert on bridge.life_event for each row execute function bridge.tell_app()`,
];
