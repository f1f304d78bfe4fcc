import type { Clock } from '../../platform/clock.ts';
import { productsOfClient, type Products } from '../../platform/products.ts';
import { canonicalAddress } from '../address/address.ts';
import { addJob, reconcileKey } from '../db/job.ts';
import type { Db } from '../db/schema.ts';
import { findGivenUpRegistration, findUserIdByAddress } from './registration.store.ts';
import { findLongestTrial, type Trial } from './trial.store.ts';

const MILLISECONDS_PER_DAY = 86_400_000;

export interface InfosRequest {
  user_id?: string | undefined;
  username?: string | undefined;
  client_id?: string | undefined;
}

/** `converted`: a full account, without an end. */
export type TrialInfos = { state: 'active' | 'grace' | 'expired'; trialEndsAt: Date; trialAccessUntil: Date; daysLeft: number } | { state: 'converted' };

/** The trial of a person that a client's products have, or undefined for anybody else. */
export async function readInfos(
  db: Db,
  using: { products: Products; clock: Clock },
  request: InfosRequest,
): Promise<TrialInfos | undefined> {
  const asked = request.client_id === undefined ? [using.products[0]] : productsOfClient(using.products, request.client_id);
  const userId = request.user_id ?? (await userIdOf(db, request.username ?? ''));
  if (asked.length === 0 || userId === undefined) return undefined;
  const products = asked.map((product) => product.id);
  const trial = (await findLongestTrial(db, userId, products)) ?? (await givenUp(db, userId, products));
  return trial === undefined ? undefined : infosAt(trial, using.clock.now());
}

async function userIdOf(db: Db, username: string): Promise<string | undefined> {
  const address = canonicalAddress(username);
  return address === undefined ? undefined : findUserIdByAddress(db, address);
}

// Keycloak asks about a user whose attempt we gave up: it was committed after all (MODEL.md, "Released is not final").
async function givenUp(db: Db, userId: string, products: readonly string[]) {
  const registration = await findGivenUpRegistration(db, userId, products);
  if (registration !== undefined) {
    await addJob(db, 'reconcile', { attempt_id: registration.attemptId }, { key: reconcileKey(registration.attemptId) });
  }
  return registration;
}

function infosAt({ trialEndsAt, trialAccessUntil }: Pick<Trial, 'trialEndsAt' | 'trialAccessUntil'>, now: Date): TrialInfos {
  if (trialEndsAt === null || trialAccessUntil === null) return { state: 'converted' };
  const state = now >= trialAccessUntil ? 'expired' : now >= trialEndsAt ? 'grace' : 'active';
  const daysLeft = Math.max(0, Math.ceil((trialEndsAt.getTime() - now.getTime()) / MILLISECONDS_PER_DAY));
  return { state, trialEndsAt, trialAccessUntil, daysLeft };
}
