import { sql } from 'kysely';

/** Trials that begin on accounts that were there before (docs/decisions/0054). */
export const JOIN = [
  // Whose account the mail offers a trial to; null: it offers none.
  sql`alter table bridge.mail add column account_id text`,
  // Good for this account alone, once it has signed in; null: for whoever makes an account with it.
  sql`alter table bridge.invitation add column account_id text`,
  // The account was there before: whether Keycloak knows of the trial is told by its stamp, not by its user.
  sql`alter table bridge.registration add column joins boolean not null default false`,
];
