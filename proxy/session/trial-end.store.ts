import { sql, type Kysely } from 'kysely';
import type { Tables } from '../db/tables.ts';

type Db = Kysely<Tables>;

/** What the bridge said last about a person's trial of a product. */
export interface TrialEnd {
  userId: string;
  product: string;
  /** What people are told; null with `accessUntil`. */
  endsAt: Date | null;
  /** Null: no end any more. */
  accessUntil: Date | null;
  /** False until the app has made the person's workspace. */
  ready: boolean;
  /** The person was erased from this product. */
  forgotten: boolean;
  version: number;
}

/** The newer word stays, whichever replica comes with it first. */
export async function saveTrialEnds(db: Db, ends: readonly TrialEnd[]): Promise<void> {
  const rows = ends.map(({ userId, product, endsAt, accessUntil, ready, version }) => ({ user_id: userId, product, trial_ends_at: endsAt, trial_access_until: accessUntil, ready, version: String(version) }));
  await db
    .insertInto('proxy.trial_end')
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .columns(['user_id', 'product'])
        .doUpdateSet((eb) => ({ trial_ends_at: eb.ref('excluded.trial_ends_at'), trial_access_until: eb.ref('excluded.trial_access_until'), ready: eb.ref('excluded.ready'), version: eb.ref('excluded.version') }))
        .whereRef('excluded.version', '>', 'proxy.trial_end.version'),
    )
    .execute();
}

/** Of several products the one that lasts longest, as the bridge and Keycloak judge it too. */
export async function findLongestTrialEnd(db: Db, userId: string, productIds: readonly string[]): Promise<Pick<TrialEnd, 'product' | 'endsAt' | 'accessUntil' | 'ready'> | undefined> {
  if (productIds.length === 0) return undefined;
  return db
    .selectFrom('proxy.trial_end')
    .select(['product', 'trial_ends_at as endsAt', 'trial_access_until as accessUntil', 'ready'])
    .where('user_id', '=', userId)
    .where('product', 'in', productIds)
    .orderBy('trial_access_until', (order) => order.desc().nullsFirst())
    .limit(1)
    .executeTakeFirst();
}

/** Everything up to here has been heard by one replica or another; 0 at the very first start. */
export async function findLastVersion(db: Db): Promise<number> {
  const { last } = await db.selectFrom('proxy.trial_end').select((eb) => eb.fn.max('version').as('last')).executeTakeFirstOrThrow();
  return Number(last ?? 0);
}

/**
 * Whose account stayed at an erasure is an ordinary person, of whom nothing needs to be known here. Of an account that is gone the end
 * stays until no sign-in under way can bring it back ({@link deletePastTrialEnds}).
 */
export async function deleteForgottenTrialEnds(db: Db, ends: readonly TrialEnd[]): Promise<void> {
  for (const { userId, product, version } of ends.filter(({ forgotten, accessUntil }) => forgotten && accessUntil === null)) {
    await db.deleteFrom('proxy.trial_end').where('user_id', '=', userId).where('product', '=', product).where('version', '=', String(version)).execute();
  }
}

export async function deleteTrialEnds(db: Db): Promise<void> {
  await db.deleteFrom('proxy.trial_end').execute();
}

/** No session that began before is left. */
export async function deletePastTrialEnds(db: Db, endedBefore: Date): Promise<void> {
  await db.deleteFrom('proxy.trial_end').where(sql<boolean>`trial_access_until < ${endedBefore}`).execute();
}
