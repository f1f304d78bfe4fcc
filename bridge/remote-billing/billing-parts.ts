import type { Pool } from 'pg';
import type { AddressHash } from '../address/address-hash.ts';
import type { Config } from '../config.ts';
import { accessTokens, type AccessTokens } from './access-token.ts';
import { billingLimits, type BillingLimits } from './billing-limits.ts';
import { loadCatalog, type Catalog } from './catalog.ts';
import { challengeFetch, type FetchChallenge } from './challenge-fetch.ts';
import { noPayments, type Payments } from './plans/bill.service.ts';

/** What remote billing needs besides the rest of the bridge. */
export interface BillingParts {
  billingUrl: string;
  catalog: Catalog;
  tokens: AccessTokens;
  limits: BillingLimits;
  fetchChallenge: FetchChallenge;
  payments: Payments;
}

export function billingParts(config: NonNullable<Config['billing']>, pool: Pool, hash: AddressHash): BillingParts {
  return {
    billingUrl: config.url,
    catalog: loadCatalog(config.file),
    tokens: accessTokens(config.tokenKey, config.previousTokenKey),
    limits: billingLimits(pool, hash),
    fetchChallenge: challengeFetch({ loopback: config.challengeLoopback }),
    payments: noPayments,
  };
}
