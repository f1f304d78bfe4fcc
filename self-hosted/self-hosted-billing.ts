import { Router, type Request, type Response } from 'express';
import { askForBillingUrl, NEXT_PAGES, type Credentials, type Failure, type NextPage, type Person, type Realm } from './bridge.ts';
import { problemPage } from './problem-page.ts';

export type { Credentials, NextPage, Person, Realm } from './bridge.ts';
export { registerServer } from './bridge.ts';

export interface SelfHostedBilling extends Partial<Credentials> {
  /** Who is signed in here; undefined: nobody. */
  currentUser(req: Request): Promise<Person | undefined> | Person | undefined;
  /** The role is judged here alone: the billing service believes it. */
  mayManageBilling(req: Request): Promise<boolean> | boolean;
  /** The organization that this request is for. */
  currentRealm(req: Request): Promise<Realm> | Realm;
  /** Every organization of this server; default: the one of the request. */
  realms?(): Promise<readonly Realm[]> | readonly Realm[];
  /** Where somebody signs in here and comes back to `path`. */
  loginUrl(path: string): string;
  /** Told of whatever went wrong with the billing service. */
  onFailure?(failure: Failure, cause: unknown): void;
}

type Refusal = Failure | 'not_allowed' | 'not_configured' | 'not_signed_in' | 'bad_next_page';

const REFUSALS: Readonly<Record<Refusal, readonly [status: number, code: string, title: string, text: string]>> = {
  not_signed_in: [401, 'UNAUTHENTICATED_USER', 'Sign in first', 'Sign in here, then open billing again.'],
  not_allowed: [403, 'UNAUTHORIZED_PRINCIPAL', 'You can’t manage billing here', 'Ask an owner of this organization for the right to manage billing.'],
  not_configured: [500, 'BILLING_NOT_CONFIGURED', 'Billing is not set up', 'This server has no address, id and key of a billing service. Whoever runs it: set bridgeUrl, serverId and serverKey, and register the server.'],
  bad_next_page: [400, 'BAD_REQUEST', 'There is no such page', `next_page is one of ${NEXT_PAGES.join(', ')}.`],
  unreachable: [502, 'BILLING_UNREACHABLE', 'Billing does not answer', 'Try again later. Nothing was changed.'],
  limited: [429, 'RATE_LIMIT_HIT', 'Too many tries', 'This server has asked the billing service too often. Try again in a minute.'],
  not_accepted: [502, 'BILLING_KEY_REFUSED', 'Billing does not accept this server', 'The billing service refuses the id or the key of this server. Whoever runs it: register the server again.'],
  other_server: [403, 'REMOTE_REALM_SERVER_MISMATCH_ERROR', 'Another server has this organization', 'The billing service knows this organization from another server. If it was moved here, ask the service’s support.'],
  deactivated: [403, 'REALM_DEACTIVATED', 'Billing can’t be used here any more', 'You, or this organization, can’t use billing any more. Ask another billing user, or the service’s support.'],
  refused: [400, 'BAD_REQUEST', 'Billing refused this request', 'Whoever runs this server: its log says why.'],
};

/** `/self-hosted-billing/` and `/json/self-hosted-billing`: a signed-in person with the right to it is led to billing (docs/remote-billing.md). */
export function selfHostedBilling(options: SelfHostedBilling): Router {
  const router = Router({ strict: true, caseSensitive: true });

  const find = async (req: Request): Promise<{ url: string } | Refusal> => {
    const person = await options.currentUser(req);
    if (!person) return 'not_signed_in';
    if (!(await options.mayManageBilling(req))) return 'not_allowed';
    const credentials = credentialsOf(options);
    if (!credentials) return 'not_configured';
    const nextPage = nextPageOf(req);
    if (nextPage === 'bad') return 'bad_next_page';
    const realm = await options.currentRealm(req);
    const { uuid, email, full_name } = person;
    const realms = async () => (await options.realms?.()) ?? [realm];
    const asked = await askForBillingUrl(credentials, { person: { uuid, email, full_name }, realm, realms, nextPage });
    if (asked.result === 'url') return asked;
    options.onFailure?.(asked.result, asked.cause);
    return asked.result;
  };

  router.get('/self-hosted-billing/', noTraces, async (req, res) => {
    const found = await find(req);
    if (typeof found === 'object') return res.redirect(302, found.url);
    const readsPages = req.accepts(['html', 'json']) === 'html';
    if (found === 'not_signed_in' && readsPages) return res.redirect(302, options.loginUrl(req.originalUrl));
    if (found === 'not_configured' && readsPages) return res.redirect(302, `${req.baseUrl}/self-hosted-billing/not-configured/`);
    return readsPages ? refusePage(res, found) : refuseJson(res, found);
  });

  router.get('/json/self-hosted-billing', noTraces, async (req, res) => {
    const found = await find(req);
    return typeof found === 'object' ? void res.json({ result: 'success', msg: '', billing_access_url: found.url }) : refuseJson(res, found);
  });

  router.get('/self-hosted-billing/not-configured/', (_req, res) => refusePage(res, 'not_configured'));
  return router;
}

/** A link that signs somebody in is kept by nobody on the way. */
function noTraces(_req: Request, res: Response, next: () => void): void {
  res.set({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' });
  next();
}

function credentialsOf({ bridgeUrl, serverId, serverKey }: Partial<Credentials>): Credentials | undefined {
  return bridgeUrl && serverId && serverKey ? { bridgeUrl: bridgeUrl.replace(/\/+$/, ''), serverId, serverKey } : undefined;
}

function nextPageOf(req: Request): NextPage | 'bad' | undefined {
  const wanted = req.query['next_page'];
  return wanted === undefined ? undefined : (NEXT_PAGES.find((page) => page === wanted) ?? 'bad');
}

function refusePage(res: Response, refusal: Refusal): void {
  const [status, , title, text] = REFUSALS[refusal];
  res.status(status).type('html').send(problemPage(title, text));
}

function refuseJson(res: Response, refusal: Refusal): void {
  const [status, code, title, text] = REFUSALS[refusal];
  res.status(status).json({ result: 'error', msg: `${title}. ${text}`, code });
}
