import type { Request, RequestHandler, Response } from 'express';
import type { BlockList } from 'node:net';
import { clientAddress } from '../../platform/client-address.ts';
import { requestIdOf } from '../../platform/http.ts';
import { AppError } from '../../platform/problem.ts';
import { newToken } from '../../platform/token.ts';
import type { Bridge, Caller } from '../bridge/bridge.ts';
import { onlyCookie, readCookies } from '../cookie.ts';
import { text, type Showing } from '../pages/show.ts';
import type { Seal } from '../seal.ts';
import type { PlaceKind } from './billing-bridge.ts';

/** Longer than any session: one that is over still knows the way back to its server. */
const SESSION_COOKIE_SECONDS = 30 * 24 * 3600;
const MARK = /^[A-Za-z0-9_-]{43}$/;

export interface BillingParts extends Showing {
  bridge: Pick<Bridge, 'ask' | 'forwardServer'>;
  seal: Seal;
  trustedProxies: BlockList;
}

/** What the billing cookie holds, sealed: the bridge has the session itself. */
export interface BillingSession {
  id: string;
  kind: PlaceKind;
  uuid: string;
}

export function callerOf({ trustedProxies }: Pick<BillingParts, 'trustedProxies'>, req: Request, res: Response): Caller {
  return { address: clientAddress(req, trustedProxies), requestId: requestIdOf(res) };
}

export function billingSession({ cookies, seal }: BillingParts, req: Request): BillingSession | undefined {
  const sealed = onlyCookie(readCookies(req.headers.cookie), cookies.billing);
  return sealed === undefined ? undefined : seal.open<BillingSession>('billing-session', sealed);
}

export function keepBillingSession({ cookies, seal }: BillingParts, res: Response, session: BillingSession): void {
  res.append('Set-Cookie', cookies.set(cookies.billing, seal.seal('billing-session', session), SESSION_COOKIE_SECONDS));
}

export function dropBillingSession({ cookies }: BillingParts, res: Response): void {
  res.append('Set-Cookie', cookies.clear(cookies.billing));
}

/** The random value of this browser: its forms are tied to it, and it is the `attempt` of a sign-in (docs/remote-billing.md). */
export function browserMark({ cookies }: BillingParts, req: Request): string | undefined {
  const mark = onlyCookie(readCookies(req.headers.cookie), cookies.billingForm);
  return mark !== undefined && MARK.test(mark) ? mark : undefined;
}

/** Goes into every form of a page. Call it once per answer: it marks a browser that has no mark. */
export function formToken(parts: BillingParts, req: Request, res: Response): string {
  const known = browserMark(parts, req);
  const mark = known ?? newToken();
  if (known === undefined) res.append('Set-Cookie', parts.cookies.set(parts.cookies.billingForm, mark));
  return parts.seal.seal('billing-form', mark);
}

/** A form that this browser was not given is refused, whatever its origin says. */
export function demandFormToken(parts: BillingParts): RequestHandler {
  return (req, _res, next) => {
    const [mark, sent] = [browserMark(parts, req), text((req.body as Record<string, unknown>)['form_token'])];
    if (mark === undefined || sent === undefined || parts.seal.open('billing-form', sent) !== mark) throw new AppError('forbidden', 'Open the page of this form again, with cookies allowed, and send it from there.');
    next();
  };
}
