import { epochSeconds, type Clock } from '../../platform/clock.ts';
import type { Product } from '../../platform/products.ts';
import type { Registration } from './registration.store.ts';

/** The end of a trial in epoch seconds of real time: Keycloak and programs compare with clocks of their own. */
export function endOf(registration: Registration, clock: Clock): { trial_ends_at: number; trial_access_until: number } {
  return {
    trial_ends_at: epochSeconds(clock.toReal(registration.trialEndsAt)),
    trial_access_until: epochSeconds(clock.toReal(registration.trialAccessUntil)),
  };
}

/** What of a life stands in the stamp besides its end. */
export interface StampedLife {
  state: string;
  /** Keycloak keeps the highest. */
  version: number;
}

const NEWBORN: StampedLife = { state: 'active', version: 1 };

/** The entry of `trial_stamp` (docs/architecture.md, "The stamp"). */
export function stampOf(product: Product, registration: Registration, clock: Clock, { state, version }: StampedLife = NEWBORN): string {
  return JSON.stringify({ product: product.id, state, ...endOf(registration, clock), trial_app: registration.trialAppId, clients: product.clients, version });
}
