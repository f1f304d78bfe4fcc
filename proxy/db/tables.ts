import type { ColumnType, Generated } from 'kysely';
import type { KeptClaims } from '../identity/kept-claims.ts';

export interface Tables {
  'proxy.session': SessionTable;
  'proxy.trial_end': TrialEndTable;
  'proxy.login_transaction': LoginTransactionTable;
  'proxy.ended_login': EndedLoginTable;
  'proxy.logout_token': LogoutTokenTable;
  'proxy.embed_session': EmbedSessionTable;
}

export interface SessionTable {
  id_hash: Buffer;
  /** Host of the site that it was opened at: nowhere else is it worth anything (SECURITY.md 22). */
  site: string;
  /** With `client_id`: by whom its person was signed in. Both null in rows of an older release. */
  issuer: string | null;
  client_id: string | null;
  sub: string;
  /** Keycloak's session id: back-channel logout names it. */
  sid: string | null;
  email: string;
  name: string;
  roles: string[];
  groups: string[];
  trial_app: string | null;
  trial_ends_at: Date | null;
  trial_access_until: Date | null;
  /** jsonb */
  claims: ColumnType<KeptClaims, string | null, string | null>;
  /** The app has not made this person's workspace yet. */
  preparing: Generated<boolean>;
  sealed_tokens: string;
  created_at: Date;
  last_seen_at: Date;
  /** The absolute end, and never after `trial_access_until`. */
  ends_at: Date;
  /** The same without the trial, for a trial that is extended. */
  end_without_trial_at: Date | null;
  absolute_end_at: Date;
  /** When the access token ends; null where there is nothing to refresh with. */
  refresh_due_at: Date | null;
  /** Until then one replica is asking Keycloak. */
  refresh_lease_until: Date | null;
}

/** The newest word of the bridge about a person and product; nulls: no end any more. */
export interface TrialEndTable {
  user_id: string;
  product: string;
  trial_ends_at: Date | null;
  trial_access_until: Date | null;
  ready: Generated<boolean>;
  /** A number of Postgres that JavaScript gets as text. */
  version: string;
}

/** What back-channel logout ended at the provider: a session (`sid`) or everything of a person (`sub`) up to then. */
export interface EndedLoginTable {
  kind: 'sid' | 'sub';
  name: string;
  ended_at: Date;
}

/** Logout tokens that were taken: a second one is a replay. */
export interface LogoutTokenTable {
  jti: string;
  expires_at: Date;
}

export interface LoginTransactionTable {
  /** SHA-256 of `state`. */
  state_hash: Buffer;
  /** The first characters of the hash: names the cookie. */
  id: string;
  /** SHA-256 of the cookie that binds it to one browser. */
  binding_hash: Buffer;
  sealed: string;
  /** An invitation that may be started again from here. */
  has_invitation: boolean;
  created_at: Date;
  expires_at: Date;
  used_at: Date | null;
  /** Who began it, as a keyed hash of the client's address; null in rows of an older release. */
  begun_by: Buffer | null;
  /** Tokens of another person than the one signed in, until the question is answered. */
  sealed_other_person: string | null;
}

/** A frame of another page that shows a small app. */
export interface EmbedSessionTable {
  /** SHA-256 of the cookie. */
  id_hash: Buffer;
  /** `jti` of the token that began it: works once. */
  token_id: string;
  app: string;
  user_id: string;
  origin: string;
  generation: number;
  ends_at: Date;
}
