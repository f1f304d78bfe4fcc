import type { Db, RegistrationState, Trx } from '../db/schema.ts';

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

export async function insertRegistration(trx: Trx, registration: NewRegistration): Promise<Registration> {
  return trx
    .insertInto('bridge.registration')
    .values({
      attempt_id: registration.attemptId,
      invitation_id: registration.invitationId,
      product: registration.product,
      address: registration.address,
      user_id: registration.userId,
      made_by: registration.madeBy,
      locale: registration.locale,
      trial_app_id: registration.trialAppId,
      trial_ends_at: registration.trialEndsAt,
      trial_access_until: registration.trialAccessUntil,
      attempted_at: registration.attemptedAt,
    })
    .returning(COLUMNS)
    .executeTakeFirstOrThrow();
}

export async function findRegistration(db: Db | Trx, attemptId: string): Promise<Registration | undefined> {
  return db.selectFrom('bridge.registration').select(COLUMNS).where('attempt_id', '=', attemptId).executeTakeFirst();
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

export async function recordOutcome(trx: Trx, attemptId: string, outcome: 'committed' | 'rolled_back'): Promise<void> {
  await trx.updateTable('bridge.registration').set({ outcome }).where('attempt_id', '=', attemptId).execute();
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

export async function hasConfirmedRegistration(trx: Trx, of: { product: string; userId: string }): Promise<boolean> {
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
