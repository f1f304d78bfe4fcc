import { sql, type ExpressionBuilder } from 'kysely';
import type { Db, Schema, Trx } from '../db/schema.ts';
import type { WebhookDelivery } from '../db/webhooks.schema.ts';
import type { LifeState } from '../life/transitions.ts';
import type { TrialEventKind } from './event-types.ts';

/** One event on its way to an app. Instants of the trial are domain time. */
export interface Delivery {
  eventId: string;
  messageId: string;
  lifeId: string;
  product: string;
  kind: TrialEventKind;
  /** The trial as it was when it happened. */
  state: LifeState;
  userId: string | null;
  trialAppId: string | null;
  plan: string | null;
  trialEndsAt: Date | null;
  trialAccessUntil: Date | null;
  /** With this one. */
  tries: number;
  /** Of the event. */
  at: Date;
  requestId: string | null;
  /** Of the trial as it is now; null once erased. */
  address: string | null;
  rehearsal: boolean;
}

/**
 * Those that are due, the first of each trial only: what comes later waits, also behind one that was given up. For the time of the
 * lease they are the caller's; who is killed with them gives them back by its passing.
 */
export async function takeDue(db: Db, product: string, limit: number, leaseSeconds: number): Promise<readonly Delivery[]> {
  const { rows } = await sql<Delivery>`
    with due as (
      select event_id from bridge.webhook one
      where delivery = 'waiting' and product = ${product} and next_try_at <= now()
        and not exists (select from bridge.webhook earlier where earlier.life_id = one.life_id and earlier.event_id < one.event_id and earlier.delivery in ('waiting', 'dead'))
      order by next_try_at limit ${limit} for update skip locked
    ), taken as (
      update bridge.webhook set tries = tries + 1, next_try_at = now() + make_interval(secs => ${leaseSeconds}::double precision)
      from due where webhook.event_id = due.event_id returning webhook.*
    )
    select taken.event_id as "eventId", message_id as "messageId", taken.life_id as "lifeId", taken.product, taken.kind, taken.state, taken.user_id as "userId",
      trial_app_id as "trialAppId", taken.plan, trial_ends_at as "trialEndsAt", trial_access_until as "trialAccessUntil", tries,
      life_event.at, life_event.request_id as "requestId", life.address, life.rehearsal
    from taken join bridge.life_event on life_event.id = taken.event_id join bridge.life on life.id = taken.life_id`.execute(db);
  return rows;
}

/** False where it was settled meanwhile: it is sent at least once, and told of once. */
export async function markDelivered(trx: Trx, eventId: string): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('bridge.webhook')
    .set({ delivery: 'delivered', delivered_at: sql<Date>`now()`, failure: null })
    .where('event_id', '=', eventId)
    .where('delivery', '=', 'waiting')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** The whole trial waits with it. */
export async function postpone(db: Db, { eventId, lifeId }: Pick<Delivery, 'eventId' | 'lifeId'>, failure: string, seconds: number): Promise<void> {
  const next_try_at = sql<Date>`now() + make_interval(secs => ${seconds}::double precision)`;
  await db
    .updateTable('bridge.webhook')
    .set((eb) => ({ next_try_at, failure: eb.case().when('event_id', '=', eventId).then(failure).else(eb.ref('failure')).end() }))
    .where('life_id', '=', lifeId)
    .where('delivery', '=', 'waiting')
    .execute();
}

export async function markDead(trx: Trx, eventId: string, failure: string): Promise<void> {
  await trx.updateTable('bridge.webhook').set({ delivery: 'dead', failure }).where('event_id', '=', eventId).where('delivery', '=', 'waiting').execute();
}

/** The app has made what this trial's person comes for. False where nobody waited for it, or the attempt came to nothing. */
export async function markReady(trx: Trx, { userId, product, trialAppId }: Pick<Delivery, 'userId' | 'product' | 'trialAppId'>): Promise<boolean> {
  const { rows } = await sql`
    update bridge.trial set ready = true from bridge.trial_app
    where trial_app.trial_id = trial.id and trial_app.id = ${trialAppId}::uuid and trial.user_id = ${userId} and trial.product = ${product} and not ready
    returning trial.id`.execute(trx);
  return rows.length > 0;
}

