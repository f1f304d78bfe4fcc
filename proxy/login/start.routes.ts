import type { Request, RequestHandler, Response } from 'express';
import { clientAddress } from '../../platform/client-address.ts';
import { logOf, requestIdOf } from '../../platform/http.ts';
import { nextPage } from '../../platform/next-page.ts';
import { AppError } from '../../platform/problem.ts';
import { readCookies } from '../cookie.ts';
import { keepLanguage, languageOf, showNotice, text, translateFor } from '../pages/show.ts';
import { LOGIN_LIFETIME_SECONDS } from '../session/ended-login.store.ts';
import { currentSession } from '../session/session.service.ts';
import type { LoginRouteParts } from './login.routes.ts';
import { tellOpened } from './tell-bridge.ts';
import { beginLogin, invitationToResume, isInvitation, sendOff, sendTab, type BegunLogin, type LoginWish, type Sending } from './start.service.ts';

/** How often a tab that waits for another looks again. */
const LOOK_AGAIN_SECONDS = 1;

export function loginPath(next: string | undefined, landing: string): string {
  return next === undefined || next === landing ? '/api/login' : `/api/login?${new URLSearchParams({ next_page: next }).toString()}`;
}

/** How a login begins, whatever it begins from. */
export function loginStart(parts: LoginRouteParts) {
  const landing = parts.products[0].start_url;

  const begin = async (req: Request, res: Response, wish: LoginWish): Promise<BegunLogin> => {
    const begun = await beginLogin(parts, wish, { cookies: readCookies(req.headers.cookie), address: clientAddress(req, parts.trustedProxies) }).catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'rate_limited') parts.meter.login('limited');
      throw error;
    });
    for (const id of begun.dropped) res.append('Set-Cookie', parts.cookies.clear(parts.cookies.login(id)));
    res.append('Set-Cookie', parts.cookies.set(parts.cookies.login(begun.id), begun.binding, LOGIN_LIFETIME_SECONDS));
    keepLanguage(parts, req, res, languageOf(parts, req));
    return begun;
  };

  const told = (req: Request, res: Response): { language: string; requestId: string } => ({ language: languageOf(parts, req), requestId: requestIdOf(res) });

  /** Sends the browser to the provider, or says that it is out of reach. */
  const go = (req: Request, res: Response, { location, nextPage: next }: Sending, hasInvitation: boolean): void => {
    parts.meter.login(location instanceof AppError ? 'unreachable' : 'started');
    if (!(location instanceof AppError)) return res.redirect(req.method === 'POST' ? 303 : 302, location.href);
    logOf(res).error({ err: location }, 'sign-in service is out of reach');
    const t = translateFor(parts, req);
    const again = hasInvitation ? undefined : loginPath(next, landing);
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

  return { begin, told, go, sendOff };
}

export function startRoutes(parts: LoginRouteParts): Record<'start' | 'tab' | 'resumePage' | 'resume', RequestHandler> {
  const landing = parts.products[0].start_url;
  const { begin, told, go } = loginStart(parts);

  const invite = async (req: Request, res: Response, wish: LoginWish): Promise<void> => {
    const { sealed } = await begin(req, res, wish);
    go(req, res, await sendOff(parts, sealed, told(req, res)), true);
  };

  return {
    start: async (req, res) => {
      const token = req.query['invitation_token'];
      const wanted = nextPage(req.query['next_page'], parts.publicUrl, parts.products, parts.returnOrigins) ?? landing;
      if (token === undefined) {
        const { id, sealed } = await begin(req, res, { invitationToken: undefined, nextPage: wanted });
        // Tabs that all want the same page can't be mixed up.
        if (wanted !== landing) return res.redirect(302, `/api/login/tab?login=${id}`);
        return go(req, res, await sendOff(parts, sealed, told(req, res)), false);
      }
      if (typeof token === 'string' && isInvitation(token)) {
        tellOpened(parts, req, res, token);
        return invite(req, res, { invitationToken: token, nextPage: wanted });
      }
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

    tab: async (req, res) => {
      const id = text(req.query['login']) ?? '';
      const current = await currentSession(parts, req.headers.cookie);
      const sent = await sendTab(parts, { id, here: req.query['here'] !== undefined, ...told(req, res) }, readCookies(req.headers.cookie), current);
      switch (sent.outcome) {
        case 'lead_on':
          return res.redirect(303, sent.nextPage);
        case 'over':
          return res.redirect(303, loginPath(sent.nextPage, landing));
        case 'send':
          return go(req, res, sent, false);
        case 'wait': {
          const t = translateFor(parts, req);
          res.set('Refresh', String(LOOK_AGAIN_SECONDS));
          return showNotice(parts, req, res, {
            icon: 'clock',
            title: t('other_tab.title'),
            paragraphs: [t('other_tab.body')],
            links: [{ href: `/api/login/tab?${new URLSearchParams({ login: id, here: '' }).toString()}`, label: t('other_tab.here'), quiet: true }],
          });
        }
      }
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
      return invite(req, res, invitation);
    },
  };
}
