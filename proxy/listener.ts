import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { BlockList } from 'node:net';
import { AppError, toProblem } from '../platform/problem.ts';
import { plainLines, type Log } from '../platform/log.ts';
import { millisecondsSince } from '../platform/metrics.ts';
import { REQUEST_ID_HEADER, requestIdFrom } from '../platform/request-id.ts';
import { pathOf, targetFault } from '../platform/request-target.ts';
import { answerGateway, FORWARD_AUTH_PATH } from './forward-auth/forward-auth.ts';
import type { IdentityTokens } from './identity/identity-token.ts';
import type { LongAnswers } from './long-answers.ts';
import { countRequest } from './metrics/count-request.ts';
import type { Meter } from './metrics/meter.ts';
import { isReserved } from './request-target.ts';
import { answerPreflight, corsHeaders, isPreflight } from './site/cors.ts';
import { chooseSite, isAt, type ServedSite } from './site/served-site.ts';
import { awaitsContinue } from './upstream/expectation.ts';
import { unavailable, wayToApp } from './way-to-app.ts';

/** What Express shall answer instead of looking for a route. */
export type HandedOver = { kind: 'error'; error: unknown } | { kind: 'bad_target'; fault: string } | { kind: 'sign_in' } | { kind: 'preparing'; since: Date };

/** Load balancers ask by address; providers and apps by an internal name. None of these has to do with a browser's session. */
const FOR_ANY_HOST = new Set(['/livez', '/readyz', '/api/logout/back-channel', '/api/identity/keys']);

const handedOver = new WeakMap<IncomingMessage, HandedOver>();

export function takeHandedOver(req: IncomingMessage): HandedOver | undefined {
  return handedOver.get(req);
}

/** An origin of its own: of billing, the staff, or frames of other pages. */
export type PagesSite = Pick<ServedSite, 'host' | 'protocol' | 'express'>;

export interface ListenerParts {
  sites: readonly ServedSite[];
  /** Of billing, of staff and of frames, where they don't stand at a site's origin (development). */
  pagesSites: readonly PagesSite[];
  /** Frames of other pages, `/embed/…`, where they stand at a site's origin (development). */
  embedsHere: PagesSite | undefined;
  trustedProxies: BlockList;
  identity: IdentityTokens;
  /** Whether gateways may ask (forward-auth/). */
  forwardAuth: boolean;
  meter: Pick<Meter, 'request' | 'upstream'>;
  long: LongAnswers;
  log: Log;
}

/**
 * In front of everything: reserved paths go to Express; the rest is the way of a signed-in request, which doesn't run through Express
 * (docs/architecture.md): cookie, session, checks, then streamed to the app. Whatever can't go that way is handed to Express to answer.
 */
export function createListener(parts: ListenerParts): RequestListener {
  const toApp = wayToApp(parts, toExpress);
  const gatewayAnswered = plainLines(parts.log, 'gateway answered', ['request_id', 'status', 'duration_ms']);
  const toGateway = (req: IncomingMessage, res: ServerResponse, requestId: string): void => {
    const started = performance.now();
    const answered = (status: number): void => gatewayAnswered([requestId, status, millisecondsSince(started)]);
    const answering = answerGateway(parts, req, res, requestId);
    if (!(answering instanceof Promise)) return answered(answering);
    void answering.then(answered);
  };

  const answer: RequestListener = (req, res) => {
    const requestId = requestIdFrom(req.headers[REQUEST_ID_HEADER]);
    req.headers[REQUEST_ID_HEADER] = requestId;
    const target = req.url ?? '';
    const isOurs = isReserved(target);
    countRequest(parts.meter, req, res, isOurs);
    if (isOurs && parts.forwardAuth && pathOf(target) === FORWARD_AUTH_PATH) return toGateway(req, res, requestId);
    if (parts.embedsHere && isOurs && target.startsWith('/embed/') && isAt(parts.embedsHere, req, parts.trustedProxies)) return toPages(parts.embedsHere, req, res);
    for (const pages of parts.pagesSites) if (isAt(pages, req, parts.trustedProxies)) return toPages(pages, req, res);
    const site = chooseSite(parts.sites, req, parts.trustedProxies) ?? (FOR_ANY_HOST.has(target) ? parts.sites[0] : undefined);
    if (!site) return toNobody(res, requestId);
    const fault = targetFault(target);
    if (fault !== undefined) return toExpress(site, req, res, { kind: 'bad_target', fault });
    if (isOurs) return toExpress(site, req, res);
    if (site.cors && isPreflight(req)) return answerPreflight(site.cors, site.publicUrl, req, res, requestId);
    return toApp(site, req, res, requestId);
  };

  return (req, res) => {
    try {
      answer(req, res);
    } catch (error) {
      toExpress(parts.sites[0] as ServedSite, req, res, unavailable(error));
    }
  };
}

function toPages(pages: PagesSite, req: IncomingMessage, res: ServerResponse): void {
  const fault = targetFault(req.url ?? '');
  return toExpress(pages, req, res, fault === undefined ? undefined : { kind: 'bad_target', fault });
}

/** Of these pages nobody else's page may ask anything. */
type Answering = Pick<ServedSite, 'express'> & Partial<Pick<ServedSite, 'cors' | 'publicUrl'>>;

function toExpress(site: Answering, req: IncomingMessage, res: ServerResponse, reason?: HandedOver): void {
  if (reason) refuse(site, req, res, reason);
  else if (awaitsContinue(req)) res.writeContinue();
  site.express(req, res);
}

function refuse(site: Answering, req: IncomingMessage, res: ServerResponse, reason: HandedOver): void {
  handedOver.set(req, reason);
  // Whether a body that was held back still comes is the client's choice: nothing may follow on this connection.
  if (awaitsContinue(req)) res.setHeader('Connection', 'close');
  const cors = corsHeaders(site.cors, site.publicUrl ?? '', req.headers.origin) ?? [];
  for (let at = 0; at < cors.length; at += 2) res.appendHeader(cors[at] ?? '', cors[at + 1] ?? '');
}

/** A host of no site: there are no pages to show it in. */
function toNobody(res: ServerResponse, requestId: string): void {
  const problem = toProblem(new AppError('misdirected_request', 'Check the host name: no site of this proxy has it.'), requestId);
  res.writeHead(problem.status, { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', 'X-Request-Id': requestId }).end(JSON.stringify(problem));
}
