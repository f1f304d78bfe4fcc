import express, { Router, type Request, type RequestHandler, type Response } from 'express';
import type { BlockList } from 'node:net';
import { clientAddress } from '../../platform/client-address.ts';
import { logOf, requestIdOf } from '../../platform/http.ts';
import { AppError } from '../../platform/problem.ts';
import { pathOf } from '../../platform/request-target.ts';
import { onlyCookieIn } from '../cookie.ts';
import { assetRoute } from '../pages/asset.routes.ts';
import { showNotice, text, translateFor, type Showing } from '../pages/show.ts';
import { sameOrigin } from '../same-origin.ts';
import { mayPass, notAllowed, ruleFor } from '../site/site.ts';
import { embedded, enter, type EmbedKeeping } from './embed.service.ts';
import type { EmbedStanding } from './embed-standings.ts';
import { framedBy } from './framed-answer.ts';

const LONGEST_FORM = '16kb';
const LOOK_AGAIN_MILLISECONDS = 5_000;
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

export interface EmbedParts extends EmbedKeeping, Showing {
  /** The origin at which frames stand. */
  embedUrl: string;
  trustedProxies: BlockList;
}

/** `/embed/<app>`: a person's small app in a frame of another page (docs/decisions/0050). */
export function embedRouter(parts: EmbedParts): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const ours = sameOrigin(parts.embedUrl);
  router.get('/trial/assets/:file', assetRoute(parts.pages));
  router.post('/embed/:app', express.urlencoded({ extended: false, limit: LONGEST_FORM }), takeToken(parts));
  router.all(['/embed/:app', '/embed/:app/', '/embed/:app/*path'], (req, res, next) => (SAFE.has(req.method) ? next() : ours(req, res, next)), passToApp(parts));
  return router;
}

function takeToken(parts: EmbedParts): RequestHandler<{ app: string }> {
  return async (req, res) => {
    const { app } = req.params;
    const token = text(((req.body ?? {}) as Record<string, unknown>)['token']);
    if (!token) throw new AppError('invalid_request', 'Post the token of POST /api/trial/embed-token as form field "token".');
    const entered = await enter(parts, { token, app, postedFrom: req.headers.origin }, callerOf(parts, req, res));
    if ('refused' in entered) {
      logOf(res).info({ app, refused: entered.refused, request_id: requestIdOf(res) }, 'embed refused');
      return showOver(parts, req, res, entered.origin);
    }
    res.append('Set-Cookie', cookieOf(parts.embedUrl, app, entered));
    res.redirect(303, `/embed/${app}`);
  };
}

function passToApp(parts: EmbedParts): RequestHandler<{ app: string }> {
  return async (req, res, next) => {
    const { app } = req.params;
    const caller = callerOf(parts, req, res);
    const id = onlyCookieIn(req.headers.cookie, cookieName(parts.embedUrl));
    const found = id === undefined ? undefined : await embedded(parts, { id, app }, caller);
    if (!found) return showOver(parts, req, res, undefined);
    const { standing, session, site, identity } = found;
    const prefix = `/embed/${app}`;
    const target = standing.path + req.originalUrl.slice(prefix.length);
    const rule = ruleFor(site.rules, pathOf(target));
    const upstream = rule && site.upstreams.get(rule);
    if (!upstream) throw new AppError('not_found', 'Check the address.');
    if (!mayPass(rule, identity)) throw notAllowed();
    // What our own pages say about themselves says nothing about the app's.
    for (const name of res.getHeaderNames()) res.removeHeader(name);
    req.url = target;
    const { host, protocol } = new URL(parts.embedUrl);
    const passage = {
      clientAddress: caller.address,
      requestId: caller.requestId,
      public: { host, protocol: protocol.slice(0, -1), identityHeaders: site.identityHeaders, prefix },
      identityToken: undefined,
      rewrite: (headers: string[]) => framedBy(headers, { origin: session.origin, appPath: standing.path, prefix }),
    };
    const stopLooking = lookAgainWhileOpen(parts, standing, () => embedded(parts, { id: id as string, app }, caller), () => res.destroy());
    upstream.pass(req, res, identity, passage, (error) => {
      stopLooking();
      if (error) next(error);
    });
  };
}

/** An event stream in a frame must not outlive it. */
function lookAgainWhileOpen({ clock }: Pick<EmbedParts, 'clock'>, first: EmbedStanding, look: () => Promise<{ standing: EmbedStanding } | undefined>, end: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const later = ({ accessUntil }: EmbedStanding): void => {
    if (!isOver) timer = setTimeout(() => void again(), Math.max(0, Math.min(LOOK_AGAIN_MILLISECONDS, (accessUntil?.getTime() ?? Number.POSITIVE_INFINITY) - clock.now().getTime())));
  };
  const again = async (): Promise<void> => {
    const found = await look().catch(() => undefined);
    if (found) later(found.standing);
    else if (!isOver) end();
  };
  later(first);
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}

/** Only the page around it can mend it. */
function showOver(parts: EmbedParts, req: Request, res: Response, origin: string | undefined): void {
  if (origin !== undefined) {
    res.removeHeader('X-Frame-Options');
    res.set('Content-Security-Policy', `default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ${origin}`);
  }
  const t = translateFor(parts, req);
  showNotice(parts, req, res, { status: 403, icon: 'clock', title: t('embed.over.title'), paragraphs: [t('embed.over.body')], languageSwitch: 'none', showRequestId: true });
}

function callerOf({ trustedProxies }: EmbedParts, req: Request, res: Response) {
  return { address: clientAddress(req, trustedProxies), requestId: requestIdOf(res) };
}

function cookieName(embedUrl: string): string {
  return embedUrl.startsWith('https:') ? '__Secure-vestibule-embed' : 'vestibule_dev_embed';
}

/** Of this app's path and this page's frame alone. Browsers take `Secure` from http://localhost too. */
function cookieOf(embedUrl: string, app: string, { id, seconds }: { id: string; seconds: number }): string {
  return `${cookieName(embedUrl)}=${id}; Path=/embed/${app}; HttpOnly; Secure; SameSite=None; Partitioned; Max-Age=${seconds}`;
}
