import type { ErrorRequestHandler, Request } from 'express';
import { asAppError, logOf, requestIdOf, sendProblem } from '../../platform/http.ts';
import { AppError, PROBLEMS, type ProblemCode } from '../../platform/problem.ts';
import { isReserved } from '../request-target.ts';
import { waitInWords } from './pages.ts';
import { languageOf, showNotice, translateFor, type Showing } from './show.ts';

/** Only what a person can meet has words of its own. */
const WORDS: Partial<Record<ProblemCode, string>> = {
  invalid_request: 'invalid_request',
  forbidden: 'forbidden',
  not_allowed: 'not_allowed',
  not_found: 'not_found',
  method_not_allowed: 'method_not_allowed',
  payload_too_large: 'payload_too_large',
  rate_limited: 'rate_limited',
  bad_gateway: 'bad_gateway',
  gateway_timeout: 'gateway_timeout',
  unavailable: 'unavailable',
};
const WORTH_RETRYING: ReadonlySet<ProblemCode> = new Set(['rate_limited', 'bad_gateway', 'gateway_timeout', 'unavailable', 'internal_error']);

/** A browser that shows what it gets; a script that fetches gets problem+json instead. */
export function isNavigation(req: Pick<Request, 'headers'>): boolean {
  const mode = req.headers['sec-fetch-mode'];
  if (mode !== undefined && mode !== 'navigate') return false;
  return req.headers['x-requested-with'] === undefined && (req.headers.accept ?? '').includes('text/html');
}

/** Errors as pages for people, as problem+json for programs; both with the request id. */
export function errorPages(showing: Showing): ErrorRequestHandler {
  return (error: unknown, req, res, next) => {
    if (res.headersSent || !isNavigation(req)) return sendProblem(error, req, res, next);
    const known = asAppError(error);
    const code = known instanceof AppError ? known.code : 'internal_error';
    const [status] = PROBLEMS[code];
    if (status >= 500) logOf(res)?.error({ err: error }, code);
    else logOf(res)?.info({ code, request_id: requestIdOf(res) }, 'refused');
    const wait = known instanceof AppError ? known.retryAfterSeconds : undefined;
    if (wait !== undefined) res.setHeader('Retry-After', String(wait));
    const t = translateFor(showing, req);
    const words = res.locals['badTarget'] === true ? 'bad_target' : (WORDS[code] ?? 'internal_error');
    const body = code === 'rate_limited' && wait === undefined ? 'body_soon' : 'body';
    return showNotice(showing, req, res, {
      status,
      icon: 'alert',
      title: t(`error.${words}.title`),
      paragraphs: [t(`error.${words}.${body}`, { wait: waitInWords(wait ?? 0, languageOf(showing, req)) })],
      links: [
        ...(WORTH_RETRYING.has(code) && req.method === 'GET' ? [{ href: '', label: t('error.retry') }] : []),
        ...(code === 'not_allowed' ? [{ href: '/api/logout', label: t('logout.submit') }] : []),
        { href: showing.products[0].start_url, label: t('error.home'), quiet: code === 'not_allowed' || (WORTH_RETRYING.has(code) && req.method === 'GET') },
      ],
      languageSwitch: isReserved(req.originalUrl) && req.method === 'GET' ? 'link' : 'none',
      showRequestId: true,
    });
  };
}
