import { createPrivateKey, createPublicKey } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, SignJWT, type JWK } from 'jose';
import { epochSeconds, type Clock } from '../../platform/clock.ts';
import type { Secret } from '../../platform/secret.ts';
import type { StoredSession } from '../session/session.store.ts';

export const IDENTITY_TOKEN_HEADER = 'X-Vestibule-Identity';
const ALGORITHM = 'ES256';
const TYPE = 'vestibule-identity+jwt';
/** Longer than it is kept, so that an app with a slow clock takes it too. */
const LIFETIME_SECONDS = 180;
const MADE_AGAIN_AFTER_MILLISECONDS = 60_000;

export interface IdentityTokens {
  /**
   * Who it is, signed for the app of this site (`iss` and `aud` are the site's public address), so that the app need not trust the
   * network. Made once a minute per session, not per request; undefined where no key is configured.
   */
  tokenFor(session: StoredSession, publicUrl: string): Promise<string> | string | undefined;
  /** RFC 7517. Holds the previous key as well, so that a rotation breaks nothing. */
  publicKeys(): Promise<{ keys: JWK[] }>;
}

/** Keys are P-256 in PEM; the first signs. */
export function identityTokens(keys: readonly Secret[], clock: Pick<Clock, 'now'>): IdentityTokens {
  const pairs = keys.map((key) => ({ secret: createPrivateKey(key.reveal()), published: publish(key) }));
  const [signing] = pairs;
  // By the hash that every copy of one known session shares: read again, it is another one, and so is its token.
  const made = new WeakMap<Buffer, { token: Promise<string> | string; at: number }>();

  const make = async (session: StoredSession, publicUrl: string): Promise<string> => {
    const now = epochSeconds(clock.now());
    const { sub, sid, email, name, roles, groups, trial, claims } = session;
    return new SignJWT({ ...claims, email, name, roles, groups, ...(sid !== null && { sid }), ...(trial && { trial_app: trial.app }), ...(trial?.endsAt && { trial_ends_at: epochSeconds(trial.endsAt) }), ...(trial?.accessUntil && { trial_access_until: epochSeconds(trial.accessUntil) }) })
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: (await signing?.published)?.kid ?? '' })
      .setIssuer(publicUrl)
      .setAudience(publicUrl)
      .setSubject(sub)
      .setIssuedAt(now)
      .setExpirationTime(Math.min(now + LIFETIME_SECONDS, epochSeconds(session.endsAt)))
      .sign(signing!.secret);
  };

  return {
    tokenFor: (session, publicUrl) => {
      if (!signing) return undefined;
      const kept = made.get(session.idHash);
      const now = clock.now().getTime();
      if (kept && now - kept.at < MADE_AGAIN_AFTER_MILLISECONDS) return kept.token;
      const making = make(session, publicUrl);
      const keep = { token: making as Promise<string> | string, at: now };
      made.set(session.idHash, keep);
      making.then((token) => (keep.token = token), () => made.delete(session.idHash));
      return making;
    },
    publicKeys: async () => ({ keys: await Promise.all(pairs.map((pair) => pair.published)) }),
  };
}

async function publish(key: Secret): Promise<JWK> {
  const jwk = await exportJWK(createPublicKey(key.reveal()));
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: ALGORITHM, use: 'sig' };
}
