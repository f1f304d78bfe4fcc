import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BlockList } from 'node:net';
import { isTrusted } from '../../platform/client-address.ts';
import type { Log } from '../../platform/log.ts';
import { AppError, toProblem } from '../../platform/problem.ts';
import { pathOf, targetFault } from '../../platform/request-target.ts';
import { IDENTITY_TOKEN_HEADER, type IdentityTokens } from '../identity/identity-token.ts';
import { isNavigation } from '../pages/error-page.ts';
import { currentSession, type Session } from '../session/session.service.ts';
import { isPreflight, preflightFault } from '../site/cors.ts';
import { stillPreparing } from '../trial/preparing.ts';
import { isHostOf, siteOfHost, type ServedSite } from '../site/served-site.ts';
import { mayPass, notAllowed, ruleFor } from '../site/site.ts';
import { askedAbout, type AskedAbout } from './asked-about.ts';

/** For gateways that ask before they pass a request on: nginx `auth_request`, caddy `forward_auth`, traefik `forwardAuth`. */
export const FORWARD_AUTH_PATH = '/api/auth';

export interface ForwardAuthParts {
  sites: readonly ServedSite[];
  trustedProxies: BlockList;
  identity: IdentityTokens;
  log: Pick<Log, 'error'>;
}

/** `302` for gateways that hand our answer to the browser (`?redirect`); nginx knows 2xx, 401 and 403 only. */
type Verdict = { status: 200; headers: string[] } | { status: 401; error: AppError; loginUrl: string; isPage: boolean } | { status: 302; loginUrl: string } | { status: 403; error: AppError } | { status: 'failed'; error: unknown };

/**
 * Whether the request that the gateway describes may pass: asked-about.ts, the browser's own Cookie and Accept. Only configured
 * proxies are answered (SECURITY.md 20). Every identity header is in the answer, empty where there is none, so that nothing that the
 * browser sent under its name survives (SECURITY.md 21). Promises only where something has to be waited for.
 */
export function answerGateway(parts: ForwardAuthParts, req: IncomingMessage, res: ServerResponse, requestId: string): Promise<number> | number {
  const asked = isTrusted(req.socket.remoteAddress, parts.trustedProxies) ? askedAbout(req.rawHeaders) : undefined;
  // By what the gateway asks about: the host that it dialled is its own affair.
  const site = (asked && siteOfHost(parts.sites, asked.host)) ?? (parts.sites[0] as ServedSite);
  const answered = (verdict: Verdict): number => answer(verdict, site, res, requestId);
  const failed = (error: unknown): Verdict => {
    parts.log.error({ err: error, request_id: requestId }, 'a gateway gets no answer');
    return { status: 'failed', error };
  };
  try {
    const judged = judge(parts, site, asked, req);
    return judged instanceof Promise ? judged.catch(failed).then(answered) : answered(judged);
  } catch (error) {
    return answered(failed(error));
  }
}

function answer(verdict: Verdict, site: ServedSite, res: ServerResponse, requestId: string): number {
  const always = ['Cache-Control', 'no-store', 'X-Request-Id', requestId];
  const nobody = [...site.identityHeaders.nobody, IDENTITY_TOKEN_HEADER, ''];
  switch (verdict.status) {
    case 200:
      verdict.headers.push('Cache-Control', 'no-store', 'X-Request-Id', requestId, 'Content-Length', '0');
      res.writeHead(200, verdict.headers).end();
      break;
    case 302:
      res.writeHead(302, [...nobody, ...always, 'Location', verdict.loginUrl, 'Content-Length', '0']).end();
      break;
    default: {
      const problem = toProblem(verdict.error, requestId);
      const status = verdict.status === 'failed' ? problem.status : verdict.status;
      const body = JSON.stringify({ ...problem, ...(verdict.status === 401 && { login_url: verdict.loginUrl }) });
      const more = verdict.status === 401 ? ['WWW-Authenticate', 'Vestibule realm="session"', 'X-Login-Url', verdict.loginUrl, ...(verdict.isPage ? ['X-Login-Redirect', verdict.loginUrl] : [])] : [];
      res.writeHead(status, [...nobody, ...always, ...more, 'Content-Type', 'application/problem+json', 'Content-Length', String(Buffer.byteLength(body))]).end(body);
      return status;
    }
  }
  return verdict.status;
}

