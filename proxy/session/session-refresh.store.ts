import { sql, type Kysely } from 'kysely';
import type { Tables } from '../db/tables.ts';
import type { Identity } from '../provider/provider.ts';
import { identityColumns, type StoredSession } from './session.store.ts';

type Db = Kysely<Tables>;

/** On Postgres' own clock: replicas' clocks differ. In milliseconds, as a Date has them: it is found again by it. */
const NOW = sql<Date>`date_trunc('milliseconds', clock_timestamp())`;

/** One caller on one replica gets it for so long, and with it the tokens. `lease` names its turn. */
export async function takeRefresh(db: Db, idHash: Buffer, due: Date, leaseMilliseconds: number): Promise<{ sealed: string; lease: Date } | undefined> {
  const row = await db
    .updateTable('proxy.session')
    .set({ refresh_lease_until: sql<Date>`${NOW} + ${leaseMilliseconds} * interval '1 millisecond'` })
    .where('id_hash', '=', idHash)
    .where('refresh_due_at', '<=', due)
    .where((where) => where.or([where('refresh_lease_until', 'is', null), where('refresh_lease_until', '<=', NOW)]))
    .returning(['sealed_tokens', 'refresh_lease_until'])
    .executeTakeFirst();
  return row?.refresh_lease_until ? { sealed: row.sealed_tokens, lease: row.refresh_lease_until } : undefined;
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
