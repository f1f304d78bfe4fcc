import type { LifeEventKind } from '../life/event.store.ts';

/** What apps are told, and as what. Everything else of a timeline stays with us: mails, looks, refusals, sign-ins, and what apps answered. */
export const EVENT_TYPES = {
  invited: 'trial.invited',
  link_opened: 'trial.opened',
  registered: 'trial.created',
  /** The sign-in service has not kept the account: what was made for it can go. */
  released: 'trial.released',
  confirmed: 'trial.confirmed',
  reminded: 'trial.ending',
  ended: 'trial.grace',
  expired: 'trial.expired',
  extended: 'trial.extended',
  converted: 'trial.converted',
  revoked: 'trial.revoked',
  erased: 'trial.erased',
} as const satisfies Partial<Record<LifeEventKind, string>>;

export type TrialEventKind = keyof typeof EVENT_TYPES;
export type TrialEventType = (typeof EVENT_TYPES)[TrialEventKind];

/** The one by whose answer an app says that a workspace is there (`provision: wait`). */
export const PROVISIONING: TrialEventKind = 'registered';

export const TRIAL_EVENT_KINDS = Object.keys(EVENT_TYPES) as TrialEventKind[];
