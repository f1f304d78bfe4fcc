import { sql } from 'kysely';
import type { Db, Trx } from '../db/schema.ts';
import type { BillingPage, UriScheme } from '../db/remote-billing.schema.ts';

/** Somebody asked for a link to an address, for a realm's person or for a whole server. */
export interface LoginRequest {
  id: string;
  serverId: string;
  realmId: string | null;
  userUuid: string | null;
  keyGeneration: number;
  fullName: string;
  email: string;
  uriScheme: UriScheme;
  nextPage: BillingPage | null;
  completed: boolean;
  revoked: boolean;
}

export type NewLoginRequest = Omit<LoginRequest, 'id' | 'completed' | 'revoked'> & { mailboxHash: Buffer; clientHash: string; requestedAt: Date };

export async function insertLoginRequest(trx: Trx, request: NewLoginRequest): Promise<string> {
  const { id } = await trx
    .insertInto('bridge.billing_login_request')
    .values({
      server_id: request.serverId,
      realm_id: request.realmId,
      user_uuid: request.userUuid,
      key_generation: request.keyGeneration,
      full_name: request.fullName,
      email: request.email,
      mailbox_hash: request.mailboxHash,
      client_hash: request.clientHash,
      uri_scheme: request.uriScheme,
      next_page: request.nextPage,
      requested_at: request.requestedAt,
      completed_at: null,
      revoked_at: null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

export async function findLoginRequest(db: Db | Trx, id: string): Promise<LoginRequest | undefined> {
  const row = await selectRequests(db).where('r.id', '=', id).executeTakeFirst();
  return row && toRequest(row);
}

/** By the key of a mail's link; `expiresAt` is the link's. */
export async function findLoginRequestByKey(db: Db | Trx, keyHash: Buffer): Promise<(LoginRequest & { expiresAt: Date }) | undefined> {
  const row = await selectRequests(db)
    .innerJoin('bridge.billing_mail as m', 'm.login_request_id', 'r.id')
    .innerJoin('bridge.billing_mail_token as t', 't.mail_id', 'm.id')
    .select('t.expires_at as expiresAt')
    .where('t.token_hash', '=', keyHash)
    .where('t.purpose', '=', 'confirmation')
    .executeTakeFirst();
  return row && { ...toRequest(row), expiresAt: row.expiresAt ?? new Date(0) };
}

function selectRequests(db: Db | Trx) {
  return db
    .selectFrom('bridge.billing_login_request as r')
    .select([
      'r.id',
      'r.server_id as serverId',
      'r.realm_id as realmId',
      'r.user_uuid as userUuid',
      'r.key_generation as keyGeneration',
      'r.full_name as fullName',
      'r.email',
      'r.uri_scheme as uriScheme',
      'r.next_page as nextPage',
      'r.completed_at as completedAt',
      'r.revoked_at as revokedAt',
    ]);
}

function toRequest({ completedAt, revokedAt, ...row }: Awaited<ReturnType<ReturnType<typeof selectRequests>['executeTakeFirstOrThrow']>>): LoginRequest {
  return { ...row, completed: completedAt !== null, revoked: revokedAt !== null };
}

/** Compare-and-set: false when its login is complete already. */
export async function completeLoginRequest(trx: Trx, id: string, at: Date): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('bridge.billing_login_request')
    .set({ completed_at: at })
    .where('id', '=', id)
    .where('completed_at', 'is', null)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export async function revokeLoginRequests(trx: Trx, email: string, at: Date): Promise<void> {
  await trx
    .updateTable('bridge.billing_login_request')
    .set({ revoked_at: at })
    .where('email', '=', email)
    .where('completed_at', 'is', null)
    .where('revoked_at', 'is', null)
    .execute();
}

/** What mails are counted by, each for itself. */
export type Counted = { clientHash: string } | { serverId: string } | { mailboxHash: Buffer };

/** Requests of one client, server or mailbox are counted one after the other. */
export async function lockCounted(trx: Trx, counted: Counted): Promise<void> {
  const [name, value] = keyOf(counted);
  await sql`select pg_advisory_xact_lock(hashtextextended(${`billing mails ${name} ${value instanceof Buffer ? value.toString('base64url') : value}`}, 0))`.execute(trx);
}

/** Instants of the requests since `since`, oldest first. */
export async function requestsSince(trx: Trx, counted: Counted, since: Date): Promise<readonly Date[]> {
  const [name, value] = keyOf(counted);
  const rows = await trx
    .selectFrom('bridge.billing_login_request')
    .select('requested_at as at')
    .where(name, '=', value)
    .where('requested_at', '>', since)
    .orderBy('requested_at')
    .execute();
  return rows.map(({ at }) => at);
}

function keyOf(counted: Counted): ['client_hash', string] | ['server_id', string] | ['mailbox_hash', Buffer] {
  if ('clientHash' in counted) return ['client_hash', counted.clientHash];
  return 'serverId' in counted ? ['server_id', counted.serverId] : ['mailbox_hash', counted.mailboxHash];
}

/** Links that still open for a place, whether their mail is on its way or sent. */
export async function listOpenConfirmations(db: Db | Trx, of: { serverId: string; realmId: string | null }, now: Date) {
  return db
    .selectFrom('bridge.billing_login_request as r')
    .innerJoin('bridge.billing_mail as m', 'm.login_request_id', 'r.id')
    .leftJoin('bridge.billing_mail_token as t', (join) => join.onRef('t.mail_id', '=', 'm.id').on('t.purpose', '=', 'confirmation'))
    .innerJoin('bridge.remote_server as s', 's.id', 'r.server_id')
    .select(['r.email', 'r.full_name as fullName', 'r.requested_at as requestedAt', 'm.state as mail', 't.expires_at as expiresAt'])
    .where('r.server_id', '=', of.serverId)
    .where('r.realm_id', 'is not distinct from', of.realmId)
    .where('r.completed_at', 'is', null)
    .where('r.revoked_at', 'is', null)
    .whereRef('r.key_generation', '=', 's.key_generation')
    .where((eb) => eb.or([eb('t.expires_at', '>', now), eb('m.state', '=', 'queued')]))
    .orderBy('r.requested_at', 'desc')
    .execute();
}
