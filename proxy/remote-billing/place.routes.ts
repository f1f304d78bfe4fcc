import type { Request, RequestHandler, Response } from 'express';
import { AppError } from '../../platform/problem.ts';
import { languageOf, show, showNotice, translateFor } from '../pages/show.ts';
import { ask, type PlaceKind, type Steps } from './billing-bridge.ts';
import { callerOf, dropBillingSession, type BillingParts } from './billing-browser.ts';
import { ACTS, NOTES, refusedForm, WARNINGS, type Call, type Input } from './place-acts.ts';
import { enterPlace, showNotLive, type Entered } from './place-gate.ts';
import { inMoney, inWords, invoiceTitle, showPlace, type Shown } from './place-pages.ts';

const NUMBER = /^[1-9]\d{0,8}$/;

/** `/realm/<uuid>/<page>/` and `/server/<uuid>/<page>/`: only with a session for exactly that one. */
export function placeRoutes(parts: BillingParts, kind: PlaceKind): Record<'page' | 'act' | 'invoice', RequestHandler> {
  const calling =
    (req: Request, res: Response, { sessionId }: Entered): Call =>
    (step, message) =>
      ask(parts.bridge, step, { ...message, session_id: sessionId } as Steps[typeof step]['message'], callerOf(parts, req, res));

  const showPage = async (req: Request, res: Response, entered: Entered, shown: Shown): Promise<void> => {
    const call = calling(req, res, entered);
    const account = await call('account/read', {});
    if (account.result !== 'account') return showNotLive(parts, req, res, account, { kind, page: entered.page });
    const listed = entered.page === 'billing' ? await call('users/list', {}) : undefined;
    showPlace(parts, req, res, { entered, account, users: listed?.result === 'users' ? listed.users : [] }, shown);
  };

  return {
    page: async (req, res) => {
      const entered = await enterPlace(parts, kind, req, res, req.params['page']);
      const said = req.query['note'];
      const shown = { input: req.query, note: NOTES.find((one) => one === said), warning: WARNINGS.find((one) => one === said) };
      if (entered) await showPage(req, res, entered, shown);
    },

    act: async (req, res) => {
      const entered = await enterPlace(parts, kind, req, res, req.params['page']);
      if (!entered) return;
      const input = req.body as Input;
      const name = String(input['act']);
      const acts = ACTS[entered.page];
      const act = acts && Object.hasOwn(acts, name) ? acts[name] : undefined;
      if (!act) throw new AppError('invalid_request', 'Open the page again and use the form on it.');
      const done = await act(calling(req, res, entered), input).catch(refusedForm);
      switch (done.result) {
        case 'note':
          return res.redirect(303, `${entered.base}/${done.page ?? entered.page}/?note=${done.note}`);
        case 'again':
          res.status(done.quote || done.seats ? 200 : 400);
          return showPage(req, res, entered, { input, act: name, field: done.field, warning: done.warning, quoted: done.quote, seats: done.seats });
        case 'limited':
          throw new AppError('rate_limited', 'Try again later.', { retryAfterSeconds: done.retryAfterSeconds });
        case 'gone':
          dropBillingSession(parts, res);
          return showGone(parts, req, res);
        case 'over':
        case 'refused':
          return showNotLive(parts, req, res, done, { kind, page: entered.page });
      }
    },

    invoice: async (req, res) => {
      const entered = await enterPlace(parts, kind, req, res, 'billing');
      if (!entered) return;
      const number = String(req.params['number']);
      const read = NUMBER.test(number) ? await calling(req, res, entered)('invoice/read', { number: Number(number) }) : { result: 'unknown' as const };
      if (read.result === 'unknown') throw new AppError('not_found', 'Check the number of the invoice.');
      if (read.result !== 'invoice') return showNotLive(parts, req, res, read, { kind, page: 'billing' });
      const language = languageOf(parts, req);
      const title = invoiceTitle(parts.pages.translate(language), read);
      show(parts, req, res, { template: 'billing-invoice', tokenFree: true, title, data: { invoice: read, money: inMoney(language, read.currency), date: inWords(language), back: `${entered.base}/billing/` } });
    },
  };
}

function showGone(parts: BillingParts, req: Request, res: Response): void {
  const t = translateFor(parts, req);
  showNotice(parts, req, res, { icon: 'done', title: t('billing.deactivate.done'), paragraphs: [t('billing.deactivate.done_body')], languageSwitch: 'none' });
}
