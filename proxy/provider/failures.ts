import { errors } from 'jose';
import * as oidc from 'openid-client';
import { AppError } from '../../platform/problem.ts';
import type { LoginAnswer } from './provider.ts';

/** A token that is signed as it should be, and not meant for this login. */
export class Misissued extends Error {}

/** openid-client wraps what its fetch throws; ours is found again by following `cause`. */
export function ownError(error: unknown): AppError | undefined {
  for (let one: unknown = error; one instanceof Error; one = one.cause) if (one instanceof AppError) return one;
  return undefined;
}

/** What the proxy says where the provider could not be asked. */
export function unreachable(error: unknown): AppError {
  return ownError(error) ?? new AppError('bad_gateway', 'The sign-in service gave an unusable answer. Try again in a moment.', { cause: safeCause(error) });
}

/** An exchange that failed: what it says about the login, or thrown where it says nothing about it. */
export function loginFailure(error: unknown): LoginAnswer {
  const own = ownError(error);
  if (own) throw own;
  if (error instanceof oidc.AuthorizationResponseError) return { outcome: 'refused', error: error.error, description: error.error_description ?? '' };
  if (error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant') return { outcome: 'code_refused', cause: safeCause(error) };
  if (error instanceof oidc.ClientError || error instanceof Misissued || error instanceof errors.JOSEError) return { outcome: 'invalid', cause: safeCause(error) };
  if (error instanceof Error && (error as { code?: unknown }).code === 'OAUTH_TIMEOUT') throw new AppError('gateway_timeout', 'The sign-in service took too long. Try again.', { cause: safeCause(error) });
  throw new AppError('bad_gateway', 'The sign-in service gave an unusable answer. Try again in a moment.', { cause: safeCause(error) });
}

/** The library's causes hold whole answers and claims: only code and message go to the log (SECURITY 14). */
export function safeCause(error: unknown): Error {
  const { name, message, code, error: oauthError, cause } = error as { name?: string; message?: string; code?: string; error?: string; cause?: unknown };
  const inner = cause instanceof Error ? `: ${cause.message}` : '';
  return new Error([name, code, oauthError, `${message}${inner}`].filter(Boolean).join(' '));
}
