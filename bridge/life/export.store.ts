import { sql } from 'kysely';
import type { Db } from '../db/schema.ts';
import type { Life } from './life.store.ts';

type Rows = Record<string, unknown>[];

export interface StoredOfPerson {
  sign_up_requests: Rows;
  mails: Rows;
  invitations: Rows;
  registrations: Rows;
  given_attributes: Rows;
  given_consents: Rows;
  small_apps: Rows;
  no_more_mails_since: string | null;
}

/**
 * Every row about a person and a product, in the words of its columns; instants as RFC 3339. Neither a hash nor a token:
 * those say nothing to anybody.
 */
export async function readStored(db: Db, { product, address, userId, id }: Pick<Life, 'product' | 'address' | 'userId' | 'id'>, mailboxHash: Buffer | undefined): Promise<StoredOfPerson> {
  const { rows } = await sql<StoredOfPerson>`select
    ${all(sql`select product, address, locale, first_name, last_name, company, next_page, attributes, consents, request_id, requested_at, result
      from bridge.sign_up_request where product = ${product} and address = ${address} order by requested_at`)} as sign_up_requests,
    ${all(sql`select kind, address, account_id, locale, state, queued_at, sent_at, failure
      from bridge.mail where life_id = ${id} or (product = ${product} and address = ${address} and life_id is null) order by queued_at`)} as mails,
    ${all(sql`select address, account_id, first_name, last_name, locale, state, issued_at, expires_at
      from bridge.invitation where life_id = ${id} or (product = ${product} and address = ${address}) order by issued_at`)} as invitations,
    ${all(sql`select address, user_id, made_by, state, locale, attempted_at, trial_ends_at, trial_access_until, outcome, settled_at
      from bridge.registration where product = ${product} and (address = ${address} or user_id = ${userId}) and user_id is not distinct from ${userId} order by attempted_at`)} as registrations,
    ${all(given(sql`bridge.given_attribute`, sql`attribute, value`, { product, userId }))} as given_attributes,
    ${all(given(sql`bridge.given_consent`, sql`consent, version`, { product, userId }))} as given_consents,
    ${all(sql`select app.id, app.name, app.path, (select coalesce(json_agg(permission order by permission), '[]') from bridge.trial_app_permission where trial_app_id = app.id) as permissions
      from bridge.trial_app as app join bridge.trial on trial.id = app.trial_id where trial.user_id = ${userId} and trial.product = ${product}`)} as small_apps,
    (select since from bridge.suppressed_mailbox where mailbox_hash = ${mailboxHash ?? null}) as no_more_mails_since`.execute(db);
  return rows[0] as StoredOfPerson;
}

function all(query: ReturnType<typeof sql>) {
  return sql`(select coalesce(json_agg(one), '[]') from (${query}) as one)`;
}

/** Of the attempts that this person's account came of. */
function given(table: ReturnType<typeof sql>, columns: ReturnType<typeof sql>, { product, userId }: Pick<Life, 'product' | 'userId'>) {
  return sql`select ${columns}, given_at, step from ${table} join bridge.registration using (attempt_id)
    where registration.product = ${product} and registration.user_id = ${userId} order by given_at`;
}
