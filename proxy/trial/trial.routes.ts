import type { Request, RequestHandler, Response } from 'express';
import type { BlockList } from 'node:net';
import { logOf, requestIdOf } from '../../platform/http.ts';
import { nextPage } from '../../platform/next-page.ts';
import { AppError, toProblem } from '../../platform/problem.ts';
import { findProduct, type Product } from '../../platform/products.ts';
import type { Bridge, Caller } from '../bridge/bridge.ts';
import { clientAddress } from '../../platform/client-address.ts';
import { onlyCookie, readCookies } from '../cookie.ts';
import { waitInWords } from '../pages/pages.ts';
import { languageOf, show, showNotice, text, translateFor, type Showing } from '../pages/show.ts';
import type { Seal } from '../seal.ts';
import { allowWidget, type CaptchaWidget } from './captcha-widget.ts';
import { CAPTCHA, consentBoxes, fieldRows, missing, refusedField, signUpFrom, type Extent, type FieldErrors, type Input } from './sign-up-form.ts';

const NOTICE_SECONDS = 15 * 60;
const LONGEST_TOKEN = 200;

export interface TrialParts extends Showing {
  bridge: Bridge;
  seal: Seal;
  publicUrl: string;
  trustedProxies: BlockList;
  /** Undefined: the bridge asks for none. */
  captcha: CaptchaWidget | undefined;
  contactUrl: string;
}

interface SentNotice {
  email: string;
  productId: string;
  nextPage: string | undefined;
}

type Form = 'trial' | 'new-link';
const EXTENT: Readonly<Record<Form, Extent>> = { trial: 'all', 'new-link': 'again' };
type Handlers = Record<'forwardRegister' | 'signUpPage' | 'signUp' | 'checkEmail' | 'newLinkPage' | 'newLink' | 'notMePage' | 'notMe' | 'notMeDone', RequestHandler>;

