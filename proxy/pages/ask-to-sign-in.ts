import type { Request, Response } from 'express';
import { requestIdOf } from '../../platform/http.ts';
import { AppError, toProblem, type Problem } from '../../platform/problem.ts';
import { isNavigation } from './error-page.ts';
import { showNotice, translateFor, type Showing } from './show.ts';

/**
 * Browsers are sent to sign in and come back; programs hear where, and never get a redirect to HTML. `back`: where somebody goes on
 * whose form came too late; the site's first page where nothing else is said.
 */
export function askToSignIn(showing: Showing, publicUrl: string, req: Request, res: Response, back?: string): void {
  const reading = req.method === 'GET' || req.method === 'HEAD';
  const wanted = reading ? req.originalUrl : back;
  const loginPath = wanted === undefined ? '/api/login' : `/api/login?${new URLSearchParams({ next_page: wanted }).toString()}`;
  if (isNavigation(req) && reading) return res.redirect(302, loginPath);
  if (isNavigation(req)) {
    const t = translateFor(showing, req);
    return showNotice(showing, req, res, {
      status: 401,
      icon: 'clock',
      title: t('session_over.title'),
      paragraphs: [t('session_over.body')],
      links: [{ href: loginPath, label: t('login.again') }],
      languageSwitch: 'none',
    });
  }
  res.set('WWW-Authenticate', 'Vestibule realm="session"');
  return sendJson(res, { ...toProblem(new AppError('unauthorized', 'Sign in at login_url.'), requestIdOf(res)), title: 'Nobody is signed in', login_url: publicUrl + loginPath });
}

function sendJson(res: Response, problem: Omit<Problem, 'code'> & { code: string; login_url?: string }): void {
  res.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}
