import type { Pool } from 'pg';
import { RateLimiterPostgres } from 'rate-limiter-flexible';
import type { AddressHash } from '../address/address-hash.ts';
import { consume, tooMany } from '../limit/consume.ts';
import { limitKey } from '../../platform/limit-key.ts';

const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 86_400;

/** Calls by a server, by its client address, by an id or a hostname. Mails are counted where they are asked for. */
export interface BillingLimits {
  /** 1,000 calls a minute of one server. */
  call(serverId: string): Promise<void>;
  registration(clientAddress: string): Promise<void>;
  /** Throws while this client has sent too many wrong keys. */
  wrongKeys(clientAddress: string): Promise<void>;
  countWrongKey(clientAddress: string): Promise<void>;
  /** A key typed by hand counts before it is looked at, so that many tries at once are counted too; `forgive` takes a right one back. */
  typedKey(clientAddress: string, serverId: string): Promise<{ forgive(): Promise<void> }>;
  /** The client's first, so that nobody uses up what is for all. */
  challenge(clientAddress: string, hostname: string): Promise<void>;
}

/** Counted in Postgres by real time, so that all replicas count together. */
export function billingLimits(pool: Pool, hash: AddressHash): BillingLimits {
  const limiter = (keyPrefix: string, points: number, duration: number) =>
    new RateLimiterPostgres({ storeClient: pool, storeType: 'pool', schemaName: 'bridge', tableName: 'rate_limit', tableCreated: true, keyPrefix, points, duration });
  const calls = limiter('billing-call', 1_000, MINUTE_SECONDS);
  const registrations = limiter('billing-register', 20, DAY_SECONDS);
  const wrongKeys = limiter('billing-wrong-key', 20, 10 * MINUTE_SECONDS);
  const typedByClient = limiter('billing-typed-client', 20, 10 * MINUTE_SECONDS);
  const typedById = limiter('billing-typed-id', 10, HOUR_SECONDS);
  const challengesByClient = limiter('billing-challenge-client', 10, HOUR_SECONDS);
  const challenges = limiter('billing-challenge', 30, HOUR_SECONDS);
  const challengesOfHost = limiter('billing-challenge-host', 5, HOUR_SECONDS);
  const client = (address: string) => hash.client(limitKey(address));
  return {
    call: (serverId) => consume(calls, serverId),
    registration: (address) => consume(registrations, client(address)),
    wrongKeys: async (address) => {
      const counted = await wrongKeys.get(client(address));
      if (counted !== null && counted.consumedPoints >= wrongKeys.points) throw tooMany(counted.msBeforeNext);
    },
    countWrongKey: (address) => consume(wrongKeys, client(address)),
    typedKey: async (address, serverId) => {
      await consume(typedByClient, client(address));
      await consume(typedById, serverId);
      return { forgive: async () => void (await Promise.all([typedByClient.reward(client(address)), typedById.reward(serverId)])) };
    },
    challenge: async (address, hostname) => {
      await consume(challengesByClient, client(address));
      await consume(challengesOfHost, hostname);
      await consume(challenges, 'all');
    },
  };
}
