import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Log } from '../../platform/log.ts';

const REFRESH_MILLISECONDS = 60_000;
const RETRY_MILLISECONDS = 1_000;
/** Older keys may have been replaced: a few refreshes failed one after the other. */
const STALE_MILLISECONDS = 5 * REFRESH_MILLISECONDS;
const TIME_LIMIT_MILLISECONDS = 2_000;
/** An unknown key id asks Keycloak at most this often: it may be a rotation, or somebody guessing. */
const UNKNOWN_KEY_MILLISECONDS = 5_000;

/** The realm's RS256 keys, read ahead of time: Keycloak waits for the bridge, so the bridge must not wait for Keycloak. */
export interface SigningKeys {
  find(keyId: string): Promise<KeyObject | undefined>;
  /** Resolves once keys have been read: with the last ones the steps can be answered while Keycloak can't be reached. */
  check(): Promise<void>;
  /** Resolves while the keys are fresh. */
  checkFresh(): Promise<void>;
  stop(): void;
}

export function signingKeys(realmUrl: string, log: Log): SigningKeys {
  let keys: ReadonlyMap<string, KeyObject> = new Map();
  let askedAt = 0;
  let readAt = 0;
  let reading: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const read = async () => {
    askedAt = Date.now();
    const answer = await fetch(`${realmUrl}/protocol/openid-connect/certs`, { signal: AbortSignal.timeout(TIME_LIMIT_MILLISECONDS) });
    if (!answer.ok) throw new Error(`Keycloak answered ${answer.status} for its keys`);
    keys = signatureKeys(await answer.json());
    readAt = Date.now();
  };
  const readOnce = () => {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  const refresh = async () => {
    try {
      await readOnce();
    } catch (error) {
      log.warn({ err: error }, 'the realm keys could not be read; the last ones stay');
    }
    if (stopped) return;
    timer = setTimeout(() => void refresh(), keys.size === 0 ? RETRY_MILLISECONDS : REFRESH_MILLISECONDS);
    timer.unref();
  };
  void refresh();

  return {
    find: async (keyId) => {
      if (!keys.has(keyId) && Date.now() - askedAt > UNKNOWN_KEY_MILLISECONDS) await readOnce().catch(() => {});
      else if (!keys.has(keyId)) await reading?.catch(() => {});
      return keys.get(keyId);
    },
    check: async () => {
      if (keys.size === 0) throw new Error('no keys of the realm yet');
    },
    checkFresh: async () => {
      const age = Date.now() - readAt;
      if (age > STALE_MILLISECONDS) throw new Error(`the realm keys were last read ${Math.round(age / 1000)} s ago`);
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function signatureKeys(answer: unknown): ReadonlyMap<string, KeyObject> {
  const { keys } = answer as { keys?: readonly { kid?: string; kty?: string; use?: string; alg?: string }[] };
  const usable = (keys ?? []).filter((key) => key.kty === 'RSA' && key.use !== 'enc' && (key.alg ?? 'RS256') === 'RS256');
  return new Map(usable.map((key) => [key.kid ?? '', createPublicKey({ key, format: 'jwk' })]));
}
