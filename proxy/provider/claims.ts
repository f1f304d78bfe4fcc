import { epochSeconds } from '../../platform/clock.ts';
import { keptClaims } from '../identity/kept-claims.ts';
import type { Identity, Tokens } from './provider.ts';

/** `claims`: of the ID token that the answer holds. */
export function tokensFrom(
  answer: { access_token: string; id_token?: string | undefined; refresh_token?: string | undefined; expires_in?: number | undefined },
  claims: Readonly<Record<string, unknown>>,
  now: Date,
): Tokens {
  const { session_expiry } = claims;
  return {
    idToken: String(answer.id_token),
    accessToken: answer.access_token,
    ...(answer.refresh_token && { refreshToken: answer.refresh_token }),
    accessExpiresAt: answer.expires_in === undefined ? null : epochSeconds(now) + answer.expires_in,
    sessionExpiry: typeof session_expiry === 'number' && Number.isFinite(session_expiry) ? session_expiry : null,
  };
}

/** `toKeep`: claims that identity headers ask for besides what every session holds. */
export function identityFrom(claims: Readonly<Record<string, unknown>>, toKeep: readonly string[]): Identity {
  const text = (name: string): string => (typeof claims[name] === 'string' ? claims[name] : '');
  const app = text('trial_app') || null;
  const accessUntil = instant(claims['trial_access_until']);
  return {
    sub: text('sub'),
    sid: text('sid') || null,
    email: text('email') || text('preferred_username'),
    name: text('name') || text('email') || text('preferred_username'),
    roles: texts(claims['roles']),
    groups: texts(claims['groups']),
    trial: accessUntil !== null || app !== null ? { app, endsAt: instant(claims['trial_ends_at']) ?? accessUntil, accessUntil } : null,
    claims: keptClaims(claims, toKeep),
  };
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

/** Claims are epoch seconds. */
function instant(seconds: unknown): Date | null {
  return typeof seconds === 'number' && Number.isFinite(seconds) ? new Date(seconds * 1000) : null;
}
