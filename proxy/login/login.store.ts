import { sql, type Kysely } from 'kysely';
import type { Tables } from '../db/tables.ts';

export interface LoginTransaction {
  id: string;
  bindingHash: Buffer;
  sealed: string;
  hasInvitation: boolean;
  createdAt: Date;
  expiresAt: Date;
  usedAt: Date | null;
  sealedOtherPerson: string | null;
  /** Keyed hash of the client's address; null in rows of an older release. */
  begunBy: Buffer | null;
}

type Db = Kysely<Tables>;
type Row = Tables['proxy.login_transaction'];

export async function insertLogin(db: Db, stateHash: Buffer, login: LoginTransaction): Promise<void> {
  await db
    .insertInto('proxy.login_transaction')
    .values({
      id: login.id,
      state_hash: stateHash,
      binding_hash: login.bindingHash,
      sealed: login.sealed,
      has_invitation: login.hasInvitation,
      created_at: login.createdAt,
      expires_at: login.expiresAt,
      used_at: login.usedAt,
      sealed_other_person: login.sealedOtherPerson,
      begun_by: login.begunBy,
    })
    .execute();
}

/** One caller gets it, whoever else asks at the same time. Answers when that was, by Postgres' clock. */
export async function takeLogin(db: Db, id: string, now: Date): Promise<Date | undefined> {
  const taken = await db
    .updateTable('proxy.login_transaction')
    .set({ used_at: now })
    .where('id', '=', id)
    .where('used_at', 'is', null)
    .where('expires_at', '>', now)
    .returning(sql<Date>`clock_timestamp()`.as('at'))
    .executeTakeFirst();
  return taken?.at;
}

/** The exchange never reached the provider: the same callback may try again. */
export async function giveBackLogin(db: Db, id: string): Promise<void> {
  await db.updateTable('proxy.login_transaction').set({ used_at: null }).where('id', '=', id).execute();
}

/** Its invitation has led to a sign-in and is not offered again. */
export async function settleInvitation(db: Db, id: string): Promise<void> {
  await db.updateTable('proxy.login_transaction').set({ has_invitation: false }).where('id', '=', id).execute();
}

export async function keepOtherPerson(db: Db, id: string, sealedOtherPerson: string): Promise<void> {
  await db.updateTable('proxy.login_transaction').set({ sealed_other_person: sealedOtherPerson }).where('id', '=', id).execute();
}

/** One caller gets it. */
export async function takeOtherPerson(db: Db, id: string): Promise<string | undefined> {
  return db.transaction().execute(async (trx) => {
    const row = await trx.selectFrom('proxy.login_transaction').select('sealed_other_person').where('id', '=', id).forUpdate().executeTakeFirst();
    if (!row?.sealed_other_person) return undefined;
    await trx.updateTable('proxy.login_transaction').set({ sealed_other_person: null }).where('id', '=', id).execute();
    return row.sealed_other_person;
  });
}

/** Newest first. */
export async function findLogins(db: Db, ids: readonly string[]): Promise<LoginTransaction[]> {
  if (ids.length === 0) return [];
  const rows = await db.selectFrom('proxy.login_transaction').selectAll().where('id', 'in', [...ids]).orderBy('created_at', 'desc').execute();
  return rows.map(toLogin);
}

export async function deleteLogins(db: Db, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await db.deleteFrom('proxy.login_transaction').where('id', 'in', [...ids]).execute();
}

/** Of the logins that this client began after `since` and has not finished, when the `nth` newest began. */
export async function findNthUnfinished(db: Db, begunBy: Buffer, { nth, since }: { nth: number; since: Date }): Promise<Date | undefined> {
  const row = await db
    .selectFrom('proxy.login_transaction')
    .select('created_at')
    .where('begun_by', '=', begunBy)
    .where('used_at', 'is', null)
    .where('created_at', '>', since)
    .orderBy('created_at', 'desc')
    .offset(nth - 1)
    .limit(1)
    .executeTakeFirst();
  return row?.created_at;
}

/** All but the newest `most`. */
export async function deleteOldestLogins(db: Db, most: number): Promise<void> {
  await db
    .deleteFrom('proxy.login_transaction')
    .where('expires_at', '<=', (eb) => eb.selectFrom('proxy.login_transaction').select('expires_at').orderBy('expires_at', 'desc').offset(most).limit(1))
    .execute();
}

export async function deleteExpiredLogins(db: Db, now: Date): Promise<void> {
  await db.deleteFrom('proxy.login_transaction').where('expires_at', '<', now).execute();
}

function toLogin(row: Row): LoginTransaction {
  return {
    id: row.id,
    bindingHash: row.binding_hash,
    sealed: row.sealed,
    hasInvitation: row.has_invitation,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    usedAt: row.used_at,
    sealedOtherPerson: row.sealed_other_person,
    begunBy: row.begun_by,
  };
}
