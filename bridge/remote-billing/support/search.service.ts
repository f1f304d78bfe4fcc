import { canonicalAddress } from '../../address/address.ts';
import type { AddressHash } from '../../address/address-hash.ts';
import type { Db } from '../../db/schema.ts';
import { findPlace, type Place } from '../place.ts';
import { matchesOfAddress, matchesOfHost, matchesOfUuid, pendingRequests, type Match, type Matched } from './search.store.ts';

const MOST_HITS = 50;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export interface Found {
  hits: readonly { place: Place; matched: readonly Matched[] }[];
  /** There are others. */
  more: boolean;
}

/** Places by an e-mail address, part of a host, or a UUID. */
export async function search(db: Db, using: { hash: AddressHash }, query: string): Promise<Found> {
  const matches = await match(db, using, query.trim().toLowerCase());
  const places = Map.groupBy(matches, ({ serverId, realmId }) => `${serverId}/${realmId ?? ''}`);
  const found = await Promise.all([...places.values()].slice(0, MOST_HITS).map(async (ofOne) => ({ place: await findPlace(db, ofOne[0]!), matched: ofOne.map(({ matched }) => matched) })));
  return { hits: found.flatMap(({ place, matched }) => (place === undefined ? [] : [{ place, matched }])), more: places.size > MOST_HITS };
}

/** Requests for sponsorship that wait, the oldest first. */
export async function listPending(db: Db, limit: number) {
  const waiting = await pendingRequests(db, limit + 1);
  const found = await Promise.all(waiting.slice(0, limit).map(async ({ serverId, realmId, ...request }) => ({ ...request, place: await findPlace(db, { serverId, realmId }) })));
  return { requests: found.flatMap(({ place, ...request }) => (place === undefined ? [] : [{ ...request, place }])), more: waiting.length > limit };
}

async function match(db: Db, { hash }: { hash: AddressHash }, written: string): Promise<readonly Match[]> {
  if (UUID.test(written)) return matchesOfUuid(db, written, MOST_HITS + 1);
  if (!written.includes('@')) return matchesOfHost(db, written, MOST_HITS + 1);
  const address = canonicalAddress(written);
  return address === undefined ? [] : matchesOfAddress(db, { address, mailboxHash: hash.mailbox(address), written }, MOST_HITS + 1);
}