/** The app has heard that this person is gone: nobody needs to be named by an id any more. */
export async function forgetUser(trx: Trx, lifeId: string): Promise<void> {
  await trx.updateTable('bridge.webhook').set({ user_id: null }).where('life_id', '=', lifeId).execute();
}

export interface Backlog {
  waiting: number;
  dead: number;
  /** Of those that wait, since they were due first. */
  oldestSeconds: number;
}

/** Of apps that somebody tells: what waits for others goes on when products.yaml names them again. */
export async function findBacklog(db: Db): Promise<Backlog> {
  const { rows } = await sql<Backlog>`
    select count(*) filter (where delivery = 'waiting')::int as waiting, count(*) filter (where delivery = 'dead')::int as dead,
      coalesce(extract(epoch from now() - min(added_at) filter (where delivery = 'waiting')), 0)::float8 as "oldestSeconds"
    from bridge.webhook join bridge.webhook_subscription using (product, kind) where delivery in ('waiting', 'dead')`.execute(db);
  return rows[0] ?? { waiting: 0, dead: 0, oldestSeconds: 0 };
}

export interface Listed {
  lifeId: string;
  product: string;
  kind: TrialEventKind;
  at: Date;
  delivery: WebhookDelivery;
  tries: number;
  failure: string | null;
}

/** What is not delivered to apps that somebody tells, oldest first; of one trial everything. */
export async function listDeliveries(db: Db, which: { lifeId?: string | undefined; dead?: boolean }, limit: number): Promise<readonly Listed[]> {
  return db
    .selectFrom('bridge.webhook')
    .innerJoin('bridge.life_event', 'bridge.life_event.id', 'bridge.webhook.event_id')
    .select(['bridge.webhook.life_id as lifeId', 'product', 'bridge.webhook.kind', 'bridge.life_event.at', 'delivery', 'tries', 'failure'])
    .$if(which.lifeId !== undefined, (all) => all.where('bridge.webhook.life_id', '=', which.lifeId ?? ''))
    .$if(which.lifeId === undefined, (all) => all.where('delivery', 'in', which.dead === true ? ['dead'] : ['waiting', 'dead']).where(isSubscribed))
    .orderBy('event_id')
    .limit(limit)
    .execute();
}

function isSubscribed(eb: ExpressionBuilder<Schema, 'bridge.webhook'>) {
  return eb.exists(
    eb
      .selectFrom('bridge.webhook_subscription as subscription')
      .select('subscription.product')
      .whereRef('subscription.product', '=', 'bridge.webhook.product')
      .whereRef('subscription.kind', '=', 'bridge.webhook.kind'),
  );
}

/** Sent again from the first of them on, each trial in its order. Answers how many. */
export async function replay(db: Db, which: { lifeId: string } | { since: Date } | { dead: true }): Promise<number> {
  const { numUpdatedRows } = await db
    .updateTable('bridge.webhook')
    .set({ delivery: 'waiting', tries: 0, next_try_at: sql<Date>`now()`, added_at: sql<Date>`now()`, failure: null, delivered_at: null })
    .$if('lifeId' in which, (all) => all.where('life_id', '=', 'lifeId' in which ? which.lifeId : ''))
    .$if('dead' in which, (all) => all.where('delivery', '=', 'dead').where(isSubscribed))
    .$if('since' in which, (all) => all.where('event_id', 'in', (eb) => eb.selectFrom('bridge.life_event').select('id').where('at', '>=', 'since' in which ? which.since : new Date())))
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/** Left out: what waits behind the dead ones of a trial goes on without them. Answers which. */
export async function skipDead(trx: Trx, lifeId: string): Promise<readonly Pick<Delivery, 'kind' | 'userId' | 'product' | 'trialAppId'>[]> {
  return trx
    .updateTable('bridge.webhook')
    .set({ delivery: 'skipped' })
    .where('life_id', '=', lifeId)
    .where('delivery', '=', 'dead')
    .returning(['kind', 'user_id as userId', 'product', 'trial_app_id as trialAppId'])
    .execute();
}
