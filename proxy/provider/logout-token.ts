import { createRemoteJWKSet, customFetch, jwtVerify, type FetchImplementation, type JWTPayload } from 'jose';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** What some providers call it, besides the type that the specification recommends. */
const TYPES = new Set([undefined, 'JWT', 'logout+jwt']);
const OLDEST_SECONDS = 120;
const CLOCK_SKEW_SECONDS = 5;
const CALL_LIMIT_MILLISECONDS = 5_000;

export interface LogoutToken {
  jti: string;
  sid: string | null;
  sub: string | null;
  expiresAt: Date;
}

export interface LogoutTokenReader {
  /** Throws what jose throws, or an Error that says which rule of OpenID Connect Back-Channel Logout 1.0, 2.6, is broken. */
  read(token: string): Promise<LogoutToken>;
}

/** Keys are fetched at first use, and again when a token names a key that is not among them. */
export function logoutTokenReader(expected: { issuer: string; audience: string; jwksUrl: string; algorithms: readonly string[]; fetch: FetchImplementation }): LogoutTokenReader {
  const keys = createRemoteJWKSet(new URL(expected.jwksUrl), { timeoutDuration: CALL_LIMIT_MILLISECONDS, [customFetch]: expected.fetch });
  return {
    read: async (token) => {
      const { payload, protectedHeader } = await jwtVerify(token, keys, {
        issuer: expected.issuer,
        audience: expected.audience,
        algorithms: [...expected.algorithms],
        maxTokenAge: OLDEST_SECONDS,
        clockTolerance: CLOCK_SKEW_SECONDS,
        requiredClaims: ['iat', 'exp', 'jti'],
      });
      if (!TYPES.has(protectedHeader.typ)) throw new Error(`typ ${protectedHeader.typ} is not that of a logout token`);
      return readClaims(payload);
    },
  };
}

function readClaims(payload: JWTPayload): LogoutToken {
  const { events, nonce, sid, sub, jti, exp = 0 } = payload;
  const event: unknown = typeof events === 'object' && events !== null ? (events as Record<string, unknown>)[EVENT] : undefined;
  if (typeof event !== 'object' || event === null) throw new Error('events does not say that this is a logout');
  if (nonce !== undefined) throw new Error('a logout token has no nonce');
  const names = { sid: textOf(sid), sub: textOf(sub), jti: textOf(jti) };
  if (names.sid === null && names.sub === null) throw new Error('neither sid nor sub');
  if (names.jti === null) throw new Error('no jti');
  return { sid: names.sid, sub: names.sub, jti: names.jti, expiresAt: new Date(exp * 1000) };
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' && value.length <= 255 ? value : null;
}
