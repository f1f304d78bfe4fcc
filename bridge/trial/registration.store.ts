import { sql, type RawBuilder } from 'kysely';
import type { Db, RegistrationState, Trx } from '../db/schema.ts';
import { registrantLock } from './invitation.store.ts';
import { trialOfAttempt, type NewTrialApp } from './trial.store.ts';

/** One attempt to create one user from an invitation, by Keycloak's registration or by a program. */
export interface Registration {
  attemptId: string;
  invitationId: string;
  product: string;
  address: string;
  /** Null until Keycloak shows the account that a program asked for. */
  userId: string | null;
  /** The client that asked without a browser; null: Keycloak's own registration. */
  madeBy: string | null;
  locale: string;
  state: RegistrationState;
  trialAppId: string;
  trialEndsAt: Date;
  trialAccessUntil: Date;
  attemptedAt: Date;
  absentAt: Date | null;
  looks: number;
}

export type NewRegistration = Omit<Registration, 'state' | 'absentAt' | 'looks'>;

const COLUMNS = [
  'attempt_id as attemptId',
  'invitation_id as invitationId',
  'product',
  'address',
  'user_id as userId',
  'made_by as madeBy',
  'locale',
  'state',
  'trial_app_id as trialAppId',
  'trial_ends_at as trialEndsAt',
  'trial_access_until as trialAccessUntil',
  'attempted_at as attemptedAt',
  'absent_at as absentAt',
  'looks',
] as const;

const COLUMNS_OF_ATTEMPT = sql.join(COLUMNS.map((column) => sql.raw(column.replace(/ as (\w+)$/, ' as "$1"'))));

/**
 * The attempt, the invitation that it holds from now on, the trial of a user who is known, and `firstLook`, the job that
 * finds out what came of it. One statement, because Keycloak waits for it. Undefined, and nothing written, when the
 * invitation is not issued. Throws a unique violation where the registrant has a pending attempt, the attempt was made
 * before, or the user has a trial of the product.
 */
export async function insertRegistration(db: Db | Trx, registration: NewRegistration, app: NewTrialApp, firstLook: RawBuilder<string>): Promise<Registration | undefined> {
  const { rows } = await sql<Registration & { jobId: string }>`
    with registrant as materialized (
      select id, ${registrantLock(sql`product`, sql`address`)} from bridge.invitation where id = ${registration.invitationId}
    ), held as (
      update bridge.invitation set state = 'reserved', attempt_id = ${registration.attemptId}
      from registrant where bridge.invitation.id = registrant.id and state = 'issued' returning bridge.invitation.id
    ), attempt as (
      insert into bridge.registration (
        attempt_id, invitation_id, product, address, user_id, made_by, locale, trial_app_id, trial_ends_at, trial_access_until, attempted_at
      )
      select ${registration.attemptId}::uuid, id, ${registration.product}, ${registration.address}, ${registration.userId}, ${registration.madeBy},
        ${registration.locale}, ${registration.trialAppId}::uuid, ${registration.trialEndsAt}::timestamptz, ${registration.trialAccessUntil}::timestamptz,
        ${registration.attemptedAt}::timestamptz
      from held returning *
    ), ${trialOfAttempt(app)}
    select ${COLUMNS_OF_ATTEMPT}, ${firstLook} as "jobId" from attempt`.execute(db);
  const [row] = rows;
  if (row === undefined) return undefined;
  const { jobId: _jobId, ...inserted } = row;
  return inserted;
}

export async function findRegistration(db: Db | Trx, attemptId: string): Promise<Registration | undefined> {
  return db.selectFrom('bridge.registration').select(COLUMNS).where('attempt_id', '=', attemptId).executeTakeFirst();
}

/** In one question: this attempt, and the one of its registrant that is pending. */
export async function findAttempts(
  trx: Trx,
  attemptId: string,
  registrant: { product: string; address: string } | undefined,
): Promise<{ same: Registration | undefined; pending: Registration | undefined }> {
  const found = await trx
    .selectFrom('bridge.registration')
    .select(COLUMNS)
    .where('attempt_id', '=', attemptId)
    .union((eb) => eb.selectFrom('bridge.registration').select(COLUMNS).where('product', '=', registrant?.product ?? null).where('address', '=', registrant?.address ?? null).where('state', '=', 'pending'))
    .execute();
  return { same: found.find((one) => one.attemptId === attemptId), pending: found.find((one) => one.state === 'pending') };
}

export async function findPendingRegistration(
  trx: Trx,
  registrant: { product: string; address: string },
): Promise<Registration | undefined> {
  return trx
    .selectFrom('bridge.registration')
    .select(COLUMNS)
    .where('product', '=', registrant.product)
    .where('address', '=', registrant.address)
    .where('state', '=', 'pending')
    .executeTakeFirst();
}

