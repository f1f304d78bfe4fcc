import { sql } from 'kysely';

/** What an erasure leaves of a trial, and what is counted by day (docs/decisions/0051). */
export const ERASURE = [
  // From this moment on the trial is over and nobody acts on it; `erased_at` is when nothing was left to do.
  sql`alter table bridge.life add column erase_asked_at timestamptz`,
  // Keyed: that this address had a trial of the product is known to whoever asks with it, and can't be read out.
  sql`alter table bridge.life add column address_hash bytea`,
  // A second trial for an erased address is a decision; this is it.
  sql`alter table bridge.life add column second_allowed_at timestamptz`,
  sql`alter table bridge.life add constraint life_forgotten check (erased_at is null or (address is null and user_id is null and address_hash is not null))`,
  sql`create index on bridge.life (address_hash) where address_hash is not null`,
  sql`create index on bridge.life (erase_asked_at) where erase_asked_at is not null and erased_at is null`,
  sql`create index life_event_funnel on bridge.life_event (life_id, kind) where kind in ('link_opened', 'registered', 'released', 'signed_in', 'converted')`,
];
