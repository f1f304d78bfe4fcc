import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, SignJWT, type JWK } from 'jose';
import type { Secret } from '../../platform/secret.ts';

const ALGORITHM = 'ES256';
const TYPE = 'vestibule-embed+jwt';
const ISSUER = 'vestibule-bridge';

/** What a token lets a page of `origin` show. Instants of a trial in epoch seconds of real time; null: no end. */
export interface Embed {
  userId: string;
  app: string;
  origin: string;
  generation: number;
  trialState: string;
  trialEndsAt: number | null;
  trialAccessUntil: number | null;
}

export interface EmbedTokens {
  /** Good for `seconds` at most, and never after the trial. */
  sign(embed: Embed, seconds: number): Promise<{ token: string; expiresAt: number }>;
  /** RFC 7517. The previous key is among them, so that a rotation breaks nothing. */
  publicKeys(): Promise<{ keys: JWK[] }>;
}

/** Keys are P-256 in PEM; the first signs. Real time: tokens are no part of what a moved clock may move (SECURITY.md 27). */
export function embedTokens(keys: readonly [Secret, ...Secret[]], audience: string): EmbedTokens {
  const [signing] = keys;
  const published = Promise.all(keys.map(publish));
  return {
    sign: async ({ userId, app, origin, generation, trialState, trialEndsAt, trialAccessUntil }, seconds) => {
      const now = Math.floor(Date.now() / 1000);
      const expiresAt = Math.min(now + seconds, trialAccessUntil ?? Number.POSITIVE_INFINITY);
      const [first] = await published;
      const token = await new SignJWT({ app, origin, generation, trial_state: trialState, trial_ends_at: trialEndsAt, trial_access_until: trialAccessUntil })
        .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: first?.kid ?? '' })
        .setIssuer(ISSUER)
        .setAudience(audience)
        .setSubject(userId)
        .setJti(randomUUID())
        .setIssuedAt(now)
        .setExpirationTime(expiresAt)
        .sign(createPrivateKey(signing.reveal()));
      return { token, expiresAt };
    },
    publicKeys: async () => ({ keys: [...(await published)] }),
  };
}

async function publish(key: Secret): Promise<JWK> {
  const jwk = await exportJWK(createPublicKey(key.reveal()));
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: ALGORITHM, use: 'sig' };
}
