import type { Db, Trx } from '../db/schema.ts';
import type { PlanType } from '../db/remote-billing.schema.ts';

export interface RemoteServer {
  id: string;
  keyHash: Buffer;
  keyGeneration: number;
  hostname: string;
  hostnameVerified: boolean;
  contactEmail: string;
  planType: PlanType;
  deactivated: boolean;
}

export async function findServer(db: Db | Trx, id: string): Promise<RemoteServer | undefined> {
  const row = await selectServers(db).where('id', '=', id).executeTakeFirst();
  return row && toServer(row);
}

/** One act of a server, its realms and their people after the other. Whoever locks any of these locks their server first. */
export async function findServerForUpdate(trx: Trx, id: string): Promise<RemoteServer | undefined> {
  const row = await selectServers(trx).where('id', '=', id).forNoKeyUpdate().executeTakeFirst();
  return row && toServer(row);
}

export async function findActiveServerByHostname(db: Db | Trx, hostname: string): Promise<RemoteServer | undefined> {
  const row = await selectServers(db).where('hostname', '=', hostname).where('deactivated_at', 'is', null).executeTakeFirst();
  return row && toServer(row);
}

function selectServers(db: Db | Trx) {
  return db
    .selectFrom('bridge.remote_server')
    .select([
      'id',
      'key_hash as keyHash',
      'key_generation as keyGeneration',
      'hostname',
      'hostname_verified_at as hostnameVerifiedAt',
      'contact_email as contactEmail',
      'plan_type as planType',
      'deactivated_at as deactivatedAt',
    ]);
}

function toServer({ hostnameVerifiedAt, deactivatedAt, ...row }: Awaited<ReturnType<ReturnType<typeof selectServers>['executeTakeFirstOrThrow']>>): RemoteServer {
  return { ...row, hostnameVerified: hostnameVerifiedAt !== null, deactivated: deactivatedAt !== null };
}

/** False when the id or the hostname is taken. */
export async function insertServer(trx: Trx, server: { id: string; keyHash: Buffer; hostname: string; contactEmail: string; registeredAt: Date }): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('bridge.remote_server')
    .values({
      id: server.id,
      key_hash: server.keyHash,
      hostname: server.hostname,
      contact_email: server.contactEmail,
      registered_at: server.registeredAt,
      last_request_at: server.registeredAt,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

/** A new hostname is unverified again. */
export async function updateServerContact(trx: Trx, server: { id: string; hostname: string; contactEmail: string; at: Date }): Promise<void> {
  await trx
    .updateTable('bridge.remote_server')
    .set((eb) => ({
      hostname: server.hostname,
      hostname_verified_at: eb.case().when('hostname', '=', server.hostname).then(eb.ref('hostname_verified_at')).else(null).end(),
      contact_email: server.contactEmail,
      last_request_at: server.at,
    }))
    .where('id', '=', server.id)
    .execute();
}

export async function renewServerKey(trx: Trx, id: string, keyHash: Buffer): Promise<void> {
  await trx
    .updateTable('bridge.remote_server')
    .set((eb) => ({ key_hash: keyHash, key_generation: eb('key_generation', '+', 1) }))
    .where('id', '=', id)
    .execute();
}

export async function markHostnameVerified(trx: Trx, id: string, at: Date): Promise<void> {
  await trx.updateTable('bridge.remote_server').set({ hostname_verified_at: at }).where('id', '=', id).execute();
}

export async function touchServer(db: Db, id: string, at: Date): Promise<void> {
  await db.updateTable('bridge.remote_server').set({ last_request_at: at }).where('id', '=', id).execute();
}

export async function deactivateServer(trx: Trx, id: string, at: Date): Promise<void> {
  await trx.updateTable('bridge.remote_server').set({ deactivated_at: at }).where('id', '=', id).where('deactivated_at', 'is', null).execute();
}

/** False when the hostname is another active server's by now. */
export async function reactivateServer(trx: Trx, id: string): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('bridge.remote_server as s')
    .set({ deactivated_at: null })
    .where('s.id', '=', id)
    .where(({ not, exists, selectFrom }) => not(exists(selectFrom('bridge.remote_server as o').select('o.id').whereRef('o.hostname', '=', 's.hostname').where('o.deactivated_at', 'is', null))))
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** What only support asks for. */
export interface ServerFacts {
  version: string | null;
  registeredAt: Date;
  lastRequestAt: Date;
}

export async function readServerFacts(db: Db, id: string): Promise<ServerFacts> {
  return db.selectFrom('bridge.remote_server').select(['version', 'registered_at as registeredAt', 'last_request_at as lastRequestAt']).where('id', '=', id).executeTakeFirstOrThrow();
}

/** How far the server's reports have been taken, by its own row numbers. */
export interface ReportMarks {
  lastRealmCountId: number;
  lastInstallationCountId: number;
  lastRealmauditlogId: number;
}

export async function readReportMarks(db: Db | Trx, id: string): Promise<ReportMarks> {
  const row = await db
    .selectFrom('bridge.remote_server')
    .select(['last_realm_count_id', 'last_installation_count_id', 'last_realmauditlog_id'])
    .where('id', '=', id)
    .executeTakeFirst();
  return {
    lastRealmCountId: Number(row?.last_realm_count_id ?? 0),
    lastInstallationCountId: Number(row?.last_installation_count_id ?? 0),
    lastRealmauditlogId: Number(row?.last_realmauditlog_id ?? 0),
  };
}

export async function writeReport(trx: Trx, id: string, marks: ReportMarks, version: string | null): Promise<void> {
  await trx
    .updateTable('bridge.remote_server')
    .set({
      last_realm_count_id: String(marks.lastRealmCountId),
      last_installation_count_id: String(marks.lastInstallationCountId),
      last_realmauditlog_id: String(marks.lastRealmauditlogId),
      ...(version === null ? {} : { version }),
    })
    .where('id', '=', id)
    .execute();
}
