import type { JWTPayload } from 'jose';
import type { ProviderKeys } from './provider-keys.ts';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** What some providers call it, besides the type that the specification recommends. */
const TYPES = new Set([undefined, 'JWT', 'logout+jwt']);
const OLDEST_SECONDS = 120;
const CLOCK_SKEW_SECONDS = 5;

export interface LogoutToken {
  jti: string;
  sid: string | null;
  sub: string | null;
  expiresAt: Date;
}

/** Throws what jose throws, or an Error that says which rule of OpenID Connect Back-Channel Logout 1.0, 2.6, is broken. */
export async function readLogoutToken(
  token: string,
  expected: { issuer: string; audience: string; keys: Pick<ProviderKeys, 'verifyClaims'>; jwksUrl: string | undefined },
): Promise<LogoutToken> {
  const { payload, protectedHeader } = await expected.keys.verifyClaims(token, expected.jwksUrl, {
    issuer: expected.issuer,
    audience: expected.audience,
    maxTokenAge: OLDEST_SECONDS,
    clockTolerance: CLOCK_SKEW_SECONDS,
    requiredClaims: ['iat', 'exp', 'jti'],
  });
  if (!TYPES.has(protectedHeader.typ)) throw new Error(`typ ${protectedHeader.typ} is not that of a logout token`);
  return readClaims(payload);
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
