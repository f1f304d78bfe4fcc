import type { ColumnType, Generated, Kysely, Transaction } from 'kysely';
import type { BillingPlansSchema } from './billing-plans.schema.ts';
import type { RemoteBillingSchema } from './remote-billing.schema.ts';
import type { TrialLifeSchema } from './trial-life.schema.ts';
import type { WebhooksSchema } from './webhooks.schema.ts';

/** Row types of schema `bridge`. Instants are domain time. */
export interface Schema extends RemoteBillingSchema, BillingPlansSchema, TrialLifeSchema, WebhooksSchema {
  'bridge.sign_up_request': SignUpRequestTable;
  'bridge.mail': MailTable;
  'bridge.invitation': InvitationTable;
  'bridge.registration': RegistrationTable;
  'bridge.given_attribute': GivenAttributeTable;
  'bridge.given_consent': GivenConsentTable;
  'bridge.trial': TrialTable;
  'bridge.trial_change': TrialChangeTable;
  'bridge.trial_app': TrialAppTable;
  'bridge.trial_app_permission': TrialAppPermissionTable;
  'bridge.not_me': NotMeTable;
  'bridge.suppressed_mailbox': SuppressedMailboxTable;
}

export type Db = Kysely<Schema>;
export type Trx = Transaction<Schema>;

export type InvitationState = 'issued' | 'reserved' | 'spent' | 'revoked';
export type RegistrationState = 'pending' | 'confirmed' | 'superseded' | 'released';
export const MAIL_KINDS = ['invitation', 'welcome_back', 'trial_ended', 'trial_reminder', 'trial_grace', 'trial_over', 'trial_extended', 'trial_converted'] as const;
export type MailKind = (typeof MAIL_KINDS)[number];
export type MailState = 'queued' | 'sent' | 'failed';

export interface SignUpRequestTable {
  id: Generated<string>;
  product: string;
  address: string;
  address_hash: Buffer;
  locale: string;
  first_name: string | null;
  last_name: string | null;
  company: string | null;
  next_page: string | null;
  attributes: ColumnType<Record<string, string>, string, string>;
  consents: ColumnType<readonly { id: string; version: string }[], string, string>;
  request_id: string;
  requested_at: Date;
  /** What came of it: the kind of mail, or why none. */
  result: string | null;
}

export interface MailTable {
  id: Generated<string>;
  /** What it answers; null where it tells what became of a trial. */
  sign_up_request_id: string | null;
  /** The trial that it invites to or tells about. */
  life_id: string | null;
  kind: MailKind;
  product: string;
  address: string;
  mailbox_hash: Buffer;
  locale: string;
  state: Generated<MailState>;
  queued_at: Date;
  sent_at: Date | null;
  failure: string | null;
  /** Of the act that it tells about. */
  request_id: string | null;
  /** Whose account it offers a trial to; null: it offers none. */
  account_id: string | null;
}

export interface InvitationTable {
  id: Generated<string>;
  /** The seed's token type. */
  type: Generated<'TRIAL_VERIFICATION'>;
  token_hash: Buffer;
  product: string;
  address: string;
  mail_id: string | null;
  life_id: string | null;
  first_name: string | null;
  last_name: string | null;
  locale: string;
  state: Generated<InvitationState>;
  attempt_id: string | null;
  issued_at: Date;
  expires_at: Date;
  /** Of an offer: the account that alone may use it. Null: for whoever makes an account with it. */
  account_id: string | null;
}

export interface RegistrationTable {
  attempt_id: string;
  invitation_id: string;
  product: string;
  address: string;
  /** Null: a program asked for the account, and Keycloak has not shown it yet. */
  user_id: string | null;
  /** The client that asked without a browser; null: Keycloak's own registration. */
  made_by: string | null;
  state: Generated<RegistrationState>;
  locale: string;
  /** Kept here too, because Keycloak may have stamped them although the trial row went away. */
  trial_app_id: string;
  trial_ends_at: Date;
  trial_access_until: Date;
  attempted_at: Date;
  /** The first look that found nobody. */
  absent_at: Date | null;
  looks: Generated<number>;
  /** Of real time; null once a job looks, or nobody needs to. */
  first_look_at: Date | null;
  outcome: 'committed' | 'rolled_back' | null;
  settled_at: Date | null;
  /** Of the creation. */
  request_id: string | null;
  /** The account was there before: Keycloak knows of the trial once its stamp is there. */
  joins: Generated<boolean>;
}

/** Where something was given: with the address; on Keycloak's form, or, for an account that was there, on the page of the offer; or in a program's request. */
export type GivenAtStep = 'sign_up' | 'registration_form' | 'program';

interface GivenTable {
  attempt_id: string;
  given_at: Date;
  step: GivenAtStep;
}

export interface GivenAttributeTable extends GivenTable {
  attribute: string;
  value: string;
}

export interface GivenConsentTable extends GivenTable {
  consent: string;
  version: string;
}

export interface TrialTable {
  id: Generated<string>;
  product: string;
  user_id: string;
  attempt_id: string;
  trial_ends_at: Date | null;
  /** Null, with the end: converted, no end any more. */
  trial_access_until: Date | null;
  /** False until the app has made what its person comes for (`provision: wait`). */
  ready: Generated<boolean>;
}

/** Written by the trigger of migration 0003 and by nothing else: the newest word about each person and product. */
export interface TrialChangeTable {
  user_id: string;
  product: string;
  trial_ends_at: Date | null;
  /** Null: no end any more. */
  trial_access_until: Date | null;
  /** Rises in the order of commits; a number of Postgres that JavaScript gets as text. */
  version: string;
  ready: Generated<boolean>;
  /** The life by whose erasure nobody needs this word for long. */
  forgotten_by: string | null;
}

export interface TrialAppTable {
  id: string;
  trial_id: string;
  name: string;
  path: string;
  /** Rises with every revocation of its embeds. */
  embed_generation: Generated<number>;
}

export interface TrialAppPermissionTable {
  trial_app_id: string;
  user_id: string;
  permission: string;
}

export interface NotMeTable {
  token_hash: Buffer;
  address: string;
  mailbox_hash: Buffer;
  mail_id: string;
}

export interface SuppressedMailboxTable {
  mailbox_hash: Buffer;
  since: Date;
}
