import type { Db, Trx } from '../db/schema.ts';
import type { LifeEventKind } from './event.store.ts';

export interface InvitedLife {
  tokenHash: Buffer;
  lifeId: string;
  /** When its mail went out. */
  sentAt: Date;
}

export async function findLivesOfTokens(db: Db, tokenHashes: readonly Buffer[]): Promise<readonly InvitedLife[]> {
  if (tokenHashes.length === 0) return [];
  return db
    .selectFrom('bridge.invitation')
    .leftJoin('bridge.mail', 'bridge.mail.id', 'bridge.invitation.mail_id')
    .select((eb) => ['token_hash as tokenHash', 'bridge.invitation.life_id as lifeId', eb.fn.coalesce('bridge.mail.sent_at', 'bridge.invitation.issued_at').as('sentAt')])
    .where('token_hash', 'in', tokenHashes)
    .where('bridge.invitation.life_id', 'is not', null)
    .$narrowType<{ lifeId: string }>()
    .execute();
}

export async function findLivesOfUsers(db: Db, userIds: readonly string[]): Promise<readonly { userId: string; product: string; lifeId: string }[]> {
  if (userIds.length === 0) return [];
  return db.selectFrom('bridge.life').select(['user_id as userId', 'product', 'id as lifeId']).where('user_id', 'in', userIds).$narrowType<{ userId: string }>().execute();
}

/** Those that nobody asked to erase meanwhile. Always in the same order, so that two that lock many never wait for each other. */
export async function lockLives(trx: Trx, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await trx.selectFrom('bridge.life').select('id').where('id', 'in', ids).where('erase_asked_at', 'is', null).orderBy('id').forNoKeyUpdate().execute();
  return new Set(rows.map(({ id }) => id));
}

export interface SeenEvent {
  lifeId: string;
  kind: LifeEventKind;
  at: Date;
  detail: Readonly<Record<string, unknown>>;
}

export async function listEventsSince(trx: Trx, lifeIds: readonly string[], kinds: readonly LifeEventKind[], since: Date): Promise<readonly SeenEvent[]> {
  return trx
    .selectFrom('bridge.life_event')
    .select(['life_id as lifeId', 'kind', 'at', 'detail'])
    .where('life_id', 'in', lifeIds)
    .where('kind', 'in', kinds)
    .where('at', '>', since)
    .execute();
}
