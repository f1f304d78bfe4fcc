import { sql } from 'kysely';
import type { Db, Trx } from '../db/schema.ts';

/** A life that is marked from its first moment; there is no other way to mark one. Postgres refuses an address without `+rehearsal-`. */
export async function insertMarkedLife(trx: Trx, life: { product: string; address: string; locale: string; beganAt: Date }): Promise<string> {
  const { id } = await trx
    .insertInto('bridge.life')
    .values({ product: life.product, address: life.address, locale: life.locale, began_at: life.beganAt, rehearsal: true })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

/** Left by rehearsals before, oldest first. */
export async function listMarkedLives(db: Db): Promise<readonly string[]> {
  const rows = await db.selectFrom('bridge.life').select('id').where('rehearsal', '=', true).orderBy('began_at').execute();
  return rows.map(({ id }) => id);
}

/**
 * Time goes by for one marked trial and for nobody else: all of its instants move into the past (SECURITY.md 27). Whole seconds,
 * as ends are. False, and nothing written, where the trial is not marked.
 */
export async function passTime(trx: Trx, lifeId: string, seconds: number): Promise<boolean> {
  const by = sql`make_interval(secs => ${Math.round(seconds)}::double precision)`;
  const { rows } = await sql<{ user_id: string | null; product: string; address: string | null }>`
    update bridge.life set began_at = began_at - ${by}, reminded_at = reminded_at - ${by}, next_deadline = next_deadline - ${by}, version = version + 1
    where id = ${lifeId} and rehearsal and erase_asked_at is null returning user_id, product, address`.execute(trx);
  const [life] = rows;
  if (life === undefined) return false;
  await sql`update bridge.trial set trial_ends_at = trial_ends_at - ${by}, trial_access_until = trial_access_until - ${by} where user_id = ${life.user_id} and product = ${life.product}`.execute(trx);
  await sql`update bridge.registration set attempted_at = attempted_at - ${by}, settled_at = settled_at - ${by}, absent_at = absent_at - ${by},
      trial_ends_at = trial_ends_at - ${by}, trial_access_until = trial_access_until - ${by}
    where product = ${life.product} and address = ${life.address}`.execute(trx);
  await sql`update bridge.invitation set issued_at = issued_at - ${by}, expires_at = expires_at - ${by} where life_id = ${lifeId}`.execute(trx);
  await sql`update bridge.mail set queued_at = queued_at - ${by}, sent_at = sent_at - ${by} where life_id = ${lifeId}`.execute(trx);
  await sql`update bridge.sign_up_request set requested_at = requested_at - ${by} where product = ${life.product} and address = ${life.address}`.execute(trx);
  await sql`update bridge.life_event set at = at - ${by} where life_id = ${lifeId}`.execute(trx);
  return true;
}

export async function findPendingAttempts(db: Db, lifeId: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('bridge.registration')
    .innerJoin('bridge.life', (join) => join.onRef('bridge.life.address', '=', 'bridge.registration.address').onRef('bridge.life.product', '=', 'bridge.registration.product'))
    .select('attempt_id')
    .where('bridge.life.id', '=', lifeId)
    .where('bridge.registration.state', '=', 'pending')
    .execute();
  return rows.map(({ attempt_id }) => attempt_id);
}

/** What apps have not taken yet, and why. Not of an app that nobody tells any more. */
export async function listUntold(db: Db | Trx, lifeId: string): Promise<readonly { kind: string; delivery: string; failure: string | null }[]> {
  return db
    .selectFrom('bridge.webhook')
    .innerJoin('bridge.webhook_subscription as subscription', (join) => join.onRef('subscription.product', '=', 'bridge.webhook.product').onRef('subscription.kind', '=', 'bridge.webhook.kind'))
    .select(['bridge.webhook.kind', 'delivery', 'failure'])
    .where('life_id', '=', lifeId)
    .where('delivery', 'in', ['waiting', 'dead'])
    .orderBy('event_id')
    .execute();
}

/** The last rows of a marked trial that was erased; of any other nothing. */
export async function deleteMarkedLife(trx: Trx, lifeId: string): Promise<boolean> {
  const marked = await trx.selectFrom('bridge.life').select('id').where('id', '=', lifeId).where('rehearsal', '=', true).where('erased_at', 'is not', null).forUpdate().executeTakeFirst();
  if (marked === undefined) return false;
  await trx.deleteFrom('bridge.trial_change').where('forgotten_by', '=', lifeId).execute();
  await trx.deleteFrom('bridge.webhook').where('life_id', '=', lifeId).execute();
  await trx.deleteFrom('bridge.life_event').where('life_id', '=', lifeId).execute();
  await trx.deleteFrom('bridge.life').where('id', '=', lifeId).execute();
  return true;
}
