import express, { Router, type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { healthRoutes, type Health } from '../platform/health.ts';
import { AppError } from '../platform/problem.ts';
import { keysRoute } from './identity/keys.routes.ts';
import type { IdentityTokens } from './identity/identity-token.ts';
import { loginRoutes, type LoginRouteParts } from './login/login.routes.ts';
import { startRoutes } from './login/start.routes.ts';
import { logoutRoutes, type LogoutParts } from './logout/logout.routes.ts';
import { assetRoute } from './pages/asset.routes.ts';
import { demandFormToken, type BillingParts } from './remote-billing/billing-browser.ts';
import { placeRoutes } from './remote-billing/place.routes.ts';
import { serverLoginRoutes } from './remote-billing/server-login.routes.ts';
import { forwardServers } from './remote-billing/servers.routes.ts';
import { signInRoutes } from './remote-billing/sign-in.routes.ts';
import { signOutRoutes } from './remote-billing/sign-out.routes.ts';
import { sameOrigin } from './same-origin.ts';
import { sessionRoute } from './session/session.routes.ts';
import { staffBillingRoutes } from './staff/billing/staff-billing.routes.ts';
import { staffTrialsRoutes } from './staff/trials/staff-trials.routes.ts';
import { toFirstSection } from './staff/staff.routes.ts';
import { joinRoutes, type JoinRouteParts } from './trial/join.routes.ts';
import { preparingRoute, type PreparingParts } from './trial/preparing.ts';
import { trialRoutes, type TrialParts } from './trial/trial.routes.ts';

const LONGEST_FORM = '16kb';
const LONGEST_REGISTER = '64kb';
/** Of a self-hosted server: ten thousand rows at a time. */
const LONGEST_REPORT = '16mb';

export interface RouteParts extends JoinRouteParts, LogoutParts, TrialParts, PreparingParts {
  identity: IdentityTokens;
  /** Undefined where it is answered at a port of its own. */
  health: Health | undefined;
  provider: LoginRouteParts['provider'];
  /** Whether the billing pages stand at this origin: in development only (SECURITY.md 25). */
  billingHere: boolean;
  /** Whether the staff pages stand at this origin: in development only, as well. */
  staffHere: boolean;
}

export interface BillingRouteParts extends BillingParts {
  publicUrl: string;
  health: Health | undefined;
}

export type StaffRouteParts = Omit<RouteParts, 'identity' | 'billingHere' | 'staffHere'>;

type Method = 'get' | 'post' | 'options';
type Steps = RequestHandler | readonly RequestHandler[];
type Map = Readonly<Record<string, Partial<Record<Method, Steps>>>>;

const form = [express.urlencoded({ extended: false, limit: LONGEST_FORM }), emptyBody];
const raw = express.raw({ type: () => true, limit: LONGEST_REGISTER });
const rawReport = express.raw({ type: () => true, limit: LONGEST_REPORT });

/** Every URL of the proxy. What is not reserved (request-target.ts) belongs to the app and goes the way of listener.ts. */
export function routes(parts: RouteParts): Router {
  const login = { ...startRoutes(parts), ...loginRoutes(parts) };
  const logout = logoutRoutes(parts);
  const trial = trialRoutes(parts);
  const join = joinRoutes(parts);
  const ours = sameOrigin(parts.publicUrl);

  const map: Map = {
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
    // Its token is its own proof, too.
    '/trial/join': { get: join.page, post: [...form, join.join] },
    '/trial/preparing': { get: preparingRoute(parts) },
    '/trial/check-email': { get: trial.checkEmail },
    '/trial/new-link': { get: trial.newLinkPage, post: [ours, ...form, trial.newLink] },
    '/trial/not-me': { get: trial.notMePage, post: [...form, trial.notMe] },
    '/trial/not-me/done': { get: trial.notMeDone },
    '/trial/assets/:file': { get: assetRoute(parts.pages) },
  };
  return mount({ ...map, ...(parts.billingHere ? billingMap(parts) : {}), ...(parts.staffHere ? staffMap(parts) : {}) }, parts.health);
}

/** Every URL of the billing origin. */
export function billingRoutes(parts: BillingRouteParts): Router {
  return mount({ '/trial/assets/:file': { get: assetRoute(parts.pages) }, ...billingMap(parts) }, parts.health);
}

/** Every URL of the staff origin: its pages, and signing in to them. */
export function staffRoutes(parts: StaffRouteParts): Router {
  const { start, tab, callback, ended, otherPersonPage, otherPersonAnswer } = { ...startRoutes(parts), ...loginRoutes(parts) };
  const logout = logoutRoutes(parts);
  const ours = [sameOrigin(parts.publicUrl), ...form];
  const map: Map = {
    '/': { get: toFirstSection },
    '/api/login': { get: start },
    '/api/login/tab': { get: tab },
    '/api/login/other-person': { get: otherPersonPage, post: [...ours, otherPersonAnswer] },
    '/api/login/ended': { get: ended },
    '/api/callback': { get: callback },
    '/api/logout': { get: logout.ask, post: [...ours, logout.logOut] },
    '/api/logout/done': { get: logout.done },
    '/trial/assets/:file': { get: assetRoute(parts.pages) },
  };
  return mount({ ...map, ...staffMap(parts) }, parts.health);
}

/** For people with the realm role `staff` alone: each handler stands behind `forStaff` (staff/staff-gate.ts). */
function staffMap(parts: StaffRouteParts): Map {
  const ours = [sameOrigin(parts.publicUrl), ...form];
  const billing = staffBillingRoutes(parts);
  const trials = staffTrialsRoutes(parts);
  return {
    '/staff': { get: toFirstSection },
    '/staff/': { get: toFirstSection },

    // Billing of self-hosted servers
    '/staff/billing/': { get: billing.searchPage, post: [...ours, billing.search] },
    '/staff/billing/:kind/:uuid/': { get: billing.place, post: [...ours, billing.act] },
    '/staff/billing/:kind/:uuid/invoices/:number': { get: billing.invoice },

    // Trials
    '/staff/trials/': { get: trials.listPage, post: [...ours, trials.search] },
    '/staff/trials/funnel/': { get: trials.funnel },
    '/staff/trials/:id/': { get: trials.trial, post: [...ours, trials.act] },
    '/staff/trials/:id/export': { get: trials.export },
  };
}

function billingMap(parts: BillingRouteParts): Map {
  const signIn = signInRoutes(parts);
  const serverLogin = serverLoginRoutes(parts);
  const signOut = signOutRoutes(parts);
  const realm = placeRoutes(parts, 'realm');
  const server = placeRoutes(parts, 'server');
  const forward = forwardServers(parts);
  const ours = [sameOrigin(parts.publicUrl), ...form, demandFormToken(parts)];
  return {
    // A sign-in to billing. What is no token comes first.
    '/remote-billing-login/sign-out': { get: signOut.ask, post: [...ours, signOut.signOut] },
    '/remote-billing-login/signed-out': { get: signOut.done },
    '/remote-billing-login/do_confirm/:key': { get: signIn.openLink },
    '/remote-billing-login/:token': { get: signIn.open, post: [...ours, signIn.complete] },
    '/remote-billing-login/:token/confirm/': { get: signIn.addressPage, post: [...ours, signIn.sendMail] },
    '/serverlogin/': { get: serverLogin.page, post: [...ours, serverLogin.open] },
    '/serverlogin/do_confirm/:key': { get: signIn.openLink },

    // Billing itself
    '/realm/:uuid/invoices/:number': { get: realm.invoice },
    '/realm/:uuid/:page/': { get: realm.page, post: [...ours, realm.act] },
    '/server/:uuid/invoices/:number': { get: server.invoice },
    '/server/:uuid/:page/': { get: server.page, post: [...ours, server.act] },

    // Of the bridge: what self-hosted servers call
    '/api/v1/remotes/server/analytics': { post: [rawReport, forward] },
    '/api/v1/remotes/*path': { get: forward, post: [raw, forward] },
  };
}

function mount(map: Map, health: Health | undefined): Router {
  const router = Router({ caseSensitive: true, strict: true });
  if (health) router.use(healthRoutes(health));
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
function emptyBody(req: Request, _res: Response, next: NextFunction): void {
  req.body ??= {};
  next();
}
