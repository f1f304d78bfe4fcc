import type { Request, RequestHandler, Response } from 'express';
import { requestIdOf } from '../../platform/http.ts';
import { AppError, toProblem } from '../../platform/problem.ts';
import { isNavigation } from '../pages/error-page.ts';
import { waitInWords } from '../pages/pages.ts';
import { languageOf, show, showNotice, text, translateFor } from '../pages/show.ts';
import { ask, type BillingPage, type ListedUser, type Live, type PlaceKind } from './billing-bridge.ts';
import { billingSession, callerOf, formToken, type BillingParts, type BillingSession } from './billing-browser.ts';
import { showRefused } from './refused.ts';
import { pageIn } from './server-login.routes.ts';
import { placeName, unverified } from './sign-in-pages.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

interface Entered {
  session: BillingSession;
  live: Live;
  page: BillingPage;
}

/** `/realm/<uuid>/<page>/` and `/server/<uuid>/<page>/`: only with a session for exactly that one. */
export function placeRoutes(parts: BillingParts, kind: PlaceKind): Record<'page' | 'deactivateUser', RequestHandler> {
  /** Whoever has a live session here; undefined where the answer is given already. */
  const enter = async (req: Request, res: Response, page: BillingPage | undefined): Promise<Entered | undefined> => {
    const [session, uuid] = [billingSession(parts, req), String(req.params['uuid']).toLowerCase()];
    if (page === undefined || !UUID.test(uuid) || (page === 'deactivate' && kind === 'realm')) throw new AppError('not_found', 'Check the address.');
    // Of a place that nobody here is signed in for, nothing is said, not even whether it exists.
    if (session?.kind !== kind || session.uuid !== uuid) return void askToSignIn(parts, req, res);
    const read = await ask(parts.bridge, 'session/read', { session_id: session.id, kind, uuid, page }, callerOf(parts, req, res));
    if (read.result === 'live') return { session, live: read, page };
    if (read.result === 'over') return void showOver(parts, req, res, read.login_url ?? (kind === 'server' ? `/serverlogin/?next_page=${page}` : undefined));
    return void (read.result === 'refused' ? showRefused(parts, req, res, read) : askToSignIn(parts, req, res));
  };

  return {
    page: async (req, res) => {
      const entered = await enter(req, res, pageIn(req.params['page']));
      if (!entered) return;
      const listed = await ask(parts.bridge, 'users/list', { session_id: entered.session.id }, callerOf(parts, req, res));
      showPlace(parts, req, res, entered, listed.result === 'users' ? listed.users : []);
    },

    deactivateUser: async (req, res) => {
      const entered = await enter(req, res, 'billing');
      if (!entered) return;
      const done = await ask(parts.bridge, 'users/deactivate', { session_id: entered.session.id, user_id: text((req.body as Record<string, unknown>)['user_id']) ?? '' }, callerOf(parts, req, res));
      if (done.result === 'refused') return showRefused(parts, req, res, done);
      res.redirect(303, `/${kind}/${entered.session.uuid}/billing/${done.result === 'last_one' ? '?kept=last' : ''}`);
    },
  };
}

function showPlace(parts: BillingParts, req: Request, res: Response, { live, page }: Entered, users: readonly ListedUser[]): void {
  const language = languageOf(parts, req);
  const t = parts.pages.translate(language);
  const { place, user, ends_at: endsAt } = live;
  const base = `/${place.kind}/${place.uuid}`;
  const others = users.filter(({ state, you }) => state === 'confirmed' && !you).length;
  show(parts, req, res, {
    template: 'billing-place',
    tokenFree: true,
    title: t(`billing.page.${page}`),
    data: {
      place: placeName(place),
      notes: unverified(t, place),
      person: t('billing.place.person', { name: user.full_name || user.email, email: user.email }),
      ends: t('billing.place.ends', { wait: waitInWords(Math.max(60, endsAt - Math.floor(Date.now() / 1000)), language) }),
      tabs: (['plans', 'billing', 'sponsorship'] as const).map((one) => ({ href: `${base}/${one}/`, label: t(`billing.page.${one}`), here: one === page })),
      users: page === 'billing' ? users.map((one) => ({ ...one, removable: one.state === 'confirmed' && (!one.you || others > 0) })) : [],
      alert: req.query['kept'] === 'last' ? t('billing.users.last_one') : undefined,
      action: `${base}/users/deactivate/`,
      formToken: formToken(parts, req, res),
    },
  });
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
function showOver(parts: BillingParts, req: Request, res: Response, loginUrl: string | undefined): void {
  if (loginUrl === undefined) return askToSignIn(parts, req, res);
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
