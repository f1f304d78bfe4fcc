import { epochSeconds, type Clock } from '../../platform/clock.ts';
import type { Product } from '../../platform/products.ts';
import type { LifeState } from '../life/transitions.ts';

interface Stamped {
  trialEndsAt: Date | null;
  trialAccessUntil: Date | null;
  trialAppId: string;
}

/** A later version is never overwritten by an earlier one. */
const BEGUN: { state: LifeState; version: number } = { state: 'active', version: 0 };

/** The end of a trial that has one, in epoch seconds of real time: Keycloak and programs compare with clocks of their own. */
export function endOf(trial: { trialEndsAt: Date; trialAccessUntil: Date }, clock: Clock): { trial_ends_at: number; trial_access_until: number } {
  return { trial_ends_at: toWire(trial.trialEndsAt, clock), trial_access_until: toWire(trial.trialAccessUntil, clock) };
}

/** The entry of `trial_stamp` (docs/architecture.md, "The stamp"). */
export function stampOf(product: Pick<Product, 'id' | 'clients'>, { trialEndsAt, trialAccessUntil, trialAppId }: Stamped, clock: Clock, { state, version } = BEGUN): string {
  return JSON.stringify({
    product: product.id,
    state,
    trial_ends_at: trialEndsAt && toWire(trialEndsAt, clock),
    trial_access_until: trialAccessUntil && toWire(trialAccessUntil, clock),
    trial_app: trialAppId,
    clients: product.clients,
    ...(version === 0 ? {} : { version }),
  });
}

function toWire(instant: Date, clock: Clock): number {
  return epochSeconds(clock.toReal(instant));
}
