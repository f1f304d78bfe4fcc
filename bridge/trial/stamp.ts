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

/** The entry of `trial_stamp` (docs/architecture.md, "The stamp"). */
export function stampOf(product: Product, registration: Registration, clock: Clock): string {
  return JSON.stringify({ product: product.id, state: 'active', ...endOf(registration, clock), trial_app: registration.trialAppId, clients: product.clients });
}
