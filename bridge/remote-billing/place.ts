import type { Db, Trx } from '../db/schema.ts';
import { findRealm, findRealmForUpdate, type RemoteRealm } from './realm.store.ts';
import { findServer, findServerForUpdate, type RemoteServer } from './server.store.ts';

/** What somebody signs in for: a realm of a server, or the whole server. */
export interface Place {
  server: RemoteServer;
  realm: RemoteRealm | undefined;
}

interface PlaceIds {
  serverId: string;
  realmId: string | null;
}

export async function findPlace(db: Db | Trx, { serverId, realmId }: PlaceIds): Promise<Place | undefined> {
  return asPlace(await findServer(db, serverId), realmId === null ? null : await findRealm(db, realmId));
}

/** Until the transaction has ended nobody else signs in here, is deactivated, renews the key or moves a plan. */
export async function lockPlace(trx: Trx, { serverId, realmId }: PlaceIds): Promise<Place | undefined> {
  return asPlace(await findServerForUpdate(trx, serverId), realmId === null ? null : await findRealmForUpdate(trx, realmId));
}

/** `null`: no realm is meant; undefined: the one that is meant is gone. */
function asPlace(server: RemoteServer | undefined, realm: RemoteRealm | null | undefined): Place | undefined {
  if (server === undefined || realm === undefined || (realm !== null && realm.serverId !== server.id)) return undefined;
  return { server, realm: realm ?? undefined };
}

/** What the host of a place is, somebody has proven by a challenge: of a realm only where it is the server's own. */
export function isHostProven({ server, realm }: { server: Pick<RemoteServer, 'hostname' | 'hostnameVerified'>; realm: Pick<RemoteRealm, 'host'> | undefined }): boolean {
  return server.hostnameVerified && (realm === undefined || realm.host === server.hostname);
}

export function idsOf({ server, realm }: Place): PlaceIds {
  return { serverId: server.id, realmId: realm?.id ?? null };
}

export function isSamePlace(one: PlaceIds, other: PlaceIds): boolean {
  return one.serverId === other.serverId && one.realmId === other.realmId;
}
