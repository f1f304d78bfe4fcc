import type { ColumnType, Generated } from 'kysely';
import type { LifeEventKind } from '../life/event.store.ts';
import type { LifeState } from '../life/transitions.ts';

/** Row types of a trial's life. Instants are domain time. */
export interface TrialLifeSchema {
  'bridge.life': LifeTable;
  'bridge.life_event': LifeEventTable;
  'bridge.product_clients': ProductClientsTable;
}

/** One trial, from its invitation on. Its ends stand in bridge.trial, which has the same user and product. */
export interface LifeTable {
  id: Generated<string>;
  product: string;
  /** Null once erased. */
  address: string | null;
  locale: string;
  state: Generated<LifeState>;
  /** Null while invited. */
  user_id: string | null;
  plan: string | null;
  rehearsal: Generated<boolean>;
  /** Rises with every change; a number of Postgres that JavaScript gets as text. */
  version: Generated<string>;
  /** What Keycloak is known to hold. */
  kept_version: Generated<string>;
  /** Reminders up to this instant are dealt with. */
  reminded_at: Date | null;
  /** When the sweep looks next; null: never again by itself. */
  next_deadline: Date | null;
  began_at: Date;
  /** From here on the trial is over and nobody acts on it. */
  erase_asked_at: Date | null;
  erased_at: Date | null;
  /** Keyed; from the moment that erasure was asked for. */
  address_hash: Buffer | null;
  /** Staff decided that the erased address may have a trial again. */
  second_allowed_at: Date | null;
}

/** The clients that stamps name, as the replica that was started last has them. */
export interface ProductClientsTable {
  product: string;
  /** Sorted. */
  clients: string[];
  /** Real time. */
  changed_at: Date;
  /** Whether every trial that had begun by then is to be stamped again already. */
  told: boolean;
}

/** Timeline and audit of a life. */
export interface LifeEventTable {
  id: Generated<string>;
  life_id: string;
  at: Date;
  kind: LifeEventKind;
  from_state: LifeState | null;
  to_state: LifeState | null;
  actor: string;
  reason: string | null;
  request_id: string | null;
  idempotency_key: string | null;
  detail: ColumnType<Readonly<Record<string, unknown>>, string | undefined, string>;
}
