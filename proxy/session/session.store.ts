import type { Kysely } from 'kysely';
import type { Tables } from '../db/tables.ts';
import type { Identity } from '../provider/provider.ts';

export interface StoredSession extends Identity {
  idHash: Buffer;
  sealedTokens: string;
  createdAt: Date;
  lastSeenAt: Date;
  endsAt: Date;
}

type Db = Kysely<Tables>;

export async function insertSession(db: Db, session: StoredSession): Promise<void> {
  await db
    .insertInto('proxy.session')
    .values({
      id_hash: session.idHash,
      sub: session.sub,
      sid: session.sid,
      email: session.email,
      name: session.name,
      roles: [...session.roles],
      trial_app: session.trial?.app ?? null,
      trial_ends_at: session.trial?.endsAt ?? null,
      trial_access_until: session.trial?.accessUntil ?? null,
      sealed_tokens: session.sealedTokens,
      created_at: session.createdAt,
      last_seen_at: session.lastSeenAt,
      ends_at: session.endsAt,
    })
    .execute();
}

export async function findSession(db: Db, idHash: Buffer): Promise<StoredSession | undefined> {
  const row = await db.selectFrom('proxy.session').selectAll().where('id_hash', '=', idHash).executeTakeFirst();
  return (
    row && {
      idHash: row.id_hash,
      sub: row.sub,
      sid: row.sid,
      email: row.email,
      name: row.name,
      roles: row.roles,
      trial: row.trial_access_until && { app: row.trial_app, endsAt: row.trial_ends_at ?? row.trial_access_until, accessUntil: row.trial_access_until },
      sealedTokens: row.sealed_tokens,
      createdAt: row.created_at,
      lastSeenAt: row.last_seen_at,
      endsAt: row.ends_at,
    }
  );
}

export async function touchSession(db: Db, idHash: Buffer, lastSeenAt: Date): Promise<void> {
  await db.updateTable('proxy.session').set({ last_seen_at: lastSeenAt }).where('id_hash', '=', idHash).where('last_seen_at', '<', lastSeenAt).execute();
}

/** Brings the end nearer, never further away. */
export async function shortenSession(db: Db, idHash: Buffer, endsAt: Date): Promise<void> {
  await db.updateTable('proxy.session').set({ ends_at: endsAt }).where('id_hash', '=', idHash).where('ends_at', '>', endsAt).execute();
}

/** With `sid`: every session of that Keycloak session. */
export async function deleteSessions(db: Db, idHash: Buffer, sid: string | null): Promise<void> {
  await db
    .deleteFrom('proxy.session')
    .where((where) => where.or([where('id_hash', '=', idHash), ...(sid === null ? [] : [where('sid', '=', sid)])]))
    .execute();
}

export async function countSessions(db: Db, endingAfter: Date, seenAfter: Date): Promise<number> {
  const { count } = await db
    .selectFrom('proxy.session')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('ends_at', '>', endingAfter)
    .where('last_seen_at', '>', seenAfter)
    .executeTakeFirstOrThrow();
  return Number(count);
}

export async function deleteEndedSessions(db: Db, endedBefore: Date, idleSince: Date): Promise<void> {
  await db
    .deleteFrom('proxy.session')
    .where((where) => where.or([where('ends_at', '<', endedBefore), where('last_seen_at', '<', idleSince)]))
    .execute();
}
