import type { Pool } from 'pg';
import { RateLimiterPostgres } from 'rate-limiter-flexible';
import type { AddressHash } from '../address/address-hash.ts';
import { consume } from './consume.ts';
import { limitKey } from '../../platform/limit-key.ts';

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
