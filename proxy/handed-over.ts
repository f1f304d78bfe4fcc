import type { Request, RequestHandler, Response } from 'express';
import { requestIdOf } from '../platform/http.ts';
import { AppError, toProblem, type Problem } from '../platform/problem.ts';
import { takeHandedOver } from './listener.ts';
import { isNavigation } from './pages/error-page.ts';
import { showNotice, translateFor, type Showing } from './pages/show.ts';
import { showPreparing, type PreparingParts } from './trial/preparing.ts';

/** Answers what the listener did not let through. */
export function answerHandedOver(showing: PreparingParts, publicUrl: string): RequestHandler {
  return (req, res, next) => {
    const handed = takeHandedOver(req);
    switch (handed?.kind) {
      case undefined:
        return next();
      case 'error':
        throw handed.error;
      case 'bad_target':
        res.locals['badTarget'] = true;
        throw new AppError('invalid_request', `This address is refused: ${handed.fault}.`);
      case 'preparing':
        return showPreparing(showing, req, res, handed.since);
      case 'sign_in':
        return askToSignIn(showing, publicUrl, req, res);
    }
  };
}

/** Browsers are sent to sign in and come back; programs hear where, and never get a redirect to HTML. */
function askToSignIn(showing: Showing, publicUrl: string, req: Request, res: Response): void {
  const loginPath = `/api/login?${new URLSearchParams({ next_page: req.originalUrl }).toString()}`;
  const reading = req.method === 'GET' || req.method === 'HEAD';
  if (isNavigation(req) && reading) return res.redirect(302, loginPath);
  if (isNavigation(req)) {
    const t = translateFor(showing, req);
    return showNotice(showing, req, res, {
      status: 401,
      icon: 'clock',
      title: t('session_over.title'),
      paragraphs: [t('session_over.body')],
      links: [{ href: '/api/login', label: t('login.again') }],
      languageSwitch: 'none',
    });
  }
  const login_url = publicUrl + (reading ? loginPath : '/api/login');
  res.set('WWW-Authenticate', 'Vestibule realm="session"');
  return sendJson(res, { ...toProblem(new AppError('unauthorized', 'Sign in at login_url.'), requestIdOf(res)), title: 'Nobody is signed in', login_url });
}

function sendJson(res: Response, problem: Omit<Problem, 'code'> & { code: string; login_url?: string }): void {
  res.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}
