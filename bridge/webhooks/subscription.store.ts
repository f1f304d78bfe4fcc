import { sql } from 'kysely';
import type { Db, Trx } from '../db/schema.ts';
import type { Endpoint } from './endpoints.ts';
import { PROVISIONING, TRIAL_EVENT_KINDS } from './event-types.ts';

/**
 * From now on what happens to trials of these products is kept for their apps, and of the others of the products file it is not.
 * What is not in the file stays as it was: a replica that was started with a wrong one takes no event from an app.
 */
export async function keepSubscriptions(db: Db, endpoints: readonly Endpoint[], products: readonly string[]): Promise<void> {
  const told = new Set(endpoints.map(({ product }) => product));
  const untold = products.filter((product) => !told.has(product));
  const rows = endpoints.flatMap(({ product, waits }) => TRIAL_EVENT_KINDS.map((kind) => ({ product, kind, waits: waits && kind === PROVISIONING })));
  await db.transaction().execute(async (trx) => {
    if (untold.length > 0) {
      await trx.deleteFrom('bridge.webhook_subscription').where('product', 'in', untold).execute();
      await forgetUnsubscribed(trx, untold);
    }
    if (rows.length === 0) return;
    await trx
      .insertInto('bridge.webhook_subscription')
      .values(rows)
      .onConflict((conflict) => conflict.columns(['product', 'kind']).doUpdateSet((eb) => ({ waits: eb.ref('excluded.waits') })))
      .execute();
  });
}

/** Apps that nobody tells any more do not hear of erasures either: what waits for them names nobody. */
async function forgetUnsubscribed(trx: Trx, untold: readonly string[]): Promise<void> {
  await sql`update bridge.webhook set user_id = null from bridge.life
    where life.id = webhook.life_id and life.erased_at is not null and webhook.user_id is not null and webhook.product = any(${untold}::text[])`.execute(trx);
}