export function trialRoutes(parts: TrialParts): Handlers {
  const callerOf = (req: Request, res: Response): Caller => ({ address: clientAddress(req, parts.trustedProxies), requestId: requestIdOf(res) });

  const productOf = (value: unknown): Product => {
    const product = findProduct(parts.products, text(value) || undefined);
    if (!product) throw new AppError('not_found', 'There is no such product.');
    return product;
  };

  const wantedPage = (value: unknown): string | undefined => nextPage(value, parts.publicUrl, parts.products);

  const showForm = (form: Form, req: Request, res: Response, product: Product, input: Input, problem: { errors?: FieldErrors; alert?: string; status?: number } = {}): void => {
    const language = languageOf(parts, req, product);
    const t = parts.pages.translate(language);
    const wanted = wantedPage(input['next_page']);
    const captchaError = problem.errors?.[CAPTCHA];
    if (parts.captcha) allowWidget(res, parts.captcha);
    show(parts, req, res, {
      template: form,
      tokenFree: true,
      status: problem.status ?? 200,
      title: `${problem.errors || problem.alert ? `${t('form.error_prefix')} ` : ''}${t(form === 'trial' ? 'trial.title' : 'new_link.title')}`,
      product,
      languageSwitch: 'form',
      data: {
        heading: t('trial.heading', { product: product.name, days: new Intl.NumberFormat(language).format(product.trial_days) }),
        productId: product.id,
        nextPage: wanted,
        alert: problem.alert,
        rows: fieldRows(product, { language, t }, input, problem.errors ?? {}, EXTENT[form]),
        consents: consentBoxes(product, { language, t }, input, problem.errors ?? {}, EXTENT[form]),
        captcha: parts.captcha && { ...parts.captcha, contactUrl: parts.contactUrl, error: captchaError && t(captchaError), focus: Object.keys(problem.errors ?? {})[0] === CAPTCHA },
        signInUrl: wanted === undefined ? '/api/login' : `/api/login?${new URLSearchParams({ next_page: wanted }).toString()}`,
      },
    });
  };

  const formPage =
    (form: Form): RequestHandler =>
    (req, res) =>
      showForm(form, req, res, productOf(req.query['product']), { next_page: req.query['next_page'] });

  const send =
    (form: Form): RequestHandler =>
    async (req, res) => {
      const input = req.body as Input;
      const product = productOf(input['product']);
      if (input['switch_lang'] !== undefined) return showForm(form, req, res, product, input);
      const extent = EXTENT[form];
      const captchaField = parts.captcha?.answerField;
      const errors = missing(product, input, captchaField);
      if (Object.keys(errors).length > 0) return showForm(form, req, res, product, input, { errors, status: 400 });
      const language = languageOf(parts, req, product);
      const t = parts.pages.translate(language);
      const wanted = wantedPage(input['next_page']);
      const answer = await parts.bridge.register({ ...signUpFrom(product, input, extent, language, wanted), ...(captchaField && { captcha: text(input[captchaField]) ?? '' }) }, callerOf(req, res));
      switch (answer.outcome) {
        case 'accepted': {
          const notice: SentNotice = { email: (text(input['email']) ?? '').trim(), productId: product.id, nextPage: wanted };
          res.append('Set-Cookie', parts.cookies.set(parts.cookies.notice, parts.seal.seal('notice', notice), NOTICE_SECONDS));
          return res.redirect(303, '/trial/check-email');
        }
        case 'refused': {
          if (answer.field === CAPTCHA && !captchaField) {
            logOf(res).error('the bridge asks for a captcha that no page here shows: set CAPTCHA_PROVIDER and CAPTCHA_SITE_KEY for the proxy, too');
            return showForm(form, req, res, product, input, { status: 502, alert: t('form.unavailable') });
          }
          const onField = refusedField(product, extent, answer.field);
          return showForm(form, req, res, product, input, { status: answer.field === CAPTCHA ? 422 : 400, ...(onField ? { errors: onField } : { alert: t('form.rejected') }) });
        }
        case 'limited':
          res.set('Retry-After', String(answer.retryAfterSeconds));
          return showForm(form, req, res, product, input, { status: 429, alert: t('form.limited', { wait: waitInWords(answer.retryAfterSeconds, language) }) });
        case 'unavailable':
          logOf(res).error({ err: answer.cause }, 'register is out of reach');
          return showForm(form, req, res, product, input, { status: 502, alert: t('form.unavailable') });
      }
    };

  return {
    signUpPage: formPage('trial'),
    signUp: send('trial'),
    newLinkPage: formPage('new-link'),
    newLink: send('new-link'),

    checkEmail: (req, res) => {
      const sealed = onlyCookie(readCookies(req.headers.cookie), parts.cookies.notice);
      const notice = sealed === undefined ? undefined : parts.seal.open<SentNotice>('notice', sealed);
      const product = findProduct(parts.products, notice?.productId) ?? parts.products[0];
      const query = new URLSearchParams({ product: product.id, ...(notice?.nextPage !== undefined && { next_page: notice.nextPage }) });
      show(parts, req, res, {
        template: 'check-email',
        tokenFree: true,
        title: translateFor(parts, req, product)('check.title'),
        product,
        data: { email: notice?.email, productId: product.id, nextPage: notice?.nextPage, otherUrl: `/trial?${query.toString()}` },
      });
    },

    notMePage: (req, res) => showNotMe(parts, req, res, text(req.query['t'])),

    notMe: async (req, res) => {
      const input = req.body as Input;
      const token = text(input['t']);
      if (input['switch_lang'] !== undefined || !isToken(token)) return showNotMe(parts, req, res, token);
      await parts.bridge.disown(token, callerOf(req, res));
      return res.redirect(303, '/trial/not-me/done');
    },

    notMeDone: (req, res) => {
      const t = translateFor(parts, req);
      showNotice(parts, req, res, { icon: 'done', title: t('not_me.done_title'), paragraphs: [t('not_me.done_body')] });
    },

    forwardRegister: async (req, res) => {
      const body = Buffer.isBuffer(req.body) ? req.body : undefined;
      const answer = await parts.bridge
        .forward({ method: req.method, path: req.path, headers: req.headers, body }, callerOf(req, res))
        .catch((error: unknown) => problemAnswer(error, res));
      res.status(answer.status).set(answer.headers).end(answer.body);
    },
  };
}

/** Programs get problem+json from us as they do from the bridge, whatever their Accept says. */
function problemAnswer(error: unknown, res: Response): { status: number; headers: Record<string, string>; body: Buffer } {
  logOf(res).error({ err: error }, 'register is out of reach');
  const problem = toProblem(error, requestIdOf(res));
  return { status: problem.status, headers: { 'content-type': 'application/problem+json' }, body: Buffer.from(JSON.stringify(problem)) };
}

function isToken(token: string | undefined): token is string {
  return token !== undefined && token !== '' && token.length <= LONGEST_TOKEN;
}

function showNotMe(showing: Showing, req: Request, res: Response, token: string | undefined): void {
  const t = translateFor(showing, req);
  if (!isToken(token)) {
    return showNotice(showing, req, res, { status: 400, icon: 'mail', title: t('not_me.incomplete_title'), paragraphs: [t('not_me.incomplete_body')] });
  }
  return showNotice(showing, req, res, {
    icon: 'mail',
    title: t('not_me.title'),
    paragraphs: [t('not_me.lead')],
    list: [t('not_me.effect1'), t('not_me.effect2')],
    form: { action: '/trial/not-me', hidden: { t: token }, buttons: [{ label: t('not_me.submit') }] },
    small: t('not_me.stay'),
    languageSwitch: 'form',
  });
}
