import type { Db, Trx } from '../db/schema.ts';
import type { BillingUserState } from '../db/remote-billing.schema.ts';

/** Whom a login is for: somebody of a realm, known by the server's uuid, or of a whole server, known by the address. */
export type BillingPerson = { realmId: string; userUuid: string } | { serverId: string; email: string };

export interface BillingUser {
  id: string;
  realmId: string | null;
  serverId: string | null;
  email: string;
  fullName: string;
  state: BillingUserState;
  dateJoined: Date;
  lastLogin: Date | null;
  tosVersion: string | null;
  majorReleaseMails: boolean;
  maintenanceReleaseMails: boolean;
}

export async function findBillingUser(db: Db | Trx, person: BillingPerson): Promise<BillingUser | undefined> {
  return selectPerson(db, person).executeTakeFirst();
}

export async function findBillingUserForUpdate(trx: Trx, person: BillingPerson): Promise<BillingUser | undefined> {
  return selectPerson(trx, person).forUpdate().executeTakeFirst();
}

export async function findBillingUserById(db: Db | Trx, id: string): Promise<BillingUser | undefined> {
  return selectUsers(db).where('id', '=', id).executeTakeFirst();
}

/** Everybody of a realm or of a whole server who ever confirmed an address. */
export async function listBillingUsers(db: Db | Trx, of: { realmId: string } | { serverId: string }): Promise<readonly BillingUser[]> {
  return (await listAllBillingUsers(db, of)).filter(({ state }) => state !== 'pending');
}

/** With those who have only opened a link. */
export async function listAllBillingUsers(db: Db | Trx, of: { realmId: string } | { serverId: string }): Promise<readonly BillingUser[]> {
  const all = selectUsers(db).orderBy('date_joined').orderBy('id');
  return ('realmId' in of ? all.where('realm_id', '=', of.realmId) : all.where('server_id', '=', of.serverId)).execute();
}

function selectPerson(db: Db | Trx, person: BillingPerson) {
  const users = selectUsers(db);
  return 'realmId' in person
    ? users.where('realm_id', '=', person.realmId).where('user_uuid', '=', person.userUuid)
    : users.where('server_id', '=', person.serverId).where('email', '=', person.email);
}

function selectUsers(db: Db | Trx) {
  return db
    .selectFrom('bridge.billing_user')
    .select([
      'id',
      'realm_id as realmId',
      'server_id as serverId',
      'email',
      'full_name as fullName',
      'state',
      'date_joined as dateJoined',
      'last_login as lastLogin',
      'tos_version as tosVersion',
      'major_release_mails as majorReleaseMails',
      'maintenance_release_mails as maintenanceReleaseMails',
    ]);
}

/** Somebody who has opened a link. False for whoever is there already: they stay as they are. */
export async function insertPendingUser(trx: Trx, person: BillingPerson, given: { email: string; fullName: string; joinedAt: Date }): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('bridge.billing_user')
    .values({
      ...('realmId' in person ? { realm_id: person.realmId, user_uuid: person.userUuid, server_id: null } : { realm_id: null, user_uuid: null, server_id: person.serverId }),
      email: given.email,
      full_name: given.fullName,
      date_joined: given.joinedAt,
      last_login: null,
      tos_version: null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

export async function confirmLogin(
  trx: Trx,
  userId: string,
  given: { email: string; fullName: string; majorReleaseMails: boolean; maintenanceReleaseMails: boolean; tosVersion: string; at: Date },
): Promise<void> {
  await trx
    .updateTable('bridge.billing_user')
    .set({
      state: 'confirmed',
      email: given.email,
      full_name: given.fullName,
      major_release_mails: given.majorReleaseMails,
      maintenance_release_mails: given.maintenanceReleaseMails,
      tos_version: given.tosVersion,
      last_login: given.at,
    })
    .where('id', '=', userId)
    .execute();
}

/** Compare-and-set: false when the user was not confirmed. */
export async function deactivateBillingUser(trx: Trx, userId: string): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('bridge.billing_user')
    .set({ state: 'deactivated' })
    .where('id', '=', userId)
    .where('state', '=', 'confirmed')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** By staff, whatever the state before. */
export async function setBillingUserState(trx: Trx, userId: string, state: BillingUserState): Promise<void> {
  await trx.updateTable('bridge.billing_user').set({ state }).where('id', '=', userId).execute();
}

/** The terms that this person was shown and ticked (SECURITY.md 19). */
export async function insertConsent(trx: Trx, consent: { userId: string; version: string; email: string; clientAddress: string; tickedAt: Date }): Promise<void> {
  await trx
    .insertInto('bridge.billing_consent')
    .values({ user_id: consent.userId, version: consent.version, email: consent.email, client_address: consent.clientAddress, ticked_at: consent.tickedAt })
    .execute();
}
