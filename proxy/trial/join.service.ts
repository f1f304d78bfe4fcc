import { AppError, type Problem } from '../../platform/problem.ts';
import type { Answer, Bridge, Caller, SignUp } from '../bridge/bridge.ts';

/** A trial that a mail offered to an account, as its owner posted it. */
export interface JoinWish extends Pick<SignUp, 'attributes' | 'consents'> {
  token: string;
}

/** What a mail offered. `given`: ids of what the product asks and has been answered. */
export type Offer =
  | { open: true; product: string; username: string; given: { attributes: readonly string[]; consents: readonly string[] } }
  | { open: false; reason: 'unknown' | 'expired' | 'revoked' | 'spent'; product?: string };

/** `asked`: the product wants another answer at this field. `unavailable`: the same again goes on where it stood. */
export type Joined =
  | { outcome: 'joined' | 'other_account' | 'not_possible' | 'link_over' }
  | { outcome: 'asked'; field: string }
  | { outcome: 'unavailable'; cause: unknown };

/** @throws AppError where the bridge does not say */
export async function lookAtOffer(bridge: Pick<Bridge, 'ask'>, token: string, caller: Caller): Promise<Offer> {
  const { status, body } = await bridge.ask('/api/trial/offer', { token }, caller);
  if (status !== 200) throw new AppError('bad_gateway', 'Try again in a minute.', { cause: new Error(`offer answered ${status}`) });
  return JSON.parse(body.toString('utf8')) as Offer;
}

/** Whoever is signed in as `userId` begins the trial. May be repeated. */
export async function joinTrial(bridge: Pick<Bridge, 'ask'>, wish: JoinWish, userId: string, caller: Caller): Promise<Joined> {
  try {
    return joinedBy(await bridge.ask('/api/trial/join', { ...wish, user_id: userId }, caller));
  } catch (cause) {
    return { outcome: 'unavailable', cause };
  }
}

function joinedBy({ status, body }: Answer): Joined {
  if (status === 200) return { outcome: 'joined' };
  const { code, field } = JSON.parse(body.toString('utf8')) as Partial<Problem>;
  // Begun by another link of theirs, at this moment or before.
  if (code === 'trial_exists') return { outcome: 'joined' };
  if (code === 'other_account' || code === 'not_possible') return { outcome: code };
  if (code === 'invalid_request' && field !== undefined) return { outcome: 'asked', field };
  if (status === 410) return { outcome: 'link_over' };
  return { outcome: 'unavailable', cause: new Error(`join answered ${status} ${code ?? ''}`) };
}
