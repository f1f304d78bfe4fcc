import { CompiledQuery, sql } from 'kysely';
import type { Db, InvitationState, Trx } from '../db/schema.ts';

export interface Invitation {
  id: string;
  product: string;
  address: string;
  firstName: string | null;
  lastName: string | null;
  locale: string;
  state: InvitationState;
  attemptId: string | null;
  expiresAt: Date;
}

/** An invitation for an account that was there before: it is good for that one alone. */
export interface JoinOffer extends Invitation {
  accountId: string;
}

export interface NewInvitation {
  tokenHash: Buffer;
  product: string;
  address: string;
  mailId: string | null;
  lifeId: string | null;
  /** Of an offer. */
  accountId: string | null;
  firstName: string | null;
  lastName: string | null;
  locale: string;
  issuedAt: Date;
  expiresAt: Date;
}

export async function insertInvitation(db: Db | Trx, invitation: NewInvitation): Promise<void> {
  await db
    .insertInto('bridge.invitation')
    .values({
      token_hash: invitation.tokenHash,
      product: invitation.product,
      address: invitation.address,
      mail_id: invitation.mailId,
      life_id: invitation.lifeId,
      account_id: invitation.accountId,
      first_name: invitation.firstName,
      last_name: invitation.lastName,
      locale: invitation.locale,
      issued_at: invitation.issuedAt,
      expires_at: invitation.expiresAt,
      attempt_id: null,
    })
    .execute();
}

export async function deleteInvitation(db: Db | Trx, tokenHash: Buffer): Promise<void> {
  await db.deleteFrom('bridge.invitation').where('token_hash', '=', tokenHash).where('state', '=', 'issued').execute();
}

const BY_TOKEN = `
    select id, product, address, first_name as "firstName", last_name as "lastName", locale, state, attempt_id as "attemptId", expires_at as "expiresAt", account_id as "accountId"
    from bridge.invitation where token_hash = $1`;
const TO_SIGN_UP = `${BY_TOKEN} and account_id is null`;
const TO_JOIN = `${BY_TOKEN} and account_id is not null`;
// Keycloak waits for this one.
const LOOK = `/* prepared: look */${TO_SIGN_UP}`;

export async function findInvitation(db: Db, tokenHash: Buffer): Promise<Invitation | undefined> {
  return (await db.executeQuery<Invitation>(CompiledQuery.raw(LOOK, [tokenHash]))).rows[0];
}

export async function findInvitationForUpdate(trx: Trx, tokenHash: Buffer): Promise<Invitation | undefined> {
  return (await trx.executeQuery<Invitation>(CompiledQuery.raw(`${TO_SIGN_UP} for update`, [tokenHash]))).rows[0];
}

export async function findJoinOffer(db: Db, tokenHash: Buffer): Promise<JoinOffer | undefined> {
  return (await db.executeQuery<JoinOffer>(CompiledQuery.raw(TO_JOIN, [tokenHash]))).rows[0];
}

export async function findJoinOfferForUpdate(trx: Trx, tokenHash: Buffer): Promise<JoinOffer | undefined> {
  return (await trx.executeQuery<JoinOffer>(CompiledQuery.raw(`${TO_JOIN} for update`, [tokenHash]))).rows[0];
}

/** One registration of a (product, address) at a time: whoever holds this lock may change its invitations and attempts. */
export async function lockRegistrant(trx: Trx, { product, address }: { product: string; address: string }): Promise<void> {
  await sql`select ${sql.raw(REGISTRANT_LOCK)} from (select ${product}::text as product, ${address}::text as address) as registrant`.execute(trx);
}

/** The registrant of an invitation, which never changes. Locks nothing where there is none. */
export async function lockInvitedRegistrant(trx: Trx, tokenHash: Buffer): Promise<void> {
  await sql`select ${sql.raw(REGISTRANT_LOCK)} from bridge.invitation where token_hash = ${tokenHash}`.execute(trx);
}

/** {@link lockRegistrant} as an expression on a row's columns, for a statement that does more. */
export const REGISTRANT_LOCK = `pg_advisory_xact_lock(hashtextextended('registrant ' || product || ' ' || address, 0))`;

/** `issued` becomes `reserved`; false when it was not issued. */
export async function reserveInvitation(trx: Trx, invitationId: string, attemptId: string): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('bridge.invitation')
    .set({ state: 'reserved', attempt_id: attemptId })
    .where('id', '=', invitationId)
    .where('state', '=', 'issued')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** What this attempt reserved is good again. */
export async function freeInvitation(trx: Trx, attemptId: string): Promise<void> {
  await trx
    .updateTable('bridge.invitation')
    .set({ state: 'issued', attempt_id: null })
    .where('attempt_id', '=', attemptId)
    .where('state', '=', 'reserved')
    .execute();
}

export async function spendInvitations(trx: Trx, registrant: { product: string; address: string }): Promise<void> {
  await trx
    .updateTable('bridge.invitation')
    .set({ state: 'spent' })
    .where('product', '=', registrant.product)
    .where('address', '=', registrant.address)
    .where('state', 'in', ['issued', 'reserved'])
    .execute();
}

export async function revokeInvitationsOf(trx: Trx, { product, address }: { product: string; address: string }): Promise<void> {
  await trx.updateTable('bridge.invitation').set({ state: 'revoked' }).where('product', '=', product).where('address', '=', address).where('state', 'in', ['issued', 'reserved']).execute();
}

export async function revokeInvitations(trx: Trx, address: string): Promise<void> {
  await trx
    .updateTable('bridge.invitation')
    .set({ state: 'revoked' })
    .where('address', '=', address)
    .where('state', 'in', ['issued', 'reserved'])
    .execute();
}
