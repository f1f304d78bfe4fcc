import type { Request, Response } from 'express';
import type { BlockList } from 'node:net';
import { clientAddress } from '../../platform/client-address.ts';
import { logOf, requestIdOf } from '../../platform/http.ts';
import { AppError } from '../../platform/problem.ts';
import { findProduct, type Product } from '../../platform/products.ts';
import type { Bridge, Caller } from '../bridge/bridge.ts';
import { show, showNotice, languageOf, translateFor, type Showing } from '../pages/show.ts';
import { joinTrial, lookAtOffer, type JoinWish, type Offer } from './join.service.ts';
import { consentBoxes, fieldRows, refusedField, type FieldErrors, type Input } from './sign-up-form.ts';

export interface JoinParts extends Showing {
  bridge: Bridge;
  trustedProxies: BlockList;
  contactUrl: string;
}

export interface Joining {
  wish: JoinWish;
  nextPage: string;
}

type OpenOffer = Extract<Offer, { open: true }>;

/**
 * Whoever is signed in here begins the trial, and signs in once more without being asked: only new tokens know of it. Else the
 * page that says why not, and how to go on.
 */
export async function showJoined(parts: JoinParts, req: Request, res: Response, { wish, nextPage }: Joining, person: { sub: string; email: string }): Promise<void> {
  const t = translateFor(parts, req);
  const joined = await joinTrial(parts.bridge, wish, person.sub, callerOf(parts, req, res));
  switch (joined.outcome) {
    case 'joined':
      return res.redirect(303, `/api/login?${new URLSearchParams({ next_page: nextPage }).toString()}`);
    case 'other_account':
      return showNotice(parts, req, res, {
        status: 409,
        icon: 'people',
        title: t('join.other_title'),
        paragraphs: [t('join.other_body', { current: person.email }), t('join.other_way')],
        links: [{ href: '/api/logout', label: t('logout.submit') }],
        languageSwitch: 'none',
      });
    case 'not_possible':
      return showNotice(parts, req, res, {
        status: 409,
        icon: 'alert',
        title: t('join.not_possible_title'),
        paragraphs: [t('join.not_possible_body', { current: person.email })],
        links: [{ href: parts.contactUrl, label: t('join.contact') }],
        showRequestId: true,
        languageSwitch: 'none',
      });
    case 'link_over':
      return showOver(parts, req, res, await lookAtOffer(parts.bridge, wish.token, callerOf(parts, req, res)), nextPage);
    case 'asked': {
      const offer = await lookAtOffer(parts.bridge, wish.token, callerOf(parts, req, res));
      if (!offer.open) return showOver(parts, req, res, offer, nextPage);
      const errors = refusedField(askedOf(parts, offer), 'again', joined.field) ?? {};
      return showOffer(parts, req, res, offer, inputOf(wish, nextPage), { errors, ...(Object.keys(errors).length === 0 && { alert: t('form.rejected') }), status: 400 });
    }
    case 'unavailable':
      logOf(res).error({ err: joined.cause }, 'a trial could not begin yet; what is reserved, the bridge goes on with');
      return showNotice(parts, req, res, {
        status: 502,
        icon: 'alert',
        title: t('error.bad_gateway.title'),
        paragraphs: [t('join.again_body')],
        form: { action: '/trial/join', hidden: inputOf(wish, nextPage), buttons: [{ label: t('error.retry') }] },
        showRequestId: true,
        languageSwitch: 'none',
      });
  }
}

/** The page of the mail's link: says what begins with which account, asks for what is missing. Opening it changes nothing. */
export function showOffer(parts: JoinParts, req: Request, res: Response, offer: OpenOffer, input: Input, problem: { errors?: FieldErrors; alert?: string; status?: number } = {}): void {
  const product = askedOf(parts, offer);
  const language = languageOf(parts, req, product);
  const t = parts.pages.translate(language);
  const errors = problem.errors ?? {};
  show(parts, req, res, {
    template: 'join',
    status: problem.status ?? 200,
    title: `${Object.keys(errors).length > 0 || problem.alert ? `${t('form.error_prefix')} ` : ''}${t('join.title', { product: product.name })}`,
    product,
    languageSwitch: 'form',
    data: {
      heading: t('join.title', { product: product.name }),
      lead: t('join.lead', { product: product.name, days: new Intl.NumberFormat(language).format(product.trial_days) }),
      username: offer.username,
      token: input['t'],
      nextPage: input['next_page'],
      alert: problem.alert,
      // The address is the account's.
      rows: fieldRows(product, { language, t }, input, errors, 'again').slice(1),
      consents: consentBoxes(product, { language, t }, input, errors, 'again'),
    },
  });
}

/** A link that is not good any more. Its owner, whose trial has begun, is led to it. */
export function showOver(parts: JoinParts, req: Request, res: Response, offer: Offer, nextPage: string): void {
  const product = findProduct(parts.products, offer.product) ?? parts.products[0];
  const t = translateFor(parts, req, product);
  const begun = !offer.open && offer.reason === 'spent';
  showNotice(parts, req, res, {
    status: begun ? 200 : 410,
    icon: begun ? 'done' : 'clock',
    product,
    title: t(begun ? 'join.begun_title' : 'join.over_title'),
    paragraphs: [t(begun ? 'join.begun_body' : 'join.over_body', { product: product.name })],
    links: [
      begun
        ? { href: `/api/login?${new URLSearchParams({ next_page: nextPage }).toString()}`, label: t('trial.sign_in') }
        : { href: `/trial/new-link?${new URLSearchParams({ product: product.id, next_page: nextPage }).toString()}`, label: t('invitation.submit') },
    ],
    languageSwitch: 'none',
  });
}

/** The product, less what was answered with the address. */
export function askedOf(parts: Pick<JoinParts, 'products'>, { product: id, given }: OpenOffer): Product {
  const product = findProduct(parts.products, id);
  if (!product) throw new AppError('not_found', 'There is no such product.');
  return { ...product, attributes: product.attributes.filter((one) => !given.attributes.includes(one.id)), consents: product.consents.filter((one) => !given.consents.includes(one.id)) };
}

export function callerOf({ trustedProxies }: Pick<JoinParts, 'trustedProxies'>, req: Request, res: Response): Caller {
  return { address: clientAddress(req, trustedProxies), requestId: requestIdOf(res) };
}

/** The form as it was posted. */
function inputOf({ token, attributes = {}, consents = [] }: JoinWish, nextPage: string): Record<string, string> {
  const answers = [...Object.entries(attributes).map(([id, value]) => [`attributes.${id}`, value] as const), ...consents.map(({ id, version }) => [`consents.${id}`, version] as const)];
  return { t: token, next_page: nextPage, ...Object.fromEntries(answers) };
}
