import type { Request, Response } from 'express';
import { AppError, PROBLEMS, type ProblemCode } from '../../platform/problem.ts';
import { isNavigation } from '../pages/error-page.ts';
import { showNotice, translateFor, type Notice, type Showing } from '../pages/show.ts';
import type { Refused, RefusalReason } from './billing-bridge.ts';

const CODES: Readonly<Record<RefusalReason, ProblemCode>> = {
  unknown: 'not_found',
  expired: 'billing_link_expired',
  spent: 'billing_link_spent',
  revoked: 'billing_link_revoked',
  deactivated: 'registration_deactivated',
  credentials: 'forbidden',
  plan_conflict: 'plan_conflict',
};

/** Why nobody gets on here, and where it begins again: a page for people, a problem for programs. */
export function showRefused(showing: Showing, req: Request, res: Response, { reason, login_url, support_url }: Omit<Refused, 'support_url'> & { support_url?: string }): void {
  const code = CODES[reason];
  if (!isNavigation(req)) throw new AppError(code, login_url === undefined ? 'Begin again where the link came from.' : `Begin again at ${login_url}`);
  const t = translateFor(showing, req);
  const again = reason !== 'deactivated' && reason !== 'credentials' && reason !== 'plan_conflict';
  showNotice(showing, req, res, {
    status: PROBLEMS[code][0],
    icon: reason === 'expired' || reason === 'spent' ? 'clock' : 'alert',
    title: t(`billing.refused.${reason}.title`),
    paragraphs: [t(`billing.refused.${reason}.body`)],
    links: [
      ...(login_url === undefined ? [] : [{ href: login_url, label: t('billing.back_to_server') }]),
      ...(login_url === undefined && again ? [{ href: '/serverlogin/', label: t('billing.server.link'), quiet: true }] : []),
      ...(support_url === undefined ? [] : [{ href: support_url, label: t('billing.support'), quiet: true }]),
    ],
    ...languageHere(req),
    showRequestId: true,
  });
}

/** The address holds a token: the link to another language names none. A page that answers a form has no address to come back to. */
export function languageHere(req: Request): Pick<Notice, 'languagePath' | 'languageSwitch'> {
  return req.method === 'POST' ? { languageSwitch: 'none' } : { languagePath: '' };
}