function judge(parts: ForwardAuthParts, site: ServedSite, asked: AskedAbout | undefined, req: IncomingMessage): Promise<Verdict> | Verdict {
  if (!asked) return refused('Send X-Forwarded-Uri and X-Forwarded-Host once each, from an address that TRUSTED_PROXIES names.');
  const fault = targetFault(asked.uri);
  if (fault !== undefined) return refused(`This address is refused: ${fault}.`);
  const isItsHost = isHostOf(site, asked.host);
  // A browser's question ahead of a request comes without a session: the app gets it as nobody's.
  if (site.cors && isItsHost && isPreflight({ method: asked.method, headers: req.headers }) && preflightFault(site.cors, req.headers) === undefined) {
    return { status: 200, headers: [...site.identityHeaders.nobody, IDENTITY_TOKEN_HEADER, ''] };
  }
  // Browsers send cookies with anybody's upgrade (SECURITY.md 24).
  if (isWebSocket(asked, req) && req.headers.origin !== site.publicUrl) return refused(`Open web-sockets from pages of ${site.publicUrl}.`);
  // A session is good for the host that it was opened at, whatever else the gateway serves (SECURITY.md 22).
  const session = isItsHost ? currentSession(site.sessions, req.headers.cookie) : undefined;
  const judgeSession = (found: Session | undefined): Promise<Verdict> | Verdict => {
    if (!found) return signIn(site, req, asked);
    if (found.preparing) return elsewhere(site, req, asked, '/trial/preparing', stillPreparing());
    const rule = ruleFor(site.rules, pathOf(asked.uri));
    if (rule && !mayPass(rule, found)) return { status: 403, error: notAllowed() };
    const token = parts.identity.tokenFor(found, site.publicUrl);
    return token instanceof Promise ? token.then((made) => letIn(site, found, made)) : letIn(site, found, token);
  };
  return session instanceof Promise ? session.then(judgeSession) : judgeSession(session);
}

/** By headers that no script can set: gateways keep `Upgrade` for themselves, as a rule, and HTTP/2 says CONNECT (RFC 8441). */
function isWebSocket({ method }: AskedAbout, { headers }: IncomingMessage): boolean {
  return method === 'CONNECT' || headers['sec-websocket-key'] !== undefined || headers['sec-websocket-version'] !== undefined || headers.upgrade?.toLowerCase() === 'websocket';
}

function letIn(site: ServedSite, session: Session, token: string | undefined): Verdict {
  const headers = site.identityHeaders.of(session);
  headers.push(IDENTITY_TOKEN_HEADER, token ?? '');
  return { status: 200, headers };
}

function refused(detail: string): Verdict {
  return { status: 403, error: new AppError('forbidden', detail) };
}

function signIn(site: ServedSite, req: IncomingMessage, asked: AskedAbout): Verdict {
  return elsewhere(site, req, asked, '/api/login', new AppError('unauthorized', 'Sign in at login_url.'));
}

/** To a page of ours that leads back. nginx knows no other refusals than 401 and 403. */
function elsewhere(site: ServedSite, req: IncomingMessage, { uri, method }: AskedAbout, page: string, error: AppError): Verdict {
  const reading = method === 'GET' || method === 'HEAD';
  const query = reading ? `?${new URLSearchParams({ next_page: uri }).toString()}` : '';
  const loginUrl = `${site.publicUrl}${page}${query}`;
  const wantsRedirect = (req.url ?? '').split('?')[1] === 'redirect';
  const isPage = reading && isNavigation(req);
  if (wantsRedirect && isPage) return { status: 302, loginUrl };
  return { status: 401, loginUrl, isPage, error };
}
