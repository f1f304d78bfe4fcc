import type { Clock } from '../../../platform/clock.ts';
import type { Db } from '../../db/schema.ts';
import { findActiveRealms } from '../active-realms.ts';
import { listActs } from '../audit.store.ts';
import { listAllBillingUsers, type BillingUser } from '../billing-user.store.ts';
import { listOpenConfirmations } from '../login-request.store.ts';
import { findPlace, type Place } from '../place.ts';
import { readAccountOf, readInvoice, type AccountState } from '../plans/account.service.ts';
import type { AccountOf } from '../plans/account.store.ts';
import type { Invoice } from '../plans/invoice.store.ts';
import { findRealm, findRealmsOfServer, type RemoteRealm } from '../realm.store.ts';
import { readServerFacts, type ServerFacts } from '../server.store.ts';
import { nothingThere } from './staff.ts';

const MOST_ACTS = 100;

export interface PlaceName {
  kind: 'realm' | 'server';
  uuid: string;
}

export interface ReadPlace {
  place: Place;
  facts: ServerFacts;
  realms: readonly RemoteRealm[];
  activeRealms: readonly RemoteRealm[];
  state: AccountState;
  users: readonly BillingUser[];
  confirmations: Awaited<ReturnType<typeof listOpenConfirmations>>;
  acts: Awaited<ReturnType<typeof listActs>>;
}

/** @throws not_found */
export async function findPlaceOf(db: Db, { kind, uuid }: PlaceName): Promise<Place> {
  const realm = kind === 'server' ? undefined : await findRealm(db, uuid);
  const serverId = kind === 'server' ? uuid : realm?.serverId;
  const place = serverId === undefined ? undefined : await findPlace(db, { serverId, realmId: realm?.id ?? null });
  if (place === undefined) throw nothingThere();
  return place;
}

export async function readPlace(db: Db, using: { clock: Clock }, name: PlaceName): Promise<ReadPlace> {
  const place = await findPlaceOf(db, name);
  const of = ofPlace(place);
  return {
    place,
    facts: await readServerFacts(db, place.server.id),
    realms: await findRealmsOfServer(db, place.server.id),
    activeRealms: await findActiveRealms(db, place.server),
    state: await readAccountOf(db, of),
    users: await listAllBillingUsers(db, of),
    confirmations: await listOpenConfirmations(db, { serverId: place.server.id, realmId: place.realm?.id ?? null }, using.clock.now()),
    acts: await listActs(db, of, MOST_ACTS),
  };
}

export async function readInvoiceOf(db: Db, name: PlaceName, number: number): Promise<Invoice> {
  const invoice = await readInvoice(db, ofPlace(await findPlaceOf(db, name)), number);
  if (invoice === undefined) throw nothingThere();
  return invoice;
}

export function ofPlace({ server, realm }: Place): AccountOf {
  return realm === undefined ? { serverId: server.id } : { realmId: realm.id };
}
