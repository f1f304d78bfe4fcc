import type { Request, RequestHandler, Response } from 'express';
import { nextPage } from '../../platform/next-page.ts';
import { AppError } from '../../platform/problem.ts';
import { findProduct } from '../../platform/products.ts';
import type { LoginRouteParts } from '../login/login.routes.ts';
import { loginStart } from '../login/start.routes.ts';
import { isInvitation } from '../login/start.service.ts';
import { tellOpened } from '../login/tell-bridge.ts';
import { showNotice, text, translateFor } from '../pages/show.ts';
import { currentSession } from '../session/session.service.ts';
import { askedOf, callerOf, showJoined, showOffer, showOver } from './join-pages.ts';
import { lookAtOffer, type Offer } from './join.service.ts';
import { missing, signUpFrom, type Input } from './sign-up-form.ts';

export interface JoinRouteParts extends LoginRouteParts {
  /** Whether the people of this site are those that the bridge knows. */
  ofBridgesRealm: boolean;
}

/** A trial that a mail offered to an account that was there before: `page` looks, `join` begins it, once its owner is signed in. */
export function joinRoutes(parts: JoinRouteParts): Record<'page' | 'join', RequestHandler> {
  const { begin, go, told, sendOff } = loginStart(parts);

  const landingOf = (offer: Offer, wanted: unknown): string =>
    nextPage(wanted, parts.publicUrl, parts.products) ?? (findProduct(parts.products, offer.product) ?? parts.products[0]).start_url;

  /** Undefined: the answer is given. */
  const offerFor = async (req: Request, res: Response, given: Input): Promise<{ token: string; offer: Extract<Offer, { open: true }>; landing: string } | undefined> => {
    if (!parts.ofBridgesRealm) throw new AppError('not_found', 'Trials begin at another site.');
    const token = text(given['t']) ?? '';
    if (!isInvitation(token)) return showIncomplete(parts, req, res);
    if (req.method !== 'POST') tellOpened(parts, req, res, token);
    const offer = await lookAtOffer(parts.bridge, token, callerOf(parts, req, res));
    const landing = landingOf(offer, given['next_page']);
    return offer.open ? { token, offer, landing } : showOver(parts, req, res, offer, landing) as undefined;
  };

  return {
    page: async (req, res) => {
      const found = await offerFor(req, res, req.query);
      if (found) showOffer(parts, req, res, found.offer, { t: found.token, next_page: found.landing });
    },

    join: async (req, res) => {
      const input = req.body as Input;
      const found = await offerFor(req, res, input);
      if (!found) return;
      const { token, offer, landing } = found;
      const product = askedOf(parts, offer);
      const errors = input['switch_lang'] === undefined ? missing(product, { ...input, email: offer.username }) : {};
      const wrong = Object.keys(errors).length > 0;
      if (input['switch_lang'] !== undefined || wrong) return showOffer(parts, req, res, offer, { ...input, next_page: landing }, wrong ? { errors, status: 400 } : {});
      const { attributes, consents } = signUpFrom(product, input, 'again', product.locale, undefined);
      const wish = { token, ...(attributes && { attributes }), ...(consents && { consents }) };
      const current = await currentSession(parts, req.headers.cookie);
      if (current) return showJoined(parts, req, res, { wish, nextPage: landing }, current);
      const { sealed } = await begin(req, res, { invitationToken: undefined, nextPage: landing, join: wish });
      return go(req, res, await sendOff(parts, sealed, told(req, res)), false);
    },
  };
}

function showIncomplete(parts: LoginRouteParts, req: Request, res: Response): undefined {
  const t = translateFor(parts, req);
  showNotice(parts, req, res, { status: 400, icon: 'mail', title: t('not_me.incomplete_title'), paragraphs: [t('not_me.incomplete_body')], languageSwitch: 'none' });
}
