import { hash } from 'node:crypto';

/** Keycloak's steps live that long: a key that was withdrawn speaks no longer than that through a token seen before. */
const REMEMBERED_MILLISECONDS = 30_000;
const MOST_REMEMBERED = 1_000;

/** Tokens, byte for byte, whose signature, issuer and audience were found good: all steps of a second bring the same one. */
export interface VerifiedTokens {
  has(token: string): boolean;
  add(token: string): void;
}

/** Says nothing about times and roles: those are for every call to check. */
export function verifiedTokens(): VerifiedTokens {
  const since = new Map<string, number>();
  return {
    has: (token) => {
      const at = since.get(keyOf(token));
      return at !== undefined && performance.now() - at < REMEMBERED_MILLISECONDS;
    },
    add: (token) => {
      // The first one in a map is the oldest.
      if (since.size >= MOST_REMEMBERED) since.delete(since.keys().next().value!);
      const key = keyOf(token);
      since.delete(key);
      since.set(key, performance.now());
    },
  };
}

function keyOf(token: string): string {
  return hash('sha256', token, 'base64');
}