/** Compare-and-set: true when the attempt was in one of `from`. */
export async function moveRegistration(
  trx: Trx,
  attemptId: string,
  from: readonly RegistrationState[],
  to: RegistrationState,
  at: Date,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('bridge.registration')
    .set({ state: to, settled_at: at })
    .where('attempt_id', '=', attemptId)
    .where('state', 'in', from)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Keycloak gave an attempt up. False, and nothing written, when it is not this user's or was settled before. */
export async function recordRollback(db: Db, { attemptId, userId }: { attemptId: string; userId: string }): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('bridge.registration')
    .set({ outcome: 'rolled_back' })
    .where('attempt_id', '=', attemptId)
    .where('user_id', '=', userId)
    .where('state', '=', 'pending')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/**
 * A pending attempt whose user exists is confirmed, every invitation of its registrant is spent, and `noLook` takes back
 * the job that would have looked for it. One statement. False, and nothing written, when it is not this user's or not pending.
 */
export async function confirmRegistration(
  db: Db | Trx,
  { attemptId, userId, outcome }: { attemptId: string; userId: string; outcome: 'committed' | null },
  now: Date,
  noLook: RawBuilder<unknown>,
): Promise<boolean> {
  const { rows } = await sql`
    with registrant as materialized (
      select attempt_id, ${registrantLock(sql`product`, sql`address`)} from bridge.registration where attempt_id = ${attemptId}
    ), confirmed as (
      update bridge.registration as one set state = 'confirmed', settled_at = ${now}, outcome = coalesce(${outcome}, outcome)
      from registrant where one.attempt_id = registrant.attempt_id and user_id = ${userId} and state = 'pending' returning product, address
    ), spent as (
      update bridge.invitation as one set state = 'spent'
      from confirmed where one.product = confirmed.product and one.address = confirmed.address and state in ('issued', 'reserved')
    )
    select ${noLook} from confirmed`.execute(db);
  return rows.length > 0;
}

/** The same attempt once more: pending, and looked for from now on. */
export async function reopenRegistration(
  trx: Trx,
  attemptId: string,
  anew: Pick<Registration, 'trialAppId' | 'trialEndsAt' | 'trialAccessUntil' | 'attemptedAt'>,
): Promise<Registration> {
  return trx
    .updateTable('bridge.registration')
    .set({
      state: 'pending',
      trial_app_id: anew.trialAppId,
      trial_ends_at: anew.trialEndsAt,
      trial_access_until: anew.trialAccessUntil,
      attempted_at: anew.attemptedAt,
      absent_at: null,
      looks: 0,
      settled_at: null,
    })
    .where('attempt_id', '=', attemptId)
    .returning(COLUMNS)
    .executeTakeFirstOrThrow();
}

/** Whose account it became: only a program's attempt learns that afterwards. */
export async function nameUser(trx: Trx, attemptId: string, userId: string): Promise<void> {
  await trx.updateTable('bridge.registration').set({ user_id: userId }).where('attempt_id', '=', attemptId).execute();
}

/** Counts a look; `absentAt` null means that the user was there. */
export async function recordLook(trx: Trx, attemptId: string, absentAt: Date | null): Promise<void> {
  await trx
    .updateTable('bridge.registration')
    .set((eb) => ({ looks: eb('looks', '+', 1), absent_at: absentAt }))
    .where('attempt_id', '=', attemptId)
    .execute();
}

export async function hasConfirmedRegistration(trx: Db | Trx, of: { product: string; userId: string }): Promise<boolean> {
  const row = await trx
    .selectFrom('bridge.registration')
    .select('attempt_id')
    .where('product', '=', of.product)
    .where('user_id', '=', of.userId)
    .where('state', '=', 'confirmed')
    .executeTakeFirst();
  return row !== undefined;
}

/** The user that last registered under this address, confirmed ones first. */
export async function findUserIdByAddress(db: Db, address: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('bridge.registration')
    .select('user_id')
    .where('address', '=', address)
    .where('user_id', 'is not', null)
    .where('state', 'in', ['confirmed', 'pending'])
    .orderBy('state')
    .orderBy('attempted_at', 'desc')
    .executeTakeFirst();
  return row?.user_id ?? undefined;
}

/** Attempts that were given up although this user may have been stamped by one of them, newest first. */
export async function findGivenUpRegistration(db: Db, userId: string, products: readonly string[]): Promise<Registration | undefined> {
  return db
    .selectFrom('bridge.registration')
    .select(COLUMNS)
    .where('user_id', '=', userId)
    .where('product', 'in', products)
    .where('state', 'in', ['released', 'superseded'])
    .orderBy('attempted_at', 'desc')
    .executeTakeFirst();
}
