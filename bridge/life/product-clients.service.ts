import type { Log } from '../../platform/log.ts';
import { AppError } from '../../platform/problem.ts';
import type { Product, Products } from '../../platform/products.ts';
import type { Db } from '../db/schema.ts';
import { findClients, listMissingProducts, queueForgotten, queueStamps, storeClients } from './product-clients.store.ts';

/**
 * At a start: stamps name the clients that a trial's end applies to, so trials of a product whose clients are others than
 * before are stamped again, those that are over, too (docs/decisions/0061).
 */
export async function followProducts(db: Db, products: Products, log: Log): Promise<void> {
  for (const { id, clients } of products) {
    // Not where they are the same: whoever signs up waits for this, and this for a replica that is at the next step.
    if (!sameClients(await findClients(db, id), clients)) await db.transaction().execute((trx) => storeClients(trx, id, clients.toSorted()));
    // Apart, so that nobody who signs up waits for so many rows.
    const trials = await db.transaction().execute((trx) => queueStamps(trx, id));
    await queueForgotten(db, id);
    if (trials > 0) log.info({ product: id, trials }, 'the clients of a product have changed: Keycloak is told of them for each of its trials');
  }
  const missing = await listMissingProducts(db, products.map(({ id }) => id));
  if (missing.length > 0) log.error({ products: missing }, 'trials of products that are not in the products file wait here: put them back, or erase their trials');
}

/**
 * A replica that has not been replaced yet stamps nobody: what it knows is of before.
 *
 * @throws AppError `unavailable` there: another replica does it
 */
export async function demandCurrentClients(db: Db, { id, clients }: Pick<Product, 'id' | 'clients'>): Promise<void> {
  const current = await findClients(db, id);
  if (current === undefined || sameClients(current, clients)) return;
  throw new AppError('unavailable', `Try again: this replica has other clients of product ${id} in its products file than the one that was started last.`);
}

/** `stored` is sorted; where no replica has said any yet, they are others. */
export function sameClients(stored: readonly string[] | undefined, clients: readonly string[]): boolean {
  return stored?.join(' ') === clients.toSorted().join(' ');
}
