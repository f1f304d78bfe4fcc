import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from 'jose';

const ISSUER = 'vestibule-bridge';
const TYPE = 'vestibule-embed+jwt';
const CALL_LIMIT_MILLISECONDS = 5_000;
const OLDEST_MILLISECONDS = 5 * 60_000;
/** An unknown key is looked for at once, at most once a second. */
const BETWEEN_FETCHES_MILLISECONDS = 1_000;

/** What the bridge signed: whose small app, for a page of which origin. */
export interface EmbedProof {
  tokenId: string;
  userId: string;
  app: string;
  origin: string;
  generation: number;
  expiresAt: Date;
}

/** `origin`: of a token that the bridge did sign, so that its page may show why. */
export type ReadProof = { good: true; proof: EmbedProof } | { good: false; origin: string | undefined; why: 'expired' | 'not_ours' };

/** Reads embed tokens; throws only where the bridge's keys can't be had. */
export function embedProofs(bridgeUrl: string, audience: string): (token: string) => Promise<ReadProof> {
  const keys = createRemoteJWKSet(new URL(`${bridgeUrl}/.well-known/jwks.json`), { timeoutDuration: CALL_LIMIT_MILLISECONDS, cacheMaxAge: OLDEST_MILLISECONDS, cooldownDuration: BETWEEN_FETCHES_MILLISECONDS });
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, { algorithms: ['ES256'], issuer: ISSUER, audience, typ: TYPE, requiredClaims: ['exp', 'jti', 'sub'] });
      const proof = proofIn(payload);
      return proof ? { good: true, proof } : { good: false, origin: undefined, why: 'not_ours' };
    } catch (error) {
      if (error instanceof errors.JWTExpired) return { good: false, origin: proofIn(error.payload)?.origin, why: 'expired' };
      if (isRefusal(error)) return { good: false, origin: undefined, why: 'not_ours' };
      throw error;
    }
  };
}

function proofIn({ jti, sub, exp, app, origin, generation }: JWTPayload): EmbedProof | undefined {
  if (typeof jti !== 'string' || typeof sub !== 'string' || typeof exp !== 'number') return undefined;
  if (typeof app !== 'string' || typeof origin !== 'string' || typeof generation !== 'number') return undefined;
  return { tokenId: jti, userId: sub, app, origin, generation, expiresAt: new Date(exp * 1000) };
}

function isRefusal(error: unknown): boolean {
  return error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout) && !(error instanceof errors.JWKSInvalid);
}
