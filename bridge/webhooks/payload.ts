import { epochSeconds, type Clock } from '../../platform/clock.ts';
import type { Delivery } from './delivery.store.ts';
import { EVENT_TYPES } from './event-types.ts';
import type { Message } from './post.ts';

/** What an app gets (docs/webhooks.md). Instants go through `toReal`: its clock is not ours. Never a link or a token. */
export function messageOf(delivery: Delivery, clock: Clock): Message {
  const { messageId, kind, lifeId, product, userId, address, state, trialEndsAt, trialAccessUntil, plan, trialAppId, requestId, rehearsal } = delivery;
  const at = clock.toReal(delivery.at);
  const seconds = (instant: Date | null) => instant && epochSeconds(clock.toReal(instant));
  const data = {
    id: lifeId,
    product,
    user_id: userId,
    username: address,
    state,
    trial_ends_at: seconds(trialEndsAt),
    trial_access_until: seconds(trialAccessUntil),
    plan,
    trial_app: trialAppId,
    at: epochSeconds(at),
    request_id: requestId,
    rehearsal,
  };
  return { id: `msg_${messageId.replaceAll('-', '')}`, body: JSON.stringify({ type: EVENT_TYPES[kind], timestamp: at.toISOString(), data }) };
}
