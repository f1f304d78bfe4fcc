import type { ErrorRequestHandler, RequestHandler } from 'express';
import { asAppError, logOf } from '../../platform/http.ts';
import { AppError, type ProblemCode } from '../../platform/problem.ts';

/** Zulip's words and statuses, where they are not simply a bad request. */
const CODES: Partial<Record<ProblemCode, readonly [status: number, code: string]>> = {
  unauthorized: [401, 'UNAUTHORIZED'],
  proxy_unauthorized: [401, 'UNAUTHORIZED'],
  remote_realm_missing: [403, 'MISSING_REMOTE_REALM'],
  remote_realm_mismatch: [403, 'REMOTE_REALM_SERVER_MISMATCH_ERROR'],
  registration_deactivated: [403, 'REALM_DEACTIVATED'],
  not_found: [404, 'BAD_REQUEST'],
  method_not_allowed: [405, 'BAD_REQUEST'],
  hostname_taken: [400, 'HOSTNAME_ALREADY_IN_USE_BOUNCER_ERROR'],
  payload_too_large: [413, 'BAD_REQUEST'],
  unsupported_media_type: [415, 'BAD_REQUEST'],
  rate_limited: [429, 'RATE_LIMIT_HIT'],
};
const BAD_REQUEST = [400, 'BAD_REQUEST'] as const;
const INTERNAL = [500, 'INTERNAL_SERVER_ERROR'] as const;

/** `{result, msg, code}`, the shape that Zulip servers read, for `/api/v1/remotes/…` only. */
export const sendServerError: ErrorRequestHandler = (error: unknown, _req, res, next) => {
  if (res.headersSent) return next(error);
  const known = asAppError(error);
  if (!(known instanceof AppError)) {
    logOf(res)?.error({ err: error }, 'internal_error');
    return res.status(INTERNAL[0]).json({ result: 'error', msg: 'Internal server error', code: INTERNAL[1] });
  }
  const [status, code] = CODES[known.code] ?? BAD_REQUEST;
  res.locals['problem'] = known.code;
  // A server renews nothing at Bearer, the proxy nothing at Basic.
  if (status === 401) res.setHeader('WWW-Authenticate', known.code === 'proxy_unauthorized' ? 'Bearer' : 'Basic realm="vestibule"');
  const retry = known.retryAfterSeconds === undefined ? {} : { 'retry-after': known.retryAfterSeconds };
  if (known.retryAfterSeconds !== undefined) res.setHeader('Retry-After', String(known.retryAfterSeconds));
  return res.status(status).json({ result: 'error', msg: known.message, code, ...retry });
};

export const unknownServerEndpoint: RequestHandler = () => {
  throw new AppError('not_found', 'There is no such endpoint.');
};
