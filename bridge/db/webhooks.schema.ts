import type { Generated } from 'kysely';
import type { TrialEventKind } from '../webhooks/event-types.ts';
import type { LifeState } from '../life/transitions.ts';

export interface WebhooksSchema {
  'bridge.webhook_subscription': WebhookSubscriptionTable;
  'bridge.webhook': WebhookTable;
}

/** Which product's app is told of which kind of event. */
export interface WebhookSubscriptionTable {
  product: string;
  kind: TrialEventKind;
  waits: boolean;
}

/** Waiting to be sent, answered, given up, or left out by an operator. */
export type WebhookDelivery = 'waiting' | 'delivered' | 'dead' | 'skipped';

/** One event for one app, written by the trigger of migration 0009. Ends are domain time; what is about sending is real time. */
export interface WebhookTable {
  event_id: string;
  message_id: Generated<string>;
  life_id: string;
  product: string;
  kind: TrialEventKind;
  state: LifeState;
  user_id: string | null;
  trial_app_id: string | null;
  plan: string | null;
  trial_ends_at: Date | null;
  trial_access_until: Date | null;
  delivery: Generated<WebhookDelivery>;
  tries: Generated<number>;
  /** Or added again, by a replay. */
  added_at: Generated<Date>;
  next_try_at: Generated<Date>;
  failure: string | null;
  delivered_at: Date | null;
}
