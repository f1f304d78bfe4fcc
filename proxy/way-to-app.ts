import type { IncomingMessage, ServerResponse } from 'node:http';
import { clientAddress } from '../platform/client-address.ts';
import { plainLines } from '../platform/log.ts';
import { millisecondsSince, secondsSince } from '../platform/metrics.ts';
import { AppError } from '../platform/problem.ts';
import { pathOf } from '../platform/request-target.ts';
import type { HandedOver, ListenerParts } from './listener.ts';
import type { UnderWay } from './long-answers.ts';
import { currentSession, type Session } from './session/session.service.ts';
import { corsHeaders } from './site/cors.ts';
import type { ServedSite } from './site/served-site.ts';
import { mayPass, notAllowed, ruleFor, type UpstreamRule } from './site/site.ts';
import type { Upstream } from './upstream/upstream.ts';

type Refuse = (site: ServedSite, req: IncomingMessage, res: ServerResponse, reason: HandedOver) => void;

/** A request of somebody, or of nobody, at one of the sites. */
interface Asked {
  site: ServedSite;
  req: IncomingMessage;
  res: ServerResponse;
  requestId: string;
  /** By `performance.now()`. */
  started: number;
}

/**
 * Cookie, session, checks, then streamed to the app. Promises only where something has to be waited for, which is almost never: each
 * costs more than looking the session up.
 */
export function wayToApp({ identity, meter, trustedProxies, long, log }: Pick<ListenerParts, 'identity' | 'meter' | 'trustedProxies' | 'long' | 'log'>, refuse: Refuse) {
  const passed = plainLines(log, 'passed', ['request_id', 'method', 'path', 'status', 'duration_ms', 'aborted']);

  const asSomebody = (asked: Asked, session: Session | undefined): void => {
    const { site, req, res } = asked;
    if (!session) return refuse(site, req, res, { kind: 'sign_in' });
    if (session.preparing) return refuse(site, req, res, { kind: 'preparing', since: session.createdAt });
    const path = pathOf(req.url ?? '');
    const rule = ruleFor(site.rules, path);
    const upstream = rule && site.upstreams.get(rule);
    if (!upstream) return refuse(site, req, res, { kind: 'error', error: new AppError('not_found', 'Check the address.') });
    if (!mayPass(rule, session)) return refuse(site, req, res, { kind: 'error', error: notAllowed() });
    const token = identity.tokenFor(session, site.publicUrl);
    if (!(token instanceof Promise)) return pass(asked, session, rule, upstream, token);
    token.then((made) => pass(asked, session, rule, upstream, made)).catch((error: unknown) => refuse(site, req, res, unavailable(error)));
  };

  const pass = ({ site, req, res, requestId, started }: Asked, session: Session, rule: UpstreamRule, upstream: Upstream, identityToken: string | undefined): void => {
    const underWay: UnderWay = { site, session, rule, socket: req.socket, res, began: performance.now(), hasLength: false };
    long.begin(underWay);
    const onAnswer = (hasLength: boolean): void => {
      underWay.hasLength = hasLength;
      meter.upstream('answered', secondsSince(underWay.began));
    };
    const passage = { clientAddress: clientAddress(req, trustedProxies), requestId, public: site, identityToken, cors: corsHeaders(site.cors, site.publicUrl, req.headers.origin), framePolicy: site.framePolicy, onAnswer };
    upstream.pass(req, res, session, passage, (error) => {
      long.over(underWay);
      if (!error) return passed([requestId, req.method, pathOf(req.url ?? ''), res.statusCode, millisecondsSince(started), !res.writableFinished]);
      meter.upstream(error.code, secondsSince(underWay.began));
      return refuse(site, req, res, { kind: 'error', error });
    });
  };

  return (site: ServedSite, req: IncomingMessage, res: ServerResponse, requestId: string): void => {
    const started = performance.now();
    const session = currentSession(site.sessions, req.headers.cookie);
    if (!(session instanceof Promise)) return asSomebody({ site, req, res, requestId, started }, session);
    session.then((found) => asSomebody({ site, req, res, requestId, started }, found)).catch((error: unknown) => refuse(site, req, res, unavailable(error)));
  };
}

export function unavailable(error: unknown): HandedOver {
  return { kind: 'error', error: new AppError('unavailable', 'Try again in a minute.', { cause: error }) };
}
