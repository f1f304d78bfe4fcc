import type { Db, Trx } from '../db/schema.ts';

export interface Trial {
  product: string;
  userId: string;
  trialEndsAt: Date;
  trialAccessUntil: Date;
}

export interface NewTrial extends Trial {
  attemptId: string;
}

export interface NewTrialApp {
  id: string;
  name: string;
  path: string;
  permissions: readonly string[];
}

const COLUMNS = ['product', 'user_id as userId', 'trial_ends_at as trialEndsAt', 'trial_access_until as trialAccessUntil'] as const;

/** The trial with its small app and permissions; false, and nothing written, when this user has a trial of the product. */
export async function insertTrial(trx: Trx, trial: NewTrial, app: NewTrialApp): Promise<boolean> {
  const row = await trx
    .insertInto('bridge.trial')
    .values({
      product: trial.product,
      user_id: trial.userId,
      attempt_id: trial.attemptId,
      trial_ends_at: trial.trialEndsAt,
      trial_access_until: trial.trialAccessUntil,
    })
    .onConflict((conflict) => conflict.columns(['user_id', 'product']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (row === undefined) return false;
  await trx.insertInto('bridge.trial_app').values({ id: app.id, trial_id: row.id, name: app.name, path: app.path }).execute();
  if (app.permissions.length > 0) {
    await trx
      .insertInto('bridge.trial_app_permission')
      .values(app.permissions.map((permission) => ({ trial_app_id: app.id, user_id: trial.userId, permission })))
      .execute();
  }
  return true;
}

/** The small app and its permissions go with it. */
export async function deleteTrial(trx: Trx, attemptId: string): Promise<void> {
  await trx.deleteFrom('bridge.trial').where('attempt_id', '=', attemptId).execute();
}

/** Of several products that one client serves, the trial that lasts longest. */
export async function findLongestTrial(db: Db, userId: string, products: readonly string[]): Promise<Trial | undefined> {
  return db
    .selectFrom('bridge.trial')
    .select(COLUMNS)
    .where('user_id', '=', userId)
    .where('product', 'in', products)
    .orderBy('trial_access_until', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** Trials of a product that began under this address. */
export async function findTrialsByAddress(db: Db, product: string, address: string): Promise<readonly Trial[]> {
  return db
    .selectFrom('bridge.trial')
    .innerJoin('bridge.registration', 'bridge.registration.attempt_id', 'bridge.trial.attempt_id')
    .select([
      'bridge.trial.product',
      'bridge.trial.user_id as userId',
      'bridge.trial.trial_ends_at as trialEndsAt',
      'bridge.trial.trial_access_until as trialAccessUntil',
    ])
    .where('bridge.registration.address', '=', address)
    .where('bridge.registration.product', '=', product)
    .where('bridge.registration.state', '=', 'confirmed')
    .execute();
}
