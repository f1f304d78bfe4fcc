/** What the bridge tells of trials (docs/trial-life.md); instants in epoch seconds. */
export const STATES = ['invited', 'active', 'ending', 'grace', 'expired', 'converted', 'revoked'] as const;
export type State = (typeof STATES)[number];

export interface ListedTrial {
  id: string;
  product: string;
  state: State;
  /** Null once erased. */
  username: string | null;
  user_id: string | null;
  began_at: number;
  trial_ends_at: number | null;
}

export interface TrialEvent {
  at: number;
  kind: string;
  from: State | null;
  to: State | null;
  actor: string;
  reason: string | null;
  request_id: string | null;
  detail: Readonly<Record<string, unknown>>;
}

export interface Trial extends ListedTrial {
  trial_access_until: number | null;
  plan: string | null;
  trial_app: string | null;
  held_by_keycloak: boolean;
  erasure: 'under_way' | 'done' | null;
  second_trial: 'refused' | 'allowed' | null;
  possible: readonly ('extend' | 'convert' | 'revoke')[];
  timeline: readonly TrialEvent[];
}

export interface TrialPage {
  trials: readonly ListedTrial[];
  next_cursor: string | null;
}

export const STAGES = ['invited', 'opened', 'registered', 'active', 'converted'] as const;
export type Stage = (typeof STAGES)[number];
export type FunnelDay = { day: string; product: string } & Readonly<Record<Stage, number>>;
