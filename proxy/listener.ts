import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { BlockList } from 'node:net';
import { AppError } from '../platform/problem.ts';
import type { Log } from '../platform/log.ts';
import { secondsSince } from '../platform/metrics.ts';
import { REQUEST_ID_HEADER, requestIdFrom } from '../platform/request-id.ts';
import { clientAddress } from '../platform/client-address.ts';
import { pathOf, targetFault } from '../platform/request-target.ts';
import { countRequest } from './metrics/count-request.ts';
import type { Meter } from './metrics/meter.ts';
import { isReserved } from './request-target.ts';
import { currentSession, type SessionKeeping } from './session/session.service.ts';
import type { Upstream } from './upstream/upstream.ts';

/** What Express shall answer instead of looking for a route. */
export type HandedOver = { kind: 'error'; error: unknown } | { kind: 'bad_target'; fault: string } | { kind: 'sign_in' } | { kind: 'no_web_sockets' };

const handedOver = new WeakMap<IncomingMessage, HandedOver>();

export function takeHandedOver(req: IncomingMessage): HandedOver | undefined {
  return handedOver.get(req);
}

export interface ListenerParts {
  express: RequestListener;
  upstream: Upstream;
  sessions: SessionKeeping;
  publicUrl: string;
  trustedProxies: BlockList;
  meter: Pick<Meter, 'request' | 'upstream'>;
  log: Log;
}

/**
 * In front of everything: reserved paths go to Express; the rest is the way of a signed-in request, which doesn't run through Express
 * (docs/architecture.md): cookie, session, checks, then streamed to the app. Whatever can't go that way is handed to Express to answer.
 */
export function createListener(parts: ListenerParts): RequestListener {
  const { host, protocol } = new URL(parts.publicUrl);
  const origin = { host, protocol: protocol.slice(0, -1) };

  const toExpress = (req: IncomingMessage, res: ServerResponse, reason?: HandedOver): void => {
    if (reason) handedOver.set(req, reason);
    parts.express(req, res);
  };

  const toApp = async (req: IncomingMessage, res: ServerResponse, requestId: string): Promise<void> => {
    const started = performance.now();
    const session = await currentSession(parts.sessions, req.headers.cookie);
    if (!session) return toExpress(req, res, { kind: 'sign_in' });
    const passing = performance.now();
    const onAnswer = (): void => parts.meter.upstream('answered', secondsSince(passing));
    const error = await parts.upstream.pass(req, res, session, { clientAddress: clientAddress(req, parts.trustedProxies), requestId, public: origin, onAnswer });
    if (error) parts.meter.upstream(error.code, secondsSince(passing));
    if (error) return toExpress(req, res, { kind: 'error', error });
    const duration_ms = Math.round((performance.now() - started) * 10) / 10;
    return parts.log.info(
      { request_id: requestId, method: req.method, path: pathOf(req.url ?? ''), status: res.statusCode, duration_ms, aborted: !res.writableFinished },
      'passed',
    );
  };

  return (req, res) => {
    const requestId = requestIdFrom(req.headers[REQUEST_ID_HEADER]);
    req.headers[REQUEST_ID_HEADER] = requestId;
    const target = req.url ?? '';
    countRequest(parts.meter, req, res);
    const fault = targetFault(target);
    if (fault !== undefined) return toExpress(req, res, { kind: 'bad_target', fault });
    if (req.headers.upgrade?.toLowerCase() === 'websocket') return toExpress(req, res, { kind: 'no_web_sockets' });
    if (isReserved(target)) return toExpress(req, res);
    toApp(req, res, requestId).catch((error: unknown) => {
      toExpress(req, res, { kind: 'error', error: new AppError('unavailable', 'Try again in a minute.', { cause: error }) });
    });
  };
}
