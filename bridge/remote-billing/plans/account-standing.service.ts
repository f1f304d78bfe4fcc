import type { Trx } from '../../db/schema.ts';
import { findPlace } from '../place.ts';
import { findRealm } from '../realm.store.ts';
import { isDeactivated } from '../standing.ts';
import type { Account } from './account.store.ts';

/** What nobody may open gets no plan, and no further period of one. */
export async function isShut(trx: Trx, { realmId, serverId }: Pick<Account, 'realmId' | 'serverId'>): Promise<boolean> {
  const owner = realmId === null ? serverId : (await findRealm(trx, realmId))?.serverId;
  const place = owner == null ? undefined : await findPlace(trx, { serverId: owner, realmId });
  return place === undefined || isDeactivated(place);
}
