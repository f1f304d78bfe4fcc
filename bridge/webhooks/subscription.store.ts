import { sql } from 'kysely';
import type { Db, Trx } from '../db/schema.ts';
import type { Endpoint } from './endpoints.ts';
import { PROVISIONING, TRIAL_EVENT_KINDS } from './event-types.ts';

/** From now on what happens to trials of these products, and of no others, is kept for their apps. */
export async function keepSubscriptions(db: Db, endpoints: readonly Endpoint[]): Promise<void> {
  const products = endpoints.map(({ product }) => product);
  const rows = endpoints.flatMap(({ product, waits }) => TRIAL_EVENT_KINDS.map((kind) => ({ product, kind, waits: waits && kind === PROVISIONING })));
  await db.transaction().execute(async (trx) => {
    await trx.deleteFrom('bridge.webhook_subscription').$if(products.length > 0, (all) => all.where('product', 'not in', products)).execute();
    await forgetUnsubscribed(trx, products);
    if (rows.length === 0) return;
    await trx
      .insertInto('bridge.webhook_subscription')
      .values(rows)
      .onConflict((conflict) => conflict.columns(['product', 'kind']).doUpdateSet((eb) => ({ waits: eb.ref('excluded.waits') })))
      .execute();
  });
}

/** Apps that nobody tells any more do not hear of erasures either: what waits for them names nobody. */
async function forgetUnsubscribed(trx: Trx, products: readonly string[]): Promise<void> {
  await sql`update bridge.webhook set user_id = null from bridge.life
    where life.id = webhook.life_id and life.erased_at is not null and webhook.user_id is not null and webhook.product <> all(${products}::text[])`.execute(trx);
}
