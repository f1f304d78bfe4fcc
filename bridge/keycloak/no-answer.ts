import { NetworkError } from '@keycloak/keycloak-admin-client';
import { AppError } from '../../platform/problem.ts';

const REPEAT = 'Send the same request again: it goes on where it stood.';

/** Keycloak did not say what came of a call: 502, 503 or 504, and the caller may repeat it. */
export function noAnswer(error: unknown): AppError {
  const status = error instanceof NetworkError ? error.response.status : 0;
  if (error instanceof Error && error.name === 'TimeoutError') return new AppError('gateway_timeout', `Keycloak took too long. ${REPEAT}`, { cause: error });
  if (status >= 500) return new AppError('bad_gateway', `Keycloak failed. ${REPEAT}`, { cause: error });
  return new AppError('unavailable', `Keycloak can't be reached, or does not let the bridge in. ${REPEAT}`, { cause: error });
}
