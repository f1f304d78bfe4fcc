import { sql } from 'kysely';
import type { Db } from '../db/schema.ts';

/** The newest word about one person's trial of one product. */
export interface TrialChange {
  userId: string;
  product: string;
  trialEndsAt: Date | null;
  /** Null: no end any more. */
  trialAccessUntil: Date | null;
  /** False until the app has made what its person comes for. */
  ready: boolean;
  /** The person was erased: whoever keeps this word needs it for sessions of before only. */
  forgotten: boolean;
  version: number;
}

export async function findChangesAfter(db: Db, version: number, limit: number): Promise<readonly TrialChange[]> {
  const rows = await db
    .selectFrom('bridge.trial_change')
    .select(['user_id as userId', 'product', 'trial_ends_at as trialEndsAt', 'trial_access_until as trialAccessUntil', 'ready', 'version', 'forgotten_by'])
    .where('version', '>', String(version))
    .orderBy('version')
    .limit(limit)
    .execute();
  return rows.map(({ forgotten_by, ...row }) => ({ ...row, forgotten: forgotten_by !== null, version: Number(row.version) }));
}

/** Ever given, also to what was forgotten since; 0 where nothing has changed yet. */
export async function findLastVersion(db: Db): Promise<number> {
  const { rows } = await sql<{ last: string }>`select greatest(case when is_called then last_value else 0 end, (select max(version) from bridge.trial_change)) as last from bridge.trial_change_version`.execute(db);
  return Number(rows[0]?.last ?? 0);
}

/** As if each trial had changed: where the domain clock moved, every end is another instant of real time. */
export async function tellAllAgain(db: Db): Promise<void> {
  await sql`update bridge.trial set trial_access_until = trial_access_until`.execute(db);
}
