import { CompiledQuery, sql } from 'kysely';
import { addingReconcileJob } from '../db/job.ts';
import type { Db, RegistrationState, Trx } from '../db/schema.ts';
import { REGISTRANT_LOCK } from './invitation.store.ts';
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
  /** The account was there before the trial. */
  joins: boolean;
}

/** A registration whose user is known. */
export type OfUser = Registration & { userId: string };

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
  'joins',
] as const;

/** The next ones come with the next sweep. */
const FIRST_LOOKS_AT_ONCE = 1_000;

const COLUMNS_OF_ATTEMPT = COLUMNS.map((column) => column.replace(/ as (\w+)$/, ' as "$1"')).join(', ');

/** What the registrant of an invitation may get: one for each product, and the invitation says which. */
export interface Offer {
  product: string;
  trialEndsAt: Date;
  trialAccessUntil: Date;
  app: Omit<NewTrialApp, 'id'>;
}

export interface NewRegistration extends Pick<Registration, 'attemptId' | 'userId' | 'madeBy' | 'trialAppId' | 'attemptedAt'> {
  /** Undefined: the invitation's. */
  locale: string | undefined;
  requestId: string;
}

const RESERVE = `/* prepared: reserve */
  with offer as (
    select * from jsonb_to_recordset($1::jsonb) as one (product text, trial_ends_at timestamptz, trial_access_until timestamptz, name text, path text, permissions text[])
  ), registrant as materialized (
    select id, product, ${REGISTRANT_LOCK} from bridge.invitation where token_hash = $2 and address = $3 and account_id is null
  ), held as (
    update bridge.invitation as one set state = 'reserved', attempt_id = $5
    from registrant join offer on offer.product = registrant.product
    where one.id = registrant.id and state = 'issued' and ($4::timestamptz is null or expires_at > $4)
    returning one.id, one.address, one.locale, offer.*
  ), attempt as (
    insert into bridge.registration (
      attempt_id, invitation_id, product, address, user_id, made_by, locale, trial_app_id, trial_ends_at, trial_access_until, attempted_at, first_look_at, request_id
    )
    select $5::uuid, id, product, address, $6, $7, coalesce($8, locale), $9::uuid, trial_ends_at, trial_access_until, $10::timestamptz, now() + make_interval(secs => $11), $12
    from held returning *
  ), ${trialOfAttempt({ id: '$9::uuid', name: '(select name from held)', path: '(select path from held)', permissions: '(select permissions from held)' })}
  select ${COLUMNS_OF_ATTEMPT} from attempt`;

/**
 * The attempt, the invitation that it holds from now on, and the trial of a user who is known; after so many seconds of
 * real time a job finds out what came of it. One statement, because Keycloak waits for it. Undefined, and nothing written,
 * when that address has no such invitation, or it is not issued, has expired by `now`, or is for none of `offers`. Throws a
 * unique violation where the registrant has a pending attempt, the attempt was made before, or the user has a trial of the product.
 */
