import { sql } from 'kysely';
import type { Db } from '../db/schema.ts';
import type { LifeState } from './transitions.ts';

export interface LifeRow {
  id: string;
  product: string;
  address: string | null;
  userId: string | null;
  state: LifeState;
  trialEndsAt: Date | null;
  beganAt: Date;
}

/** Where a page ends: the next one begins after it. */
export interface After {
  beganAt: Date;
  id: string;
}

export interface LifeFilter {
  product?: string | undefined;
  state?: LifeState | undefined;
  /** The beginning of an address, `@` and the end of one, a user's id or a trial's. */
  search?: string | undefined;
  /** Of a search that is a whole address: finds who was erased, too. */
  addressHash?: Buffer | undefined;
  after?: After | undefined;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Newest first. */
export async function listLives(db: Db, { product, state, search, addressHash, after }: LifeFilter, limit: number): Promise<readonly LifeRow[]> {
  let query = db
    .selectFrom('bridge.life as life')
    .leftJoin('bridge.trial as trial', (join) => join.onRef('trial.user_id', '=', 'life.user_id').onRef('trial.product', '=', 'life.product'))
    .select(['life.id', 'life.product', 'life.address', 'life.user_id as userId', 'life.state', 'trial.trial_ends_at as trialEndsAt', 'life.began_at as beganAt'])
    .orderBy('life.began_at', 'desc')
    .orderBy('life.id', 'desc')
    .limit(limit);
  if (product !== undefined) query = query.where('life.product', '=', product);
  if (state !== undefined) query = query.where('life.state', '=', state);
  if (after !== undefined) query = query.where(sql<boolean>`(life.began_at, life.id) < (${after.beganAt}, ${after.id}::uuid)`);
  if (search !== undefined) query = query.where(addressHash === undefined ? matching(search) : sql<boolean>`(${matching(search)} or life.address_hash = ${addressHash})`);
  return query.execute();
}

// Each of them has an index (migration 0007).
function matching(search: string) {
  if (UUID.test(search)) return sql<boolean>`(life.id = ${search}::uuid or life.user_id = ${search})`;
  const text = search.toLowerCase();
  if (search.startsWith('@')) return sql<boolean>`reverse(life.address) like ${beginningWith([...text].toReversed().join(''))}`;
  return sql<boolean>`life.address like ${beginningWith(text)}`;
}

function beginningWith(text: string): string {
  return `${text.replace(/[\\%_]/g, '\\$&')}%`;
}
