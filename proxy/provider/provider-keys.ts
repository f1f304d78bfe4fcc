import { compactVerify, createRemoteJWKSet, customFetch, jwtVerify, type FetchImplementation, type JWTVerifyOptions, type JWTVerifyResult, type JWTVerifyGetKey } from 'jose';
import type { CustomFetch } from 'openid-client';

/** With public keys only: a client secret must not be able to sign. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
const CALL_LIMIT_MILLISECONDS = 5_000;
/** A key that the provider took back is believed for this long. */
const OLDEST_MILLISECONDS = 5 * 60_000;
/** An unknown key is looked for at once, at most once a second: after a rotation nobody waits, and made-up tokens cost the provider nothing. */
const BETWEEN_FETCHES_MILLISECONDS = 1_000;

/** The provider's public keys: fetched at first use, and again when a token names one that is not among them. Throws what jose throws, or what the fetch does. */
export interface ProviderKeys {
  /** The signature only. */
  verify(token: string, jwksUrl: string | undefined): Promise<void>;
  verifyClaims(token: string, jwksUrl: string | undefined, options: Omit<JWTVerifyOptions, 'algorithms'>): Promise<JWTVerifyResult>;
}

export function providerKeys(fetch: CustomFetch): ProviderKeys {
  let known: { jwksUrl: string; keys: JWTVerifyGetKey } | undefined;
  const keysAt = (jwksUrl = ''): JWTVerifyGetKey => {
    if (known?.jwksUrl !== jwksUrl) {
      const keys = createRemoteJWKSet(new URL(jwksUrl), {
        timeoutDuration: CALL_LIMIT_MILLISECONDS,
        cacheMaxAge: OLDEST_MILLISECONDS,
        cooldownDuration: BETWEEN_FETCHES_MILLISECONDS,
        [customFetch]: fetch as unknown as FetchImplementation,
      });
      known = { jwksUrl, keys };
    }
    return known.keys;
  };
  return {
    verify: async (token, jwksUrl) => {
      await compactVerify(token, keysAt(jwksUrl), { algorithms: ALGORITHMS });
    },
    verifyClaims: (token, jwksUrl, options) => jwtVerify(token, keysAt(jwksUrl), { ...options, algorithms: ALGORITHMS }),
  };
}
