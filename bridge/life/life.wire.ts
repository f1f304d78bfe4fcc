import type { z } from 'zod';
import { epochSeconds, type Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/problem.ts';
import type { LifeEvent } from './event.store.ts';
import type { Exported } from './export.service.ts';
import type { After, LifeRow } from './list.store.ts';
import type { exportAnswer, listAnswer, timelineAnswer, trialAnswer } from './life.schemas.ts';
import type { Life } from './life.store.ts';
import { possible } from './transitions.ts';

/** The year 9999: what comes later has no cursor of ours. */
const LATEST_MILLISECONDS = 253_402_300_799_999;

export function lifeToWire(life: Life, clock: Clock): z.input<typeof trialAnswer> {
  return {
    id: life.id,
    product: life.product,
    state: life.state,
    username: life.address,
    user_id: life.userId,
    began_at: seconds(life.beganAt, clock),
    trial_ends_at: life.trialEndsAt && seconds(life.trialEndsAt, clock),
    trial_access_until: life.trialAccessUntil && seconds(life.trialAccessUntil, clock),
    plan: life.plan,
    trial_app: life.trialAppId,
    held_by_keycloak: life.userId === null || life.keptVersion >= life.version,
    ...erasureToWire(life),
  };
}

export function timelineToWire(life: Life, events: readonly LifeEvent[], clock: Clock): z.input<typeof timelineAnswer> {
  return {
    ...lifeToWire(life, clock),
    possible: life.eraseAskedAt === null ? [...possible(life.state)] : [],
    timeline: events.map(({ at, kind, from, to, actor, reason, requestId, detail: { wish: _wish, ...detail } }) => ({ at: seconds(at, clock), kind, from, to, actor, reason, request_id: requestId, detail })),
  };
}

export function listToWire(rows: readonly LifeRow[], limit: number, clock: Clock): z.input<typeof listAnswer> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    trials: shown.map(({ id, product, state, address, userId, beganAt, trialEndsAt }) => ({
      id,
      product,
      state,
      username: address,
      user_id: userId,
      began_at: seconds(beganAt, clock),
      trial_ends_at: trialEndsAt && seconds(trialEndsAt, clock),
    })),
    next_cursor: rows.length > limit && last ? Buffer.from(`${last.beganAt.getTime()} ${last.id}`).toString('base64url') : null,
  };
}

function erasureToWire({ eraseAskedAt, erasedAt, secondAllowedAt }: Life): Pick<z.input<typeof trialAnswer>, 'erasure' | 'second_trial'> {
  if (eraseAskedAt === null) return { erasure: null, second_trial: null };
  return { erasure: erasedAt === null ? 'under_way' : 'done', second_trial: secondAllowedAt === null ? 'refused' : 'allowed' };
}

/** @throws AppError `invalid_request` for one that no answer of ours had */
export function cursorFromWire(cursor: string | undefined): After | undefined {
  if (cursor === undefined) return undefined;
  const [, milliseconds, id] = /^(\d{1,15}) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (milliseconds === undefined || id === undefined || Number(milliseconds) > LATEST_MILLISECONDS) throw new AppError('invalid_request', 'cursor: send next_cursor of the page before, unchanged.', { field: 'cursor' });
  return { beganAt: new Date(Number(milliseconds)), id };
}

/** A real instant as the domain clock will show it. */
export function instantFromWire(epoch: number, clock: Clock): Date {
  const now = clock.now();
  return new Date(epoch * 1000 + (now.getTime() - clock.toReal(now).getTime()));
}

export function exportToWire({ life, events, stored, account }: Exported, clock: Clock): z.input<typeof exportAnswer> {
  const { possible: _possible, ...trial } = timelineToWire(life, events, clock);
  return {
    trial,
    ...stored,
    account: account === undefined ? null : { id: account.id, username: account.username, email_verified: account.emailVerified, trial_stamp: [...account.stamps] },
  };
}

function seconds(instant: Date, clock: Clock): number {
  return epochSeconds(clock.toReal(instant));
}
