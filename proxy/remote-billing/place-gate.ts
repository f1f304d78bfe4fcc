import type { Request, Response } from 'express';
import { requestIdOf } from '../../platform/http.ts';
import { AppError, toProblem } from '../../platform/problem.ts';
import { isNavigation } from '../pages/error-page.ts';
import { showNotice, translateFor } from '../pages/show.ts';
import { ask, type BillingPage, type Live, type Over, type PlaceKind, type Refused } from './billing-bridge.ts';
import { billingSession, callerOf, type BillingParts } from './billing-browser.ts';
import { showRefused } from './refused.ts';
import { pageIn } from './server-login.routes.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Somebody with a live session for the place in the address. */
export interface Entered {
  sessionId: string;
  live: Live;
  page: BillingPage;
  /** `/realm/<uuid>`. */
  base: string;
}

/** Lets in who has a completed session for exactly this realm or server; undefined where the answer is given already. */
export async function enterPlace(parts: BillingParts, kind: PlaceKind, req: Request, res: Response, wanted: unknown): Promise<Entered | undefined> {
  const [session, uuid, page] = [billingSession(parts, req), String(req.params['uuid']).toLowerCase(), pageIn(wanted)];
  if (page === undefined || !UUID.test(uuid) || (page === 'deactivate' && kind === 'realm')) throw new AppError('not_found', 'Check the address.');
  // Of a place that nobody here is signed in for, nothing is said, not even whether it exists.
  if (session?.kind !== kind || session.uuid !== uuid) return void askToSignIn(parts, req, res);
  const read = await ask(parts.bridge, 'session/read', { session_id: session.id, kind, uuid, page }, callerOf(parts, req, res));
  if (read.result === 'live') return { sessionId: session.id, live: read, page, base: `/${kind}/${uuid}` };
  if (read.result === 'unknown') return void askToSignIn(parts, req, res);
  return void showNotLive(parts, req, res, read, { kind, page });
}

/** A session that ended, here or while a call was under way. */
export function showNotLive(parts: BillingParts, req: Request, res: Response, read: Over | Refused, { kind, page }: { kind: PlaceKind; page: BillingPage }): void {
  if (read.result === 'refused') return showRefused(parts, req, res, read);
  const loginUrl = read.login_url ?? (kind === 'server' ? `/serverlogin/?next_page=${page}` : undefined);
  return loginUrl === undefined ? askToSignIn(parts, req, res) : showOver(parts, req, res, loginUrl);
}

/** Says nothing of the place that was asked for. */
function askToSignIn(parts: BillingParts, req: Request, res: Response): void {
  res.set('WWW-Authenticate', 'Vestibule realm="billing"');
  if (!isNavigation(req)) throw new AppError('unauthorized', 'Sign in to billing from your server.');
  const t = translateFor(parts, req);
  showNotice(parts, req, res, {
    status: 401,
    icon: 'door',
    title: t('billing.nobody.title'),
    paragraphs: [t('billing.nobody.body')],
    links: [{ href: '/serverlogin/', label: t('billing.server.link'), quiet: true }],
    languageSwitch: req.method === 'GET' ? 'link' : 'none',
  });
}

/** Back to the server, and from there to this page. What was posted is lost, and that is said. */
function showOver(parts: BillingParts, req: Request, res: Response, loginUrl: string): void {
  if (!isNavigation(req)) {
    res.set('WWW-Authenticate', 'Vestibule realm="billing"');
    const problem = toProblem(new AppError('unauthorized', 'Sign in at login_url.'), requestIdOf(res));
    return void res.status(401).type('application/problem+json').send(JSON.stringify({ ...problem, login_url: loginUrl }));
  }
  if (req.method !== 'POST') return res.redirect(302, loginUrl);
  const t = translateFor(parts, req);
  return showNotice(parts, req, res, {
    status: 401,
    icon: 'clock',
    title: t('session_over.title'),
    paragraphs: [t('session_over.body')],
    links: [{ href: loginUrl, label: t('billing.back_to_server') }],
    languageSwitch: 'none',
  });
}
