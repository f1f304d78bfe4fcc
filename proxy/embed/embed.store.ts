import type { Kysely } from 'kysely';
import type { Tables } from '../db/tables.ts';

type Db = Kysely<Tables>;

/** One frame that shows a small app. */
export interface EmbedSession {
  app: string;
  userId: string;
  /** Of the page around it. */
  origin: string;
  generation: number;
}

/** False where the token was used before: nothing is written then (SECURITY.md 16). */
export async function insertEmbedSession(db: Db, session: EmbedSession & { idHash: Buffer; tokenId: string; endsAt: Date }): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('proxy.embed_session')
    .values({ id_hash: session.idHash, token_id: session.tokenId, app: session.app, user_id: session.userId, origin: session.origin, generation: session.generation, ends_at: session.endsAt })
    .onConflict((conflict) => conflict.column('token_id').doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

export async function findEmbedSession(db: Db, idHash: Buffer, now: Date): Promise<EmbedSession | undefined> {
  return db.selectFrom('proxy.embed_session').select(['app', 'user_id as userId', 'origin', 'generation']).where('id_hash', '=', idHash).where('ends_at', '>', now).executeTakeFirst();
}

export async function deletePastEmbedSessions(db: Db, now: Date): Promise<void> {
  await db.deleteFrom('proxy.embed_session').where('ends_at', '<', now).execute();
}
