import type { BlockList } from 'node:net';
import type { Request, RequestHandler, Response } from 'express';
import { logOf } from '../../platform/http.ts';
import { nextPage } from '../../platform/next-page.ts';
import { onlyCookie, readCookies } from '../cookie.ts';
import type { Meter } from '../metrics/meter.ts';
import { showNotice, text, translateFor, type Notice, type Showing } from '../pages/show.ts';
import { currentSession } from '../session/session.service.ts';
import { answerOtherPerson, finishLogin, otherPerson, TOO_LATE, type SignedIn } from './login.service.ts';
import { showJoined } from '../trial/join-pages.ts';
import { loginPath } from './start.routes.ts';
import { tellSignedIn, type TellingParts } from './tell-bridge.ts';
import { invitationToResume, type LoginParts } from './start.service.ts';

/** For so long a second answer to a login that is finished leads where the first one did: the browser's way back, or a page loaded again. */
const FINISHED_LEADS_ON_SECONDS = 600;
/** Why a sign-in ended without one. Shown in words; the address of the page carries the key only. */
const ENDINGS = ['access_denied', 'took_too_long', 'refused', 'invalid', 'stale'] as const;
type Ending = (typeof ENDINGS)[number];

const CANCELLED = new Set(['access_denied']);

export interface LoginRouteParts extends LoginParts, Showing, TellingParts {
  publicUrl: string;
  /** Origins besides the public one to which a sign-in may lead back. */
  returnOrigins: readonly string[];
  contactUrl: string;
  trustedProxies: BlockList;
  meter: Pick<Meter, 'login'>;
}

export function loginRoutes(parts: LoginRouteParts): Record<'callback' | 'ended' | 'otherPersonPage' | 'otherPersonAnswer', RequestHandler> {
  const landing = parts.products[0].start_url;

  const ending = (req: Request, why: Ending, invitation: boolean, next: string | undefined): Notice => {
    const t = translateFor(parts, req);
    const query = new URLSearchParams({ why, ...(next !== undefined && { next_page: next }) });
    return {
      status: 400,
      icon: why === 'stale' || why === 'took_too_long' ? 'clock' : 'alert',
      title: t(`login.${why}.title`),
      paragraphs: [t(`login.${why}.body`)],
      links: invitation ? [{ href: '/api/login/resume', label: t('login.resume') }] : [{ href: loginPath(next, landing), label: t('login.again') }],
      languagePath: `/api/login/ended?${query.toString()}`,
      showRequestId: true,
    };
  };

  const trialOver = (req: Request): Notice => {
    const t = translateFor(parts, req);
    return {
      status: 403,
      icon: 'clock',
      title: t('trial_over.title'),
      paragraphs: [t('trial_over.body', { product: parts.products[0].name })],
      links: [{ href: parts.contactUrl, label: t('trial_over.submit') }],
      languageSwitch: 'none',
    };
  };

  const signIn = async (req: Request, res: Response, id: string, { sessionId, nextPage: wanted, person, join }: SignedIn): Promise<void> => {
    if (person.trial && parts.productIds.length > 0) tellSignedIn(parts, req, res, { user_id: person.sub, products: parts.productIds });
    const login = parts.cookies.login(id);
    res.append('Set-Cookie', parts.cookies.set(parts.cookies.session, sessionId));
    res.append('Set-Cookie', parts.cookies.set(login, onlyCookie(readCookies(req.headers.cookie), login) ?? '', FINISHED_LEADS_ON_SECONDS));
    if (join) return showJoined(parts, req, res, { wish: join, nextPage: wanted }, person);
    res.redirect(303, wanted);
  };

  return {
    callback: async (req, res) => {
      const current = await currentSession(parts, req.headers.cookie);
      const finished = await finishLogin(parts, new URL(req.originalUrl, parts.publicUrl), readCookies(req.headers.cookie), current);
      parts.meter.login(finished.outcome);
      switch (finished.outcome) {
        case 'signed_in':
          return signIn(req, res, finished.id, finished.signedIn);
        case 'other_person':
          return res.redirect(303, `/api/login/other-person?login=${finished.id}`);
        case 'lead_on':
          return res.redirect(303, finished.nextPage ?? landing);
        case 'stale':
          return showNotice(parts, req, res, ending(req, 'stale', false, finished.nextPage));
        case 'refused':
          logOf(res).warn({ oauth_error: finished.error.slice(0, 100), description: finished.description.slice(0, 200) }, 'sign-in refused by the provider');
          return showNotice(parts, req, res, ending(req, endingOf(finished.error), finished.hasInvitation, finished.nextPage));
        case 'invalid':
          logOf(res).warn({ err: finished.cause }, 'sign-in answer is not valid');
          return showNotice(parts, req, res, ending(req, 'invalid', finished.hasInvitation, finished.nextPage));
        case 'trial_over':
          return showNotice(parts, req, res, trialOver(req));
      }
    },

    ended: async (req, res) => {
      const why = ENDINGS.find((one) => one === req.query['why']) ?? 'stale';
      const resumable = why !== 'stale' && (await invitationToResume(parts, readCookies(req.headers.cookie))) !== undefined;
      showNotice(parts, req, res, ending(req, why, resumable, nextPage(req.query['next_page'], parts.publicUrl, parts.products, parts.returnOrigins)));
    },

    otherPersonPage: async (req, res) => {
      const id = text(req.query['login']) ?? '';
      const [current, next] = [await currentSession(parts, req.headers.cookie), await otherPerson(parts, id, readCookies(req.headers.cookie))];
      if (!next || !current) return res.redirect(303, landing);
      const t = translateFor(parts, req);
      return showNotice(parts, req, res, {
        icon: 'people',
        tokenFree: true,
        title: t('other.title'),
        paragraphs: [t('other.body', { current: current.email, next: next.email }), t('other.effect')],
        form: {
          action: '/api/login/other-person',
          hidden: { login: id },
          buttons: [
            { label: t('other.go_on', { next: breakable(next.email) }), name: 'choice', value: 'go_on' },
            { label: t('other.stay', { current: breakable(current.email) }), name: 'choice', value: 'stay', quiet: true },
          ],
        },
      });
    },

    otherPersonAnswer: async (req, res) => {
      const { login, choice } = req.body as Record<string, unknown>;
      const id = text(login) ?? '';
      const current = await currentSession(parts, req.headers.cookie);
      const answer = await answerOtherPerson(parts, { id, goOn: choice === 'go_on' }, readCookies(req.headers.cookie), current);
      if (answer === 'trial_over') return showNotice(parts, req, res, trialOver(req));
      if (answer === 'ended_meanwhile') return showNotice(parts, req, res, ending(req, 'stale', false, undefined));
      if (answer === 'stayed') return res.redirect(303, landing);
      parts.meter.login('signed_in');
      return signIn(req, res, id, answer);
    },
  };
}

/** Long addresses wrap before the @ on small buttons. */
function breakable(email: string): string {
  return email.replace('@', '\u200b@');
}

function endingOf(error: string): Ending {
  if (CANCELLED.has(error)) return 'access_denied';
  return TOO_LATE.has(error) ? 'took_too_long' : 'refused';
}
