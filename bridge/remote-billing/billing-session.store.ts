import type { Db, Trx } from '../db/schema.ts';
import type { BillingPage, UriScheme } from '../db/remote-billing.schema.ts';

export interface BillingSession {
  id: string;
  tokenId: string;
  attemptHash: Buffer;
  userId: string;
  serverId: string;
  realmId: string | null;
  uriScheme: UriScheme;
  nextPage: BillingPage | null;
  authenticatedAt: Date;
  endsAt: Date;
  ended: boolean;
}

/** Undefined when the token was spent by another session before. */
export async function insertBillingSession(trx: Trx, session: Omit<BillingSession, 'id' | 'ended'>): Promise<string | undefined> {
  const row = await trx
    .insertInto('bridge.billing_session')
    .values({
      token_id: session.tokenId,
      attempt_hash: session.attemptHash,
      user_id: session.userId,
      server_id: session.serverId,
      realm_id: session.realmId,
      uri_scheme: session.uriScheme,
      next_page: session.nextPage,
      authenticated_at: session.authenticatedAt,
      ends_at: session.endsAt,
      ended_at: null,
    })
    .onConflict((conflict) => conflict.column('token_id').doNothing())
    .returning('id')
    .executeTakeFirst();
  return row?.id;
}

export async function findBillingSession(db: Db | Trx, by: { id: string } | { tokenId: string }): Promise<BillingSession | undefined> {
  const sessions = db
    .selectFrom('bridge.billing_session')
    .select([
      'id',
      'token_id as tokenId',
      'attempt_hash as attemptHash',
      'user_id as userId',
      'server_id as serverId',
      'realm_id as realmId',
      'uri_scheme as uriScheme',
      'next_page as nextPage',
      'authenticated_at as authenticatedAt',
      'ends_at as endsAt',
      'ended_at as endedAt',
    ]);
  const row = await ('id' in by ? sessions.where('id', '=', by.id) : sessions.where('token_id', '=', by.tokenId)).executeTakeFirst();
  if (row === undefined) return undefined;
  const { endedAt, ...session } = row;
  return { ...session, ended: endedAt !== null };
}

/** Compare-and-set: false when none of them was open. */
export async function endBillingSessions(trx: Db | Trx, of: { id: string } | { userId: string } | { serverId: string } | { realmId: string }, at: Date): Promise<boolean> {
  const open = trx.updateTable('bridge.billing_session').set({ ended_at: at }).where('ended_at', 'is', null);
  const [name, value] = 'id' in of ? (['id', of.id] as const) : 'userId' in of ? (['user_id', of.userId] as const) : 'realmId' in of ? (['realm_id', of.realmId] as const) : (['server_id', of.serverId] as const);
  const { numUpdatedRows } = await open.where(name, '=', value).executeTakeFirst();
  return numUpdatedRows > 0n;
}
