import { sql } from 'kysely';

/** What Keycloak was told of follows the products file, and no trial is left without its next turn (docs/decisions/0061). */
export const KEPT_LIVES = [
  // The clients that stamps name, by the replica that was started last.
  sql`create table bridge.product_clients (
    product text primary key,
    clients text[] not null,
    -- Real time.
    changed_at timestamptz not null,
    -- Whether every trial that had begun by then is to be stamped again already.
    told boolean not null
  )`,
  // While replicas are replaced, one of before may stamp a trial that begins: it is stamped once more.
  sql`create function bridge.begun_while_clients_change() returns trigger language plpgsql as $$
    begin
      -- Whoever changes them waits for what has begun, and what begins later sees the change.
      perform pg_advisory_xact_lock_shared(hashtext('vestibule product clients'));
      if exists (select from bridge.product_clients where product = new.product and changed_at > now() - interval '1 hour') then
        new.version := new.version + 1;
        perform graphile_worker.add_job('keep_life', payload => json_build_object('life_id', new.id), job_key => 'keep:' || new.id,
          run_at => now() + interval '5 seconds', queue_name => 'keep_life');
      end if;
      return new;
    end $$`,
  sql`create trigger begun_while_clients_change before insert or update of user_id on bridge.life for each row
    when (new.user_id is not null) execute function bridge.begun_while_clients_change()`,
  // Under its row's lock, so that apps hear of it in its place (docs/decisions/0049).
  sql`create or replace function bridge.registration_confirmed() returns trigger language plpgsql as $$
    declare
      confirmed record;
    begin
      select id, state into confirmed from bridge.life where user_id = new.user_id and product = new.product for no key update;
      if confirmed.id is null then
        return null;
      end if;
      insert into bridge.life_event (life_id, at, kind, from_state, to_state, actor, request_id)
      values (confirmed.id, coalesce(new.settled_at, new.attempted_at), 'confirmed', confirmed.state, confirmed.state, 'keycloak', new.request_id);
      return null;
    end $$`,
  // Of a product that was missing from the products file of one replica for a while.
  sql`update bridge.life set next_deadline = began_at
    where next_deadline is null and user_id is not null and erase_asked_at is null and state in ('active', 'ending', 'grace')`,
];
