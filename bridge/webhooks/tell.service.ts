import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Db } from '../db/schema.ts';
import { recordEvent } from '../life/event.store.ts';
import type { Meter } from '../metrics/meter.ts';
import { forgetUser, markDead, markDelivered, markReady, postpone, skipDead, type Delivery } from './delivery.store.ts';
import type { Endpoint } from './endpoints.ts';
import { EVENT_TYPES, PROVISIONING } from './event-types.ts';
import { messageOf } from './payload.ts';
import type { Post } from './post.ts';

const LONGEST_PAUSE_SECONDS = 6 * 3600;
/** Each pause is as many times the one before. */
const GROWTH = 3;

export interface TellUsing {
  clock: Clock;
  post: Post;
  meter: Pick<Meter, 'webhook'>;
  log: Log;
  /** Tries before one is given up. */
  mostTries: number;
  /** The pause after the first try. */
  firstPauseSeconds: number;
  /** From 0 to 1: spreads what failed together. */
  chance?: () => number;
}

/** One try of one event, and what becomes of it. */
export async function tell(db: Db, using: TellUsing, endpoint: Endpoint, delivery: Delivery): Promise<void> {
  const { clock, meter, log } = using;
  const type = EVENT_TYPES[delivery.kind];
  const posted = await using.post(endpoint, messageOf(delivery, clock));
  if (posted.delivered) {
    meter.webhook(type, 'delivered');
    return takeDelivered(db, clock, delivery);
  }
  const { failure } = posted;
  const { eventId, lifeId, tries } = delivery;
  if (tries < using.mostTries) {
    meter.webhook(type, 'failed');
    return postpone(db, delivery, failure, Math.max(posted.retryAfterSeconds ?? 0, pauseAfter(tries, using)));
  }
  meter.webhook(type, 'dead');
  log.error({ life_id: lifeId, product: delivery.product, type, failure, tries }, 'a webhook was given up; what follows of this trial waits: npm run webhooks -- list --dead');
  await db.transaction().execute(async (trx) => {
    await markDead(trx, eventId, failure);
    await recordEvent(trx, { lifeId, at: clock.now(), kind: 'webhook_failed', actor: 'bridge', requestId: delivery.requestId ?? undefined, detail: { event: type, failure, tries } });
  });
}

async function takeDelivered(db: Db, clock: Clock, delivery: Delivery): Promise<void> {
  await db.transaction().execute(async (trx) => {
    if (!(await markDelivered(trx, delivery.eventId))) return;
    if (delivery.kind === 'erased') await forgetUser(trx, delivery.lifeId);
    if (delivery.kind !== PROVISIONING || !(await markReady(trx, delivery))) return;
    await recordEvent(trx, { lifeId: delivery.lifeId, at: clock.now(), kind: 'provisioned', actor: 'app', requestId: delivery.requestId ?? undefined });
  });
}

/** An operator lets a trial go on without what its app did not take, its person into the app as well. Answers how many events. */
export async function skip(db: Db, lifeId: string): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const skipped = await skipDead(trx, lifeId);
    for (const one of skipped) if (one.kind === PROVISIONING) await markReady(trx, one);
    // Nobody will hear whom to forget.
    if (skipped.some(({ kind }) => kind === 'erased')) await forgetUser(trx, lifeId);
    return skipped.length;
  });
}

/** Between half of it and the whole. */
function pauseAfter(tries: number, { firstPauseSeconds, chance = Math.random }: Pick<TellUsing, 'firstPauseSeconds' | 'chance'>): number {
  return Math.min(firstPauseSeconds * GROWTH ** (tries - 1), LONGEST_PAUSE_SECONDS) * (0.5 + chance() / 2);
}
