/** Keycloak's steps live that long: a key that was withdrawn speaks no longer than that through a token seen before. */
const REMEMBERED_MILLISECONDS = 30_000;
const MOST_REMEMBERED = 1_000;

/** Tokens whose signature, issuer and audience were found good, as they were read, by their text: all steps of a second bring the same one. */
export interface VerifiedTokens<Token> {
  find(text: string): Token | undefined;
  add(text: string, token: Token): void;
}

/** Says nothing about times and roles: those are for every call to check. */
export function verifiedTokens<Token>(): VerifiedTokens<Token> {
  const remembered = new Map<string, { token: Token; since: number }>();
  return {
    find: (text) => {
      const found = remembered.get(text);
      return found !== undefined && performance.now() - found.since < REMEMBERED_MILLISECONDS ? found.token : undefined;
    },
    add: (text, token) => {
      // The first one in a map is the oldest.
      if (remembered.size >= MOST_REMEMBERED) remembered.delete(remembered.keys().next().value!);
      remembered.delete(text);
      remembered.set(text, { token, since: performance.now() });
    },
  };
}
