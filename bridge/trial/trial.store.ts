import { CompiledQuery } from 'kysely';
import type { Db, Trx } from '../db/schema.ts';

export interface Trial {
  product: string;
  userId: string;
  /** Null, with `trialAccessUntil`: converted, no end any more. */
  trialEndsAt: Date | null;
  trialAccessUntil: Date | null;
}

export interface NewTrialApp {
  id: string;
  name: string;
  path: string;
  permissions: readonly string[];
}

/** The trial of an attempt, with its small app and permissions; false, and nothing written, when its user has a trial of the product. */
export async function insertTrial(trx: Trx, attemptId: string, app: NewTrialApp): Promise<boolean> {
  const { rows } = await trx.executeQuery(CompiledQuery.raw(PROVISION, [attemptId, app.id, app.name, app.path, app.permissions]));
  return rows.length > 0;
}

/**
 * What a statement writes for `attempt`, rows of bridge.registration that it holds: the trial, its small app and permissions,
 * which `app` has as expressions. Nothing for a user not known yet.
 */
export function trialOfAttempt(app: Record<keyof NewTrialApp, string>, onConflict = ''): string {
  return `trial as (
      insert into bridge.trial (product, user_id, attempt_id, trial_ends_at, trial_access_until)
      select product, user_id, attempt_id, trial_ends_at, trial_access_until from attempt where user_id is not null
      ${onConflict} returning id, user_id
    ), app as (
      insert into bridge.trial_app (id, trial_id, name, path) select ${app.id}, id, ${app.name}, ${app.path} from trial returning id
    ), permission as (
      insert into bridge.trial_app_permission (trial_app_id, user_id, permission)
      select app.id, trial.user_id, unnest(${app.permissions}) from app, trial
    )`;
}

const PROVISION = `
  with attempt as (
    select * from bridge.registration where attempt_id = $1
  ), ${trialOfAttempt({ id: '$2::uuid', name: '$3', path: '$4', permissions: '$5::text[]' }, 'on conflict (user_id, product) do nothing')}
  select id from trial`;

/** The small app and its permissions go with it. */
export async function deleteTrial(trx: Trx, attemptId: string): Promise<void> {
  await trx.deleteFrom('bridge.trial').where('attempt_id', '=', attemptId).execute();
}

/** What people are told and what is enforced; the proxies hear of it. */
export async function setTrialEnds(trx: Trx, of: { userId: string; product: string }, ends: Pick<Trial, 'trialEndsAt' | 'trialAccessUntil'>): Promise<void> {
  await trx
    .updateTable('bridge.trial')
    .set({ trial_ends_at: ends.trialEndsAt, trial_access_until: ends.trialAccessUntil })
    .where('user_id', '=', of.userId)
    .where('product', '=', of.product)
    .execute();
}

// Keycloak waits for this one.
const LONGEST = `/* prepared: longest-trial */
    select product, user_id as "userId", trial_ends_at as "trialEndsAt", trial_access_until as "trialAccessUntil"
    from bridge.trial where user_id = $1 and product = any($2) order by trial_access_until desc nulls first limit 1`;

/** Of several products that one client serves, the trial that lasts longest. */
export async function findLongestTrial(db: Db, userId: string, products: readonly string[]): Promise<Trial | undefined> {
  return (await db.executeQuery<Trial>(CompiledQuery.raw(LONGEST, [userId, products]))).rows[0];
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

/** Of another product: the proxies judge by the one that lasts longest. */
export async function hasOtherTrial(trx: Trx, of: { userId: string; product: string }): Promise<boolean> {
  const row = await trx.selectFrom('bridge.trial').select('id').where('user_id', '=', of.userId).where('product', '!=', of.product).limit(1).executeTakeFirst();
  return row !== undefined;
}