export async function insertRegistration(
  db: Db | Trx,
  invitation: { tokenHash: Buffer; address: string; now: Date | null },
  attempt: NewRegistration,
  offers: readonly Offer[],
  firstLookInSeconds: number,
): Promise<Registration | undefined> {
  const rows = offers.map(({ product, trialEndsAt, trialAccessUntil, app }) => ({ product, trial_ends_at: trialEndsAt, trial_access_until: trialAccessUntil, ...app }));
  const { attemptId, userId, madeBy, locale = null, trialAppId, attemptedAt, requestId } = attempt;
  const values = [JSON.stringify(rows), invitation.tokenHash, invitation.address, invitation.now, attemptId, userId, madeBy, locale, trialAppId, attemptedAt, firstLookInSeconds, requestId];
  return (await db.executeQuery<Registration>(CompiledQuery.raw(RESERVE, values))).rows[0];
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

/**
 * Has a job look for each attempt whose first look is due, or, with `all`, will ever be. Whatever became of the attempt: also
 * one that was superseded may have been committed. One statement, so that an attempt is never without both. Answers how many.
 */
export async function queueFirstLooks(db: Db, { all }: { all: boolean }): Promise<number> {
  const { rows } = await sql`
    with due as (
      select attempt_id from bridge.registration where first_look_at <= ${all ? sql`'infinity'` : sql`now()`} order by first_look_at
      limit ${FIRST_LOOKS_AT_ONCE} for update skip locked
    ), queued as (
      update bridge.registration as one set first_look_at = null from due where one.attempt_id = due.attempt_id returning one.attempt_id
    )
    select ${addingReconcileJob(sql`attempt_id`)} from queued`.execute(db);
  return rows.length;
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

// In the order of registrants, and then of lives, in whose timelines a trigger writes it: two that lock several wait for each other in turn.
const CONFIRM = `/* prepared: confirm */
  with told as (
    select * from unnest($1::uuid[], $2::text[]) as one (attempt_id, user_id)
  ), registrant as materialized (
    select attempt_id, ${REGISTRANT_LOCK} from (
      select attempt_id, product, address from bridge.registration where attempt_id = any ($1) order by product, address
    ) as one
  ), life as materialized (
    select life.id from bridge.life join bridge.registration as one on one.user_id = life.user_id and one.product = life.product
    where one.attempt_id = any ($1) and (select count(*) from registrant) > 0 order by life.id for no key update of life
  ), confirmed as (
    update bridge.registration as one set state = 'confirmed', settled_at = $3, first_look_at = null, outcome = coalesce($4, outcome)
    from registrant join told on told.attempt_id = registrant.attempt_id
    where one.attempt_id = registrant.attempt_id and one.user_id = told.user_id and state = 'pending' and (select count(*) from life) >= 0
    returning one.attempt_id, product, address
  ), spent as (
    update bridge.invitation as one set state = 'spent'
    from confirmed where one.product = confirmed.product and one.address = confirmed.address and state in ('issued', 'reserved')
  )
  select attempt_id as "attemptId" from confirmed`;

/**
 * Pending attempts whose users exist are confirmed, and every invitation of their registrants is spent: nobody needs to look
 * for them any more. One statement. Answers the attempts that were this user's and pending; of the others nothing is written.
 */
export async function confirmRegistrations(
  db: Db | Trx,
  attempts: readonly { attemptId: string; userId: string }[],
  outcome: 'committed' | null,
  now: Date,
): Promise<ReadonlySet<string>> {
  const values = [attempts.map(({ attemptId }) => attemptId), attempts.map(({ userId }) => userId), now, outcome];
  const { rows } = await db.executeQuery<{ attemptId: string }>(CompiledQuery.raw(CONFIRM, values));
  return new Set(rows.map(({ attemptId }) => attemptId));
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

/** An attempt to begin a trial on an account that is there. Its trial is still to be provisioned. */
export async function insertJoin(
  trx: Trx,
  attempt: Pick<Registration, 'attemptId' | 'invitationId' | 'product' | 'address' | 'locale' | 'trialAppId' | 'trialEndsAt' | 'trialAccessUntil' | 'attemptedAt'> & { userId: string; requestId: string },
): Promise<OfUser> {
  const row = await trx
    .insertInto('bridge.registration')
    .values({
      attempt_id: attempt.attemptId,
      invitation_id: attempt.invitationId,
      product: attempt.product,
      address: attempt.address,
      user_id: attempt.userId,
      locale: attempt.locale,
      trial_app_id: attempt.trialAppId,
      trial_ends_at: attempt.trialEndsAt,
      trial_access_until: attempt.trialAccessUntil,
      attempted_at: attempt.attemptedAt,
      request_id: attempt.requestId,
      joins: true,
    })
    .returning(COLUMNS)
    .executeTakeFirstOrThrow();
  return { ...row, userId: attempt.userId };
}

/** The attempt that the trial of this person and product came of. */
export async function findRegistrationOfTrial(trx: Trx, of: { product: string; userId: string }): Promise<Registration | undefined> {
  const trial = trx.selectFrom('bridge.trial').select('attempt_id').where('product', '=', of.product).where('user_id', '=', of.userId);
  return trx.selectFrom('bridge.registration').select(COLUMNS).where('attempt_id', '=', trial).executeTakeFirst();
}

/** Attempts that were given up although this user may have been stamped by one of them, newest first. */
export async function findGivenUpRegistration(db: Db, userId: string, products: readonly string[]): Promise<Registration | undefined> {
  return db
    .selectFrom('bridge.registration')
    .select(COLUMNS)
    .where('user_id', '=', userId)
    .where('product', 'in', products)
    .where('state', 'in', ['released', 'superseded'])
    // Of an account that was there before, being there says nothing.
    .where('joins', '=', false)
    .orderBy('attempted_at', 'desc')
    .executeTakeFirst();
}
