import { sql, type Kysely } from 'kysely';
import type { Tables } from '../db/tables.ts';

type Db = Kysely<Tables>;

/** A sign-in may be left and come back to for this long; what ended meanwhile is remembered as long. */
export const LOGIN_LIFETIME_SECONDS = 24 * 3600;

/** Providers name sessions and people each for itself: the names of one mean nothing at another. */
export interface LoginNames {
  issuer: string;
  sid: string | null;
  sub: string | null;
}

/** Logins and logouts of one provider session, and of one person, go one after the other until the transaction ends. */
export async function lockLogin(trx: Db, { issuer, sid, sub }: LoginNames): Promise<void> {
  const names = [sid && `sid ${nameAt(issuer, sid)}`, sub && `sub ${nameAt(issuer, sub)}`].filter(Boolean).sort();
  for (const name of names) await sql`select pg_advisory_xact_lock(hashtext(${`vestibule login ${name}`}))`.execute(trx);
}

/** On Postgres' own clock, as {@link takeLogin} has it: replicas' clocks differ. */
export async function recordEnd(trx: Db, kind: 'sid' | 'sub', issuer: string, endedName: string): Promise<void> {
  const name = nameAt(issuer, endedName);
  const ended_at = sql<Date>`clock_timestamp()`;
  await trx
    .insertInto('proxy.ended_login')
    .values({ kind, name, ended_at })
    .onConflict((conflict) => conflict.columns(['kind', 'name']).doUpdateSet({ ended_at }))
    .execute();
}

/** Whether the provider has ended this since its code was about to be exchanged. What it ended before, it gives no tokens for. */
export async function wasEnded(trx: Db, { issuer, sid, sub }: LoginNames, takenAt: Date): Promise<boolean> {
  const row = await trx
    .selectFrom('proxy.ended_login')
    .select('name')
    .where((where) =>
      where.or([where.and([where('kind', '=', 'sid'), where('name', '=', nameAt(issuer, sid ?? ''))]), where.and([where('kind', '=', 'sub'), where('name', '=', nameAt(issuer, sub ?? ''))])]),
    )
    .where('ended_at', '>=', takenAt)
    .executeTakeFirst();
  return row !== undefined;
}

/** False for one that was taken before. */
export async function takeLogoutToken(trx: Db, issuer: string, jti: string, expiresAt: Date): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('proxy.logout_token')
    .values({ jti: nameAt(issuer, jti), expires_at: expiresAt })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

export async function deleteEndedLogins(db: Db, now: Date, endedBefore: Date): Promise<void> {
  await db.deleteFrom('proxy.ended_login').where('ended_at', '<', endedBefore).execute();
  await db.deleteFrom('proxy.logout_token').where('expires_at', '<', now).execute();
}

function nameAt(issuer: string, name: string): string {
  return `${issuer} ${name}`;
}
