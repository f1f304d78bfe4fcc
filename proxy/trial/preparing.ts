import type { Request, RequestHandler, Response } from 'express';
import type { Clock } from '../../platform/clock.ts';
import { nextPage } from '../../platform/next-page.ts';
import { AppError } from '../../platform/problem.ts';
import { loginPath } from '../login/start.routes.ts';
import { isNavigation } from '../pages/error-page.ts';
import { showNotice, translateFor, type Showing } from '../pages/show.ts';
import { currentSession, type SessionKeeping } from '../session/session.service.ts';

const LOOK_AGAIN_SECONDS = 2;

export interface PreparingParts extends Showing {
  clock: Pick<Clock, 'now'>;
  contactUrl: string;
  /** So long after signing in people are left to wait without being offered another way. */
  preparingBudgetMilliseconds: number;
}

/** Somebody who is signed in, and whose workspace the app has not made yet (`provision: wait`). */
export function stillPreparing(): AppError {
  return new AppError('preparing', 'Ask again in a moment: the app is still making this workspace.', { retryAfterSeconds: LOOK_AGAIN_SECONDS });
}

/**
 * At the very address that was asked for: it looks again by itself, without a script, and is the app's page once that is there.
 * `since`: when the person signed in. Programs get 503 with `Retry-After`.
 */
export function showPreparing(parts: PreparingParts, req: Request, res: Response, since: Date, languageSwitch: 'link' | 'none' = 'none'): void {
  if (!isNavigation(req)) throw stillPreparing();
  const t = translateFor(parts, req);
  const late = parts.clock.now().getTime() - since.getTime() >= parts.preparingBudgetMilliseconds;
  if (!late) {
    res.set('Refresh', String(LOOK_AGAIN_SECONDS));
    return showNotice(parts, req, res, { icon: 'door', title: t('preparing.title'), paragraphs: [t('preparing.body'), t('preparing.by_itself')], languageSwitch });
  }
  return showNotice(parts, req, res, {
    icon: 'clock',
    title: t('preparing.late_title'),
    paragraphs: [t('preparing.late_body'), t('preparing.late_contact')],
    links: [
      { href: '', label: t('error.retry') },
      { href: parts.contactUrl, label: t('preparing.contact'), quiet: true },
    ],
    showRequestId: true,
    languageSwitch,
  });
}

/** Where gateways send whoever waits: it leads on by itself. */
export function preparingRoute(parts: PreparingParts & SessionKeeping & { publicUrl: string; returnOrigins: readonly string[] }): RequestHandler {
  const landing = parts.products[0].start_url;
  return async (req, res) => {
    const wanted = nextPage(req.query['next_page'], parts.publicUrl, parts.products, parts.returnOrigins) ?? landing;
    const session = await currentSession(parts, req.headers.cookie);
    if (!session) return res.redirect(303, loginPath(wanted, landing));
    if (!session.preparing) return res.redirect(303, wanted);
    return showPreparing(parts, req, res, session.createdAt, 'link');
  };
}
