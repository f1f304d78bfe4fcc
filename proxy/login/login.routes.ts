import type { Request, RequestHandler, Response } from 'express';
import { logOf, requestIdOf } from '../../platform/http.ts';
import { nextPage } from '../../platform/next-page.ts';
import { AppError } from '../../platform/problem.ts';
import { readCookies } from '../cookie.ts';
import { keepLanguage, languageOf, showNotice, text, translateFor, type Notice, type Showing } from '../pages/show.ts';
import type { Meter } from '../metrics/meter.ts';
import { currentSession } from '../session/session.service.ts';
import {
  answerOtherPerson,
  finishLogin,
  invitationToResume,
  isInvitation,
  LOGIN_LIFETIME_SECONDS,
  otherPerson,
  startLogin,
  type LoginParts,
  type LoginWish,
} from './login.service.ts';

/** Why a sign-in ended without one. Shown in words; the address of the page carries the key only. */
const ENDINGS = ['access_denied', 'took_too_long', 'refused', 'invalid', 'stale'] as const;
type Ending = (typeof ENDINGS)[number];

const CANCELLED = new Set(['access_denied']);
const TOO_LATE = new Set(['temporarily_unavailable', 'login_required', 'interaction_required']);

export interface LoginRouteParts extends LoginParts, Showing {
  publicUrl: string;
  contactUrl: string;
  meter: Pick<Meter, 'login'>;
}

export function loginRoutes(parts: LoginRouteParts): Record<'start' | 'callback' | 'ended' | 'resumePage' | 'resume' | 'otherPersonPage' | 'otherPersonAnswer', RequestHandler> {
  const landing = parts.products[0].start_url;

  /** Sends the browser to the provider, or says that it is out of reach; the invitation is kept for another try. */
  const begin = async (req: Request, res: Response, wish: Pick<LoginWish, 'invitationToken' | 'nextPage'>): Promise<void> => {
    const language = languageOf(parts, req);
    const started = await startLogin(parts, { ...wish, language, requestId: requestIdOf(res) }, readCookies(req.headers.cookie));
    parts.meter.login(started.location instanceof AppError ? 'unreachable' : 'started');
    for (const id of started.dropped) res.append('Set-Cookie', parts.cookies.clear(parts.cookies.login(id)));
    res.append('Set-Cookie', parts.cookies.set(parts.cookies.login(started.id), started.binding, LOGIN_LIFETIME_SECONDS));
    if (!(started.location instanceof AppError)) {
      keepLanguage(parts, req, res, language);
      return res.redirect(req.method === 'POST' ? 303 : 302, started.location.href);
    }
    logOf(res).error({ err: started.location }, 'sign-in service is out of reach');
    const t = translateFor(parts, req);
    const again = wish.invitationToken === undefined ? loginPath(wish.nextPage) : undefined;
    return showNotice(parts, req, res, {
      status: 502,
      icon: 'alert',
      title: t('error.bad_gateway.title'),
      paragraphs: [t('error.bad_gateway.body')],
      showRequestId: true,
      languagePath: again ?? '/api/login/resume',
      ...(again ? { links: [{ href: again, label: t('error.retry') }] } : { form: { action: '/api/login/resume', buttons: [{ label: t('error.retry') }] } }),
    });
  };

  const ending = (req: Request, why: Ending, invitation: boolean, next: string | undefined): Notice => {
    const t = translateFor(parts, req);
    const query = new URLSearchParams({ why, ...(next !== undefined && { next_page: next }) });
    return {
      status: 400,
      icon: why === 'stale' || why === 'took_too_long' ? 'clock' : 'alert',
      title: t(`login.${why}.title`),
      paragraphs: [t(`login.${why}.body`)],
      links: invitation ? [{ href: '/api/login/resume', label: t('login.resume') }] : [{ href: loginPath(next), label: t('login.again') }],
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

  const loginPath = (next: string | undefined): string =>
    next === undefined || next === landing ? '/api/login' : `/api/login?${new URLSearchParams({ next_page: next }).toString()}`;

  const signIn = (res: Response, id: string, sessionId: string, next: string): void => {
    res.append('Set-Cookie', parts.cookies.set(parts.cookies.session, sessionId));
    res.append('Set-Cookie', parts.cookies.clear(parts.cookies.login(id)));
    res.redirect(303, next);
  };

  return {
    start: async (req, res) => {
      const token = req.query['invitation_token'];
      const wanted = nextPage(req.query['next_page'], parts.publicUrl, parts.products) ?? landing;
      if (token === undefined) return begin(req, res, { invitationToken: undefined, nextPage: wanted });
      if (typeof token === 'string' && isInvitation(token)) return begin(req, res, { invitationToken: token, nextPage: wanted });
      const t = translateFor(parts, req);
      return showNotice(parts, req, res, {
        status: 400,
        icon: 'mail',
        title: t('invitation.title'),
        paragraphs: [t('invitation.body')],
        links: [{ href: '/trial/new-link', label: t('invitation.submit') }],
        languageSwitch: 'none',
      });
    },

    callback: async (req, res) => {
      const current = await currentSession(parts, req.headers.cookie);
      const finished = await finishLogin(parts, new URL(req.originalUrl, parts.publicUrl), readCookies(req.headers.cookie), current);
      parts.meter.login(finished.outcome);
      switch (finished.outcome) {
        case 'signed_in':
          return signIn(res, finished.id, finished.sessionId, finished.nextPage);
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
      showNotice(parts, req, res, ending(req, why, resumable, nextPage(req.query['next_page'], parts.publicUrl, parts.products)));
    },

    resumePage: async (req, res) => {
      if (!(await invitationToResume(parts, readCookies(req.headers.cookie)))) return res.redirect(303, '/');
      const t = translateFor(parts, req);
      return showNotice(parts, req, res, {
        icon: 'door',
        tokenFree: true,
        title: t('resume.title'),
        paragraphs: [t('resume.body')],
        form: { action: '/api/login/resume', buttons: [{ label: t('resume.submit') }] },
      });
    },

    resume: async (req, res) => {
      const invitation = await invitationToResume(parts, readCookies(req.headers.cookie));
      if (!invitation) return res.redirect(303, '/');
      return begin(req, res, invitation);
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
      return signIn(res, id, answer.sessionId, answer.nextPage);
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
