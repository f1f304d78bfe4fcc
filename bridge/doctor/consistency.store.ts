import { sql } from 'kysely';
import type { Db, RegistrationState } from '../db/schema.ts';
import type { LifeState } from '../life/transitions.ts';

/** By then Keycloak has been away for half a minute, or it is not that. */
const TRIES_UNTOLD = 4;

export interface RegistrationRow {
  attemptId: string;
  product: string;
  address: string;
  /** Null: a program asked for the account, and the bridge has not seen it yet. */
  userId: string | null;
  state: RegistrationState;
  attemptedAt: Date;
  trialAppId: string;
  trialEndsAt: Date;
  trialAccessUntil: Date;
  /** The account was there before. */
  joins: boolean;
  hasTrial: boolean;
  hasApp: boolean;
}

export interface TrialRow {
  product: string;
  userId: string;
  attemptId: string;
  trialAppId: string | null;
  trialEndsAt: Date | null;
  trialAccessUntil: Date | null;
  life: { id: string; state: LifeState; nextDeadline: Date | null; eraseAskedAt: Date | null } | undefined;
  /** Of its life; Keycloak is still to hear of it where `keptVersion` is less. */
  version: number;
  keptVersion: number;
}

export async function listRegistrations(db: Db): Promise<readonly RegistrationRow[]> {
  return db
    .selectFrom('bridge.registration as r')
    .leftJoin('bridge.trial as t', 't.attempt_id', 'r.attempt_id')
    .leftJoin('bridge.trial_app as a', 'a.trial_id', 't.id')
    .select([
      'r.attempt_id as attemptId',
      'r.product',
      'r.address',
      'r.user_id as userId',
      'r.state',
      'r.attempted_at as attemptedAt',
      'r.trial_app_id as trialAppId',
      'r.trial_ends_at as trialEndsAt',
      'r.trial_access_until as trialAccessUntil',
      'r.joins',
      sql<boolean>`t.id is not null`.as('hasTrial'),
      sql<boolean>`a.id is not null`.as('hasApp'),
    ])
    .orderBy('r.attempted_at')
    .execute();
}

export async function listTrials(db: Db): Promise<readonly TrialRow[]> {
  const rows = await db
    .selectFrom('bridge.trial as t')
    .leftJoin('bridge.trial_app as a', 'a.trial_id', 't.id')
    .leftJoin('bridge.life as l', (join) => join.onRef('l.user_id', '=', 't.user_id').onRef('l.product', '=', 't.product'))
    .select([
      'l.id as lifeId',
      'l.state',
      'l.next_deadline as nextDeadline',
      'l.erase_asked_at as eraseAskedAt',
      'l.version',
      'l.kept_version as keptVersion',
      't.product',
      't.user_id as userId',
      't.attempt_id as attemptId',
      'a.id as trialAppId',
      't.trial_ends_at as trialEndsAt',
      't.trial_access_until as trialAccessUntil',
    ])
    .execute();
  return rows.map(({ lifeId, state, nextDeadline, eraseAskedAt, ...row }) => ({
    ...row,
    life: lifeId === null || state === null ? undefined : { id: lifeId, state, nextDeadline, eraseAskedAt },
    version: Number(row.version ?? 0),
    keptVersion: Number(row.keptVersion ?? 0),
  }));
}

/** Lives of people who are there that Keycloak has not heard of, and for which no job tries, or one that fails again and again. */
export async function listNotTold(db: Db): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ id: string }>`
    select life.id from bridge.life
      join bridge.registration on registration.user_id = life.user_id and registration.product = life.product and registration.state = 'confirmed'
      left join graphile_worker.jobs job on job.key = 'keep:' || life.id
    where life.kept_version < life.version and (job.id is null or job.attempts >= least(job.max_attempts, ${TRIES_UNTOLD}::int))`.execute(db);
  return new Set(rows.map(({ id }) => id));
}

/** Invitations that are reserved for an attempt that is not pending. */
export async function listOrphanedReservations(db: Db): Promise<readonly { id: string; attemptId: string | null }[]> {
  return db
    .selectFrom('bridge.invitation as i')
    .leftJoin('bridge.registration as r', (join) => join.onRef('r.attempt_id', '=', 'i.attempt_id').on('r.state', '=', 'pending'))
    .select(['i.id', 'i.attempt_id as attemptId'])
    .where('i.state', '=', 'reserved')
    .where('r.attempt_id', 'is', null)
    .execute();
}

/** Permissions on a small app of people whose trial it is not. */
export async function listForeignPermissions(db: Db): Promise<readonly { trialAppId: string; userId: string }[]> {
  return db
    .selectFrom('bridge.trial_app_permission as p')
    .innerJoin('bridge.trial_app as a', 'a.id', 'p.trial_app_id')
    .innerJoin('bridge.trial as t', 't.id', 'a.trial_id')
    .select(['p.trial_app_id as trialAppId', 'p.user_id as userId'])
    .whereRef('p.user_id', '!=', 't.user_id')
    .distinct()
    .execute();
}
