import { sql, type Kysely } from 'kysely';
import type { Tables } from '../db/tables.ts';
import type { Identity } from '../provider/provider.ts';
import { identityColumns, type StoredSession } from './session.store.ts';

type Db = Kysely<Tables>;

/** One caller on one replica gets it until `until`, and with it the tokens. */
export async function takeRefresh(db: Db, idHash: Buffer, now: Date, due: Date, until: Date): Promise<string | undefined> {
  const row = await db
    .updateTable('proxy.session')
    .set({ refresh_lease_until: until })
    .where('id_hash', '=', idHash)
    .where('refresh_due_at', '<=', due)
    .where((where) => where.or([where('refresh_lease_until', 'is', null), where('refresh_lease_until', '<=', now)]))
    .returning('sealed_tokens')
    .executeTakeFirst();
  return row?.sealed_tokens;
}

/** Of who holds the lease, which may have lapsed: nobody has taken it since. Its ends are never after the row's absolute end, which a new login may have brought nearer meanwhile. */
export async function saveRefreshed(
  db: Db,
  idHash: Buffer,
  lease: Date,
  fresh: { identity: Identity & Pick<StoredSession, 'preparing'>; sealedTokens: string; refreshDueAt: Date | null; endsAt: Date; endWithoutTrialAt: Date },
): Promise<void> {
  await db
    .updateTable('proxy.session')
    .set({ ...identityColumns(fresh.identity), sealed_tokens: fresh.sealedTokens, refresh_due_at: fresh.refreshDueAt, ends_at: sql<Date>`least(absolute_end_at, ${fresh.endsAt})`, end_without_trial_at: sql<Date>`least(absolute_end_at, ${fresh.endWithoutTrialAt})`, refresh_lease_until: null })
    .where('id_hash', '=', idHash)
    .where('refresh_lease_until', '=', lease)
    .execute();
}

/** Of who holds the lease: another replica may have it by now. */
export async function postponeRefresh(db: Db, idHash: Buffer, { lease, askAgainAt }: { lease: Date; askAgainAt: Date }): Promise<void> {
  await db.updateTable('proxy.session').set({ refresh_due_at: askAgainAt, refresh_lease_until: null }).where('id_hash', '=', idHash).where('refresh_lease_until', '=', lease).execute();
}
