import type { KeycloakAccess } from './accounts.ts';
import { keeperCalls } from './trial-keeper.wire.ts';

/** What of one trial Keycloak is to hold. */
export interface Keeping {
  product: string;
  /** The entry of `trial_stamp`, as `stampOf` makes it: JSON text. */
  entry: string;
  /** Of the life. Keycloak keeps the highest it has seen: a late write changes nothing. */
  version: number;
  /** Realm roles; only those of the jar's allow-list. */
  roles: { grant: readonly string[]; revoke: readonly string[] };
}

/** `newer`: Keycloak holds this version or a later one already. `not_managed`: that person has no trial of this product there. */
export type Kept = 'held' | 'newer' | 'unknown_user' | 'not_managed';

/** `other_trial`: they have one of this product already. `not_eligible`: disabled, without that address by now, an administrator, or of staff. */
export type Begun = 'held' | 'newer' | 'unknown_user' | 'other_trial' | 'not_eligible';

/** `kept_account`: it was there before the trial, or something else remains on it; the trial's traces are gone from it. */
export type Removal = 'removed' | 'kept_account' | 'unknown_user';

/**
 * All that the bridge changes in Keycloak about people who are there: done by the provider jar's own endpoint, in one
 * transaction of Keycloak's that reads the person again and refuses whoever has no stamp of the product
 * (docs/decisions/0046). Each call may be repeated.
 *
 * @throws AppError `gateway_timeout`, `bad_gateway` or `unavailable` where nobody knows what came of it, or where the realm
 * or the jar is not set up for it: to be repeated
 */
export interface TrialKeeper {
  /**
   * The one write for somebody without a stamp of the product: a trial begins on an account that was there before, if it
   * still holds the address `username`. Repeated with the same `trial_app` it is as {@link keepStamp}.
   */
  beginStamp(userId: string, keeping: Keeping & { username: string }, requestId?: string): Promise<Begun>;
  keepStamp(userId: string, keeping: Keeping, requestId?: string): Promise<Kept>;
  /**
   * Ends what is open at that product's clients, if the stamp says that the trial is over; sessions at other clients go on.
   * Resolves with how many client sessions ended: 0 too for whoever is unknown or not managed.
   */
  endSessions(userId: string, product: string, requestId?: string): Promise<number>;
  /** Deletes the account if this trial made it and nothing else remains on it; else takes the trial off it. */
  remove(userId: string, product: string, requestId?: string): Promise<Removal>;
}

export function trialKeeper(access: Pick<KeycloakAccess, 'internalUrl' | 'realm'>, accessToken: () => Promise<string>): TrialKeeper {
  const calls = keeperCalls(access, accessToken);
  return {
    beginStamp: async (userId, keeping, requestId) => {
      const answer = await calls.beginStamp(userId, keeping, requestId);
      return typeof answer === 'string' ? answer : answer.result;
    },
    keepStamp: async (userId, keeping, requestId) => {
      const answer = await calls.keepStamp(userId, keeping, requestId);
      return typeof answer === 'string' ? answer : answer.result;
    },
    endSessions: async (userId, product, requestId) => {
      const answer = await calls.endSessions(userId, product, requestId);
      return typeof answer === 'string' ? 0 : answer.ended;
    },
    remove: async (userId, product, requestId) => {
      const answer = await calls.remove(userId, product, requestId);
      if (typeof answer !== 'string') return answer.result;
      return answer === 'unknown_user' ? answer : 'kept_account';
    },
  };
}
