import type { Pool } from 'pg';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../../platform/problem.ts';
import type { AddressHash } from '../address/address-hash.ts';
import { limitKey } from './limit-key.ts';
import { inWords } from './wait.ts';

const WINDOW_SECONDS = 60;

export interface RegisterLimit {
  /** Counts one request of this client; throws `rate_limited` with the wait when it is one too many. */
  consume(clientAddress: string): Promise<void>;
}

/** Counted in Postgres by real time, so that all replicas count together and a moved domain clock opens nothing. */
export function registerLimit(pool: Pool, hash: AddressHash, limits: { perClientPerMinute: number; perMinute: number }): RegisterLimit {
  const shared = { storeClient: pool, storeType: 'pool', schemaName: 'bridge', tableName: 'rate_limit', tableCreated: true, duration: WINDOW_SECONDS };
  const perClient = new RateLimiterPostgres({ ...shared, keyPrefix: 'register-client', points: limits.perClientPerMinute });
  const overall = new RateLimiterPostgres({ ...shared, keyPrefix: 'register', points: limits.perMinute });
  return {
    consume: async (clientAddress) => {
      await consume(perClient, hash.client(limitKey(clientAddress)));
      await consume(overall, 'all');
    },
  };
}

async function consume(limiter: RateLimiterPostgres, key: string): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal;
    const retryAfterSeconds = Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
    throw new AppError('rate_limited', `Try again in ${inWords(retryAfterSeconds)}.`, { retryAfterSeconds });
  }
}
