import type { ColumnType, Generated } from 'kysely';

/** Row types of remote billing. Instants are domain time, but for those of `billing_session`, which are real. */
export interface RemoteBillingSchema {
  'bridge.remote_server': RemoteServerTable;
  'bridge.remote_realm': RemoteRealmTable;
  'bridge.billing_user': BillingUserTable;
  'bridge.billing_login_request': BillingLoginRequestTable;
  'bridge.billing_mail': BillingMailTable;
  'bridge.billing_mail_token': BillingMailTokenTable;
  'bridge.billing_session': BillingSessionTable;
  'bridge.billing_consent': BillingConsentTable;
  'bridge.billing_audit': BillingAuditTable;
}

export type PlanType = 'free' | 'community' | 'basic' | 'business' | 'legacy';
export type UriScheme = 'http://' | 'https://';
export type BillingPage = 'sponsorship' | 'upgrade' | 'billing' | 'plans' | 'deactivate';
export type BillingUserState = 'pending' | 'confirmed' | 'deactivated';
export const BILLING_MAIL_KINDS = ['billing_login', 'billing_invoice', 'billing_reminder', 'billing_stopped', 'billing_sponsorship'] as const;
export type BillingMailKind = (typeof BILLING_MAIL_KINDS)[number];
export type BillingActorKind = 'server' | 'user' | 'staff' | 'person' | 'system';

/** Written as JSON text, read as what it says. */
type Json<T> = ColumnType<T, string, string>;

export interface RemoteServerTable {
  id: string;
  key_hash: Buffer;
  key_generation: Generated<number>;
  hostname: string;
  hostname_verified_at: Date | null;
  contact_email: string;
  plan_type: Generated<PlanType>;
  version: string | null;
  last_realm_count_id: Generated<string>;
  last_installation_count_id: Generated<string>;
  last_realmauditlog_id: Generated<string>;
  registered_at: Date;
  last_request_at: Date;
  deactivated_at: Date | null;
}

export interface RemoteRealmTable {
  id: string;
  server_id: string;
  owner_secret_hash: Buffer;
  local_id: string;
  host: string;
  url: string;
  name: string;
  org_type: number;
  date_created: Date;
  authentication_methods: Json<Readonly<Record<string, boolean>>>;
  is_system_bot_realm: boolean;
  deactivated: boolean;
  locally_deleted_at: Date | null;
  registration_deactivated_at: Date | null;
  plan_type: Generated<PlanType>;
  seats: number | null;
  seats_reported_at: Date | null;
  first_seen_at: Date;
}

export interface BillingUserTable {
  id: Generated<string>;
  realm_id: string | null;
  user_uuid: string | null;
  server_id: string | null;
  email: string;
  full_name: string;
  state: Generated<BillingUserState>;
  date_joined: Date;
  last_login: Date | null;
  tos_version: string | null;
  major_release_mails: Generated<boolean>;
  maintenance_release_mails: Generated<boolean>;
}

export interface BillingLoginRequestTable {
  id: Generated<string>;
  server_id: string;
  realm_id: string | null;
  user_uuid: string | null;
  key_generation: number;
  full_name: string;
  email: string;
  mailbox_hash: Buffer;
  client_hash: string;
  uri_scheme: UriScheme;
  next_page: BillingPage | null;
  requested_at: Date;
  completed_at: Date | null;
  revoked_at: Date | null;
}

export interface BillingMailTable {
  id: Generated<string>;
  kind: BillingMailKind;
  login_request_id: string | null;
  address: string;
  mailbox_hash: Buffer;
  locale: string;
  content: Json<Readonly<Record<string, string>>>;
  request_id: string;
  state: Generated<'queued' | 'sent' | 'failed'>;
  queued_at: Date;
  sent_at: Date | null;
  failure: string | null;
}

export interface BillingMailTokenTable {
  token_hash: Buffer;
  mail_id: string;
  purpose: 'confirmation' | 'not_me';
  expires_at: Date | null;
}

export interface BillingSessionTable {
  id: Generated<string>;
  token_id: string;
  attempt_hash: Buffer;
  user_id: string;
  server_id: string;
  realm_id: string | null;
  uri_scheme: UriScheme;
  next_page: BillingPage | null;
  authenticated_at: Date;
  ends_at: Date;
  ended_at: Date | null;
}

export interface BillingConsentTable {
  id: Generated<string>;
  user_id: string;
  version: string;
  email: string;
  client_address: string;
  ticked_at: Date;
}

export interface BillingAuditTable {
  id: Generated<string>;
  at: Date;
  act: string;
  actor_kind: BillingActorKind;
  actor_id: string | null;
  server_id: string | null;
  realm_id: string | null;
  user_id: string | null;
  client_address: string | null;
  request_id: string;
  details: Json<Readonly<Record<string, unknown>>>;
}
