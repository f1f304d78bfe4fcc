import type { RequestHandler } from 'express';
import { decodeJwt } from 'jose';
import { logOf } from '../../platform/http.ts';
import { showNotice, languageOf, translateFor, type Showing } from '../pages/show.ts';
import { AppError } from '../../platform/problem.ts';
import type { Provider } from '../provider/provider.ts';
import { currentSession, type SessionKeeping } from '../session/session.service.ts';
import { endByProvider, logOut } from './logout.service.ts';

const DONE = '/api/logout/done';

export interface LogoutParts extends SessionKeeping, Showing {
  provider: Pick<Provider, 'endSessionUrl' | 'readLogoutToken'>;
  publicUrl: string;
  /** Of all sites, this one among them. */
  toldByProviders: readonly ToldByProvider[];
}

/** What a logout token is for: one of the provider's clients, and what it has here. */
export type ToldByProvider = Pick<SessionKeeping, 'db' | 'live' | 'issuer' | 'clientId' | 'sitesOfIssuer'> & { provider: Pick<Provider, 'readLogoutToken'> };

/** Logout asks, and is a POST (SECURITY.md 24): a link or an image on another site signs nobody out. */
export function logoutRoutes(parts: LogoutParts): Record<'ask' | 'logOut' | 'done' | 'backChannel', RequestHandler> {
  return {
    ask: async (req, res) => {
      const session = await currentSession(parts, req.headers.cookie);
      if (!session) return res.redirect(303, DONE);
      const t = translateFor(parts, req);
      return showNotice(parts, req, res, {
        icon: 'door',
        tokenFree: true,
        title: t('logout.title'),
        paragraphs: [t('logout.body', { email: session.email })],
        form: { action: '/api/logout', buttons: [{ label: t('logout.submit') }] },
        links: [{ href: parts.products[0].start_url, label: t('logout.back'), quiet: true }],
      });
    },

    logOut: async (req, res) => {
      const session = await currentSession(parts, req.headers.cookie);
      const goodbye = await logOut(parts, session, { doneUrl: parts.publicUrl + DONE, language: languageOf(parts, req) }).catch((cause: unknown) => {
        throw new AppError('unavailable', 'You are still signed in. Try again in a minute.', { cause });
      });
      // Only now: who could not be signed out here must be able to try again.
      res.append('Set-Cookie', parts.cookies.clear(parts.cookies.session));
      if (goodbye.fault) logOf(res).warn({ err: goodbye.fault }, 'signed out here only');
      res.redirect(303, goodbye.location);
    },

    /** OpenID Connect Back-Channel Logout 1.0, 2.8: 200, or 400 with the reason; another status makes providers try again. */
    backChannel: async (req, res) => {
      const { logout_token: token } = req.body as Record<string, unknown>;
      const told = typeof token === 'string' ? token : '';
      const client = clientOf(parts.toldByProviders, told) ?? parts;
      const read = await client.provider.readLogoutToken(told);
      const ending = 'refused' in read ? read : await endByProvider(client, read);
      if ('refused' in ending || ending.outcome === 'replayed') {
        const why = 'refused' in ending ? ending.refused : new Error('the token was used before');
        logOf(res).warn({ err: why }, 'logout token refused');
        return void res.status(400).json({ error: 'invalid_request', error_description: 'The logout token is not valid, or was used before.' });
      }
      logOf(res).info({ sessions: ending.sessions }, 'ended by the provider');
      return void res.status(200).end();
    },

    done: (req, res) => {
      const t = translateFor(parts, req);
      showNotice(parts, req, res, {
        icon: 'done',
        title: t('signed_out.title'),
        paragraphs: [t('signed_out.body')],
        links: [{ href: '/api/login', label: t('signed_out.submit') }],
      });
    },
  };
}

/** By what the token says of itself, which is believed once it is verified: providers post to an internal address, which is no site's. */
function clientOf(clients: readonly ToldByProvider[], token: string): ToldByProvider | undefined {
  try {
    const { iss, aud } = decodeJwt(token);
    return clients.find(({ issuer, clientId }) => issuer === iss && [aud].flat().includes(clientId));
  } catch {
    return undefined;
  }
}
