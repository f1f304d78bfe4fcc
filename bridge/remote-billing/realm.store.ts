import type { Db, Trx } from '../db/schema.ts';
import type { PlanType } from '../db/remote-billing.schema.ts';

/** What a server tells of an organization. */
export interface ReportedRealm {
  id: string;
  localId: number;
  host: string;
  url: string;
  name: string;
  orgType: number;
  dateCreated: Date;
  authenticationMethods: Readonly<Record<string, boolean>>;
  isSystemBotRealm: boolean;
  deactivated: boolean;
}

export interface RemoteRealm extends ReportedRealm {
  serverId: string;
  ownerSecretHash: Buffer;
  locallyDeleted: boolean;
  registrationDeactivated: boolean;
  planType: PlanType;
  seats: number | null;
  seatsReportedAt: Date | null;
}

export async function findRealm(db: Db | Trx, id: string): Promise<RemoteRealm | undefined> {
  const row = await selectRealms(db).where('id', '=', id).executeTakeFirst();
  return row && toRealm(row);
}

/** After its server. */
export async function findRealmForUpdate(trx: Trx, id: string): Promise<RemoteRealm | undefined> {
  const row = await selectRealms(trx).where('id', '=', id).forNoKeyUpdate().executeTakeFirst();
  return row && toRealm(row);
}

export async function findRealmsOfServer(db: Db | Trx, serverId: string): Promise<readonly RemoteRealm[]> {
  return (await selectRealms(db).where('server_id', '=', serverId).orderBy('first_seen_at').orderBy('id').execute()).map(toRealm);
}

export async function findRealms(db: Db | Trx, ids: readonly string[]): Promise<readonly RemoteRealm[]> {
  return ids.length === 0 ? [] : (await selectRealms(db).where('id', 'in', ids).execute()).map(toRealm);
}

function selectRealms(db: Db | Trx) {
  return db
    .selectFrom('bridge.remote_realm')
    .select([
      'id',
      'server_id as serverId',
      'owner_secret_hash as ownerSecretHash',
      'local_id as localId',
      'host',
      'url',
      'name',
      'org_type as orgType',
      'date_created as dateCreated',
      'authentication_methods as authenticationMethods',
      'is_system_bot_realm as isSystemBotRealm',
      'deactivated',
      'locally_deleted_at as locallyDeletedAt',
      'registration_deactivated_at as registrationDeactivatedAt',
      'plan_type as planType',
      'seats',
      'seats_reported_at as seatsReportedAt',
    ]);
}

function toRealm({ localId, locallyDeletedAt, registrationDeactivatedAt, ...row }: Awaited<ReturnType<ReturnType<typeof selectRealms>['executeTakeFirstOrThrow']>>): RemoteRealm {
  return { ...row, localId: Number(localId), locallyDeleted: locallyDeletedAt !== null, registrationDeactivated: registrationDeactivatedAt !== null };
}

/** False when another transaction made it first. */
export async function insertRealm(trx: Trx, serverId: string, realm: ReportedRealm, ownerSecretHash: Buffer, at: Date): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('bridge.remote_realm')
    .values({ id: realm.id, server_id: serverId, owner_secret_hash: ownerSecretHash, first_seen_at: at, ...columnsOf(realm) })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

/** As the server last told it; one that was deleted there is back. */
export async function updateRealm(trx: Trx, realm: ReportedRealm): Promise<void> {
  await trx.updateTable('bridge.remote_realm').set({ ...columnsOf(realm), locally_deleted_at: null }).where('id', '=', realm.id).execute();
}

function columnsOf(realm: ReportedRealm) {
  return {
    local_id: String(realm.localId),
    host: realm.host,
    url: realm.url,
    name: realm.name,
    org_type: realm.orgType,
    date_created: realm.dateCreated,
    authentication_methods: JSON.stringify(realm.authenticationMethods),
    is_system_bot_realm: realm.isSystemBotRealm,
    deactivated: realm.deactivated,
  };
}

export async function markLocallyDeleted(trx: Trx, ids: readonly string[], at: Date): Promise<void> {
  if (ids.length === 0) return;
  await trx.updateTable('bridge.remote_realm').set({ locally_deleted_at: at }).where('id', 'in', ids).where('locally_deleted_at', 'is', null).execute();
}

/** By staff: `null` takes it back. */
export async function setRegistrationDeactivated(trx: Trx, id: string, at: Date | null): Promise<void> {
  await trx.updateTable('bridge.remote_realm').set({ registration_deactivated_at: at }).where('id', '=', id).execute();
}

/** An older report changes nothing. */
export async function reportSeats(trx: Trx, id: string, seats: number, reportedAt: Date): Promise<void> {
  await trx
    .updateTable('bridge.remote_realm')
    .set({ seats, seats_reported_at: reportedAt })
    .where('id', '=', id)
    .where((eb) => eb.or([eb('seats_reported_at', 'is', null), eb('seats_reported_at', '<=', reportedAt)]))
    .execute();
}
