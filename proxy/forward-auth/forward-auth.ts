import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BlockList } from 'node:net';
import { isTrusted } from '../../platform/client-address.ts';
import { AppError, toProblem } from '../../platform/problem.ts';
import { pathOf, targetFault } from '../../platform/request-target.ts';
import { IDENTITY_TOKEN_HEADER, type IdentityTokens } from '../identity/identity-token.ts';
import { isNavigation } from '../pages/error-page.ts';
import { currentSession, type Session } from '../session/session.service.ts';
import type { ServedSite } from '../site/served-site.ts';
import { mayPass, notAllowed, ruleFor } from '../site/site.ts';
import { identityHeaders, NO_IDENTITY_HEADERS } from '../upstream/headers.ts';

/** For gateways that ask before they pass a request on: nginx `auth_request`, caddy `forward_auth`, traefik `forwardAuth`. */
export const FORWARD_AUTH_PATH = '/api/auth';

export interface ForwardAuthParts {
  trustedProxies: BlockList;
  identity: IdentityTokens;
}

/** `302` for gateways that hand our answer to the browser (`?redirect`); nginx knows 2xx, 401 and 403 only. */
type Verdict = { status: 200; headers: string[] } | { status: 401; error: AppError; loginUrl: string } | { status: 302; loginUrl: string } | { status: 403; error: AppError };

/**
 * Whether the request that the gateway describes may pass: `X-Forwarded-Method`, `X-Forwarded-Host`, `X-Forwarded-Uri` (nginx:
 * `X-Original-…` work too), the browser's own Cookie and Accept. Only configured proxies are answered (SECURITY.md 20). Every identity
 * header is in the answer, empty where there is none, so that nothing that the browser sent under its name survives (SECURITY.md 21).
 */
export function answerGateway(parts: ForwardAuthParts, site: ServedSite, req: IncomingMessage, res: ServerResponse, requestId: string): Promise<number> | number {
  const judged = judge(parts, site, req);
  return judged instanceof Promise ? judged.then((verdict) => answer(verdict, res, requestId)) : answer(judged, res, requestId);
}

function answer(verdict: Verdict, res: ServerResponse, requestId: string): number {
  const always = ['Cache-Control', 'no-store', 'X-Request-Id', requestId];
  switch (verdict.status) {
    case 200:
      verdict.headers.push(...always, 'Content-Length', '0');
      res.writeHead(200, verdict.headers).end();
      break;
    case 302:
      res.writeHead(302, [...NO_IDENTITY_HEADERS, ...always, 'Location', verdict.loginUrl, 'Content-Length', '0']).end();
      break;
    default: {
      const body = JSON.stringify({ ...toProblem(verdict.error, requestId), ...(verdict.status === 401 && { login_url: verdict.loginUrl }) });
      const more = verdict.status === 401 ? ['WWW-Authenticate', 'Vestibule realm="session"', 'X-Login-Url', verdict.loginUrl] : [];
      res.writeHead(verdict.status, [...NO_IDENTITY_HEADERS, ...always, ...more, 'Content-Type', 'application/problem+json', 'Content-Length', String(Buffer.byteLength(body))]).end(body);
    }
  }
  return verdict.status;
}

function judge(parts: ForwardAuthParts, site: ServedSite, req: IncomingMessage): Promise<Verdict> | Verdict {
  if (!isTrusted(req.socket.remoteAddress, parts.trustedProxies)) return refused('Ask from an address that TRUSTED_PROXIES names.');
  const { uri, method = 'GET', host } = whatIsAsked(req.rawHeaders);
  if (uri === undefined || host === undefined) return refused('Send X-Forwarded-Uri and X-Forwarded-Host.');
  const fault = targetFault(uri);
  if (fault !== undefined) return refused(`This address is refused: ${fault}.`);
  // A session is good for the host that it was opened at, whatever else the gateway serves (SECURITY.md 22).
  const session = host.toLowerCase() === site.host ? currentSession(site.sessions, req.headers.cookie) : undefined;
  const judgeSession = (found: Session | undefined): Promise<Verdict> | Verdict => {
    if (!found) return signIn(site, req, { uri, method });
    const rule = ruleFor(site.rules, pathOf(uri));
    if (rule && !mayPass(rule, found)) return { status: 403, error: notAllowed() };
    const token = parts.identity.tokenFor(found, site.publicUrl);
    return token instanceof Promise ? token.then((made) => letIn(found, made)) : letIn(found, token);
  };
  return session instanceof Promise ? session.then(judgeSession) : judgeSession(session);
}

function letIn(session: Session, token: string | undefined): Verdict {
  const headers = identityHeaders(session);
  headers.push(IDENTITY_TOKEN_HEADER, token ?? '');
  return { status: 200, headers };
}

function refused(detail: string): Verdict {
  return { status: 403, error: new AppError('forbidden', detail) };
}

function signIn(site: ServedSite, req: IncomingMessage, { uri, method }: { uri: string; method: string }): Verdict {
  const reading = method === 'GET' || method === 'HEAD';
  const query = reading ? `?${new URLSearchParams({ next_page: uri }).toString()}` : '';
  const loginUrl = `${site.publicUrl}/api/login${query}`;
  const wantsRedirect = (req.url ?? '').split('?')[1] === 'redirect';
  if (wantsRedirect && reading && isNavigation(req)) return { status: 302, loginUrl };
  return { status: 401, loginUrl, error: new AppError('unauthorized', 'Sign in at login_url.') };
}

type Asked = Partial<Record<'uri' | 'method' | 'host', string | undefined>>;

const ASKED = /^x-(?:forwarded|original)-(uri|method|host)$/i;

/** What came twice, under one name or two, says nothing. */
function whatIsAsked(raw: readonly string[]): Asked {
  const asked: Asked = {};
  for (let at = 0; at < raw.length; at += 2) {
    const what = ASKED.exec(raw[at] ?? '')?.[1]?.toLowerCase() as keyof Asked | undefined;
    if (what !== undefined) asked[what] = what in asked ? undefined : raw[at + 1];
  }
  return asked;
}
