import express, { Router, type RequestHandler } from 'express';
import { healthRoutes, type Health } from '../platform/health.ts';
import { AppError } from '../platform/problem.ts';
import { keysRoute } from './identity/keys.routes.ts';
import type { IdentityTokens } from './identity/identity-token.ts';
import { loginRoutes, type LoginRouteParts } from './login/login.routes.ts';
import { startRoutes } from './login/start.routes.ts';
import { logoutRoutes, type LogoutParts } from './logout/logout.routes.ts';
import { assetRoute } from './pages/asset.routes.ts';
import { sameOrigin } from './same-origin.ts';
import { sessionRoute } from './session/session.routes.ts';
import { trialRoutes, type TrialParts } from './trial/trial.routes.ts';

const LONGEST_FORM = '16kb';
const LONGEST_REGISTER = '64kb';

export interface RouteParts extends LoginRouteParts, LogoutParts, TrialParts {
  identity: IdentityTokens;
  /** Undefined where it is answered at a port of its own. */
  health: Health | undefined;
  provider: LoginRouteParts['provider'];
}

type Method = 'get' | 'post' | 'options';
type Steps = RequestHandler | readonly RequestHandler[];

/** Every URL of the proxy. What is not reserved (request-target.ts) belongs to the app and goes the way of listener.ts. */
export function routes(parts: RouteParts): Router {
  const login = { ...startRoutes(parts), ...loginRoutes(parts) };
  const logout = logoutRoutes(parts);
  const trial = trialRoutes(parts);
  const form = [express.urlencoded({ extended: false, limit: LONGEST_FORM }), emptyBody];
  const raw = express.raw({ type: () => true, limit: LONGEST_REGISTER });
  const ours = sameOrigin(parts.publicUrl);

  const map: Readonly<Record<string, Partial<Record<Method, Steps>>>> = {
    // Signing in and out
    '/api/login': { get: login.start },
    '/api/login/tab': { get: login.tab },
    '/api/login/resume': { get: login.resumePage, post: [ours, ...form, login.resume] },
    '/api/login/other-person': { get: login.otherPersonPage, post: [ours, ...form, login.otherPersonAnswer] },
    '/api/login/ended': { get: login.ended },
    '/api/callback': { get: login.callback },
    '/api/logout': { get: logout.ask, post: [ours, ...form, logout.logOut] },
    '/api/logout/done': { get: logout.done },
    '/api/logout/back-channel': { post: [...form, logout.backChannel] },
    '/api/identity/keys': { get: keysRoute(parts.identity) },
    '/api/session': { get: sessionRoute(parts, parts.publicUrl) },

    // Of the bridge, and nothing else of it
    '/api/trial/register': { post: [raw, trial.forwardRegister], options: trial.forwardRegister },
    '/api/legacy/trial/register': { post: [raw, trial.forwardRegister], options: trial.forwardRegister },

    // Pages. The token of `not-me` is its own proof: nothing to forge.
    '/trial': { get: trial.signUpPage, post: [ours, ...form, trial.signUp] },
    '/trial/check-email': { get: trial.checkEmail },
    '/trial/new-link': { get: trial.newLinkPage, post: [ours, ...form, trial.newLink] },
    '/trial/not-me': { get: trial.notMePage, post: [...form, trial.notMe] },
    '/trial/not-me/done': { get: trial.notMeDone },
    '/trial/assets/:file': { get: assetRoute(parts.pages) },
  };

  const router = Router({ caseSensitive: true, strict: true });
  if (parts.health) router.use(healthRoutes(parts.health));
  for (const [path, methods] of Object.entries(map)) {
    for (const [method, steps] of Object.entries(methods) as [Method, Steps][]) router[method](path, ...[steps].flat());
    const allowed = Object.keys(methods).map((method) => method.toUpperCase());
    router.all(path, (_req, res) => {
      res.set('Allow', allowed.join(', '));
      throw new AppError('method_not_allowed', `Use ${allowed.join(' or ')}.`);
    });
  }
  return router;
}

/** What does not say that it is a form is a form with nothing in it: its page says what is missing. */
const emptyBody: RequestHandler = (req, _res, next) => {
  req.body ??= {};
  next();
};
