import type { Request, RequestHandler, Response } from 'express';
import { logOf } from '../../platform/http.ts';
import { AppError } from '../../platform/problem.ts';
import { waitInWords } from '../pages/pages.ts';
import { keepLanguage, languageOf, showNotice, text, translateFor } from '../pages/show.ts';
import { ask, type ConfirmLogin, type EmailForm, type RefusalReason, type SignedIn } from './billing-bridge.ts';
import { billingSession, browserMark, callerOf, formToken, keepBillingSession, type BillingParts } from './billing-browser.ts';
import { showRefused } from './refused.ts';
import { showConfirmLogin, showEmailForm, type FormProblem, type Input } from './sign-in-pages.ts';

const TOKEN = /^[A-Za-z0-9_.-]{1,2048}$/;
const KEY = /^[A-Za-z0-9_-]{1,64}$/;

type Handlers = Record<'open' | 'complete' | 'addressPage' | 'sendMail' | 'openLink', RequestHandler>;

/** Steps 4 to 10 of a sign-in, for a realm and for a whole server. */
export function signInRoutes(parts: BillingParts): Handlers {
  const { bridge } = parts;

  const refuse = (req: Request, res: Response, reason: RefusalReason): void => showRefused(parts, req, res, { result: 'refused', reason });

  /** What a token is good for, or undefined where the refusal is shown already. */
  const look = async (req: Request, res: Response, token: string): Promise<ConfirmLogin | EmailForm | undefined> => {
    if (!TOKEN.test(token)) return void refuse(req, res, 'unknown');
    const session = billingSession(parts, req);
    const opened = await ask(bridge, 'login/open', { token, ...(session && { session_id: session.id }) }, callerOf(parts, req, res));
    if (opened.result === 'refused') return void showRefused(parts, req, res, opened);
    return opened;
  };

  const showStep = async (req: Request, res: Response, token: string, input?: Input, problem?: FormProblem): Promise<void> => {
    const opened = await look(req, res, token);
    if (opened?.result === 'email_form') return showEmailForm(parts, req, res, token, opened, input, problem);
    if (opened) return showConfirmLogin(parts, req, res, token, opened, input, problem);
  };

  const showAddress = async (req: Request, res: Response, token: string, input?: Input, problem?: FormProblem): Promise<void> => {
    const opened = await look(req, res, token);
    if (opened) showEmailForm(parts, req, res, token, opened, input, problem);
  };

  const signIn = async (req: Request, res: Response, signedIn: SignedIn): Promise<void> => {
    const before = billingSession(parts, req);
    keepBillingSession(parts, res, { id: signedIn.session_id, kind: signedIn.place.kind, uuid: signedIn.place.uuid });
    if (before && before.id !== signedIn.session_id) {
      await ask(bridge, 'session/end', { session_id: before.id }, callerOf(parts, req, res)).catch((error: unknown) => {
        logOf(res).warn({ err: error }, 'a billing session that was replaced could not be ended: it ends by itself');
      });
    }
    res.redirect(303, signedIn.next_path);
  };

  return {
    open: (req, res) => showStep(req, res, String(req.params['token'])),

    complete: async (req, res) => {
      const token = String(req.params['token']);
      const input = req.body as Input;
      if (input['switch_lang'] !== undefined) return showStep(req, res, token, input);
      if (!TOKEN.test(token)) return refuse(req, res, 'unknown');
      const message = {
        token,
        attempt: browserMark(parts, req) ?? '',
        ...given('full_name', input['full_name']),
        ...given('accepted_terms', input['tos_consent']),
        major_release_mails: input['enable_major_release_emails'] !== undefined,
        maintenance_release_mails: input['enable_maintenance_release_emails'] !== undefined,
      };
      const completed = await ask(bridge, 'login/complete', message, callerOf(parts, req, res)).catch(badField);
      switch (completed.result) {
        case 'signed_in':
          return signIn(req, res, completed);
        case 'terms_needed':
          return showStep(req, res, token, input, { status: 400, errors: { tos_consent: 'billing.confirm.terms_needed' } });
        case 'not_proven':
          return res.redirect(303, `/remote-billing-login/${token}`);
        case 'bad_field':
          return showStep(req, res, token, input, { status: 400, errors: { [completed.field]: 'form.bad_value' } });
        case 'refused':
          return showRefused(parts, req, res, completed);
      }
    },

    addressPage: (req, res) => showAddress(req, res, String(req.params['token'])),

    sendMail: async (req, res) => {
      const token = String(req.params['token']);
      const input = req.body as Input;
      const email = (text(input['email']) ?? '').trim();
      if (input['switch_lang'] !== undefined) return input['mailed'] === undefined ? showAddress(req, res, token, input) : showMailed(parts, req, res, token, email);
      if (!TOKEN.test(token)) return refuse(req, res, 'unknown');
      if (email === '') return showAddress(req, res, token, input, { status: 400, errors: { email: 'form.missing_email' } });
      const language = languageOf(parts, req);
      const t = parts.pages.translate(language);
      const asked = await ask(bridge, 'login/mail', { token, email, locale: language }, callerOf(parts, req, res)).catch(badField).catch(limited);
      switch (asked.result) {
        case 'mailed':
          return showMailed(parts, req, res, token, asked.email);
        case 'known':
          return res.redirect(303, `/remote-billing-login/${token}`);
        case 'bad_field':
          return showAddress(req, res, token, input, { status: 400, errors: { email: 'billing.email.refused' } });
        case 'limited':
          res.set('Retry-After', String(asked.retryAfterSeconds));
          return showAddress(req, res, token, input, { status: 429, alert: t('billing.email.limited', { wait: waitInWords(asked.retryAfterSeconds, language) }) });
        case 'refused':
          return showRefused(parts, req, res, asked);
      }
    },

    /** Steps 7 and 8. A mail scanner may do it, too: nobody is confirmed by it (SECURITY.md 17). */
    openLink: async (req, res) => {
      const key = String(req.params['key']);
      if (!KEY.test(key)) return refuse(req, res, 'unknown');
      const opened = await ask(bridge, 'login/confirmation', { key }, callerOf(parts, req, res));
      if (opened.result === 'refused') return showRefused(parts, req, res, opened);
      keepLanguage(parts, req, res, languageOf(parts, req));
      res.redirect(302, `/remote-billing-login/${opened.token}`);
    },
  };
}

function showMailed(parts: BillingParts, req: Request, res: Response, token: string, email: string): void {
  const t = translateFor(parts, req);
  showNotice(parts, req, res, {
    icon: 'mail',
    title: t('check.title'),
    paragraphs: [t('billing.mailed.lead', { email })],
    list: [t('check.tip1'), t('billing.mailed.lifetime')],
    form: {
      action: `/remote-billing-login/${token}/confirm/`,
      hidden: { form_token: formToken(parts, req, res), email, mailed: 'yes' },
      buttons: [{ label: t('check.again'), quiet: true }],
    },
    links: [{ href: `/remote-billing-login/${token}/confirm/`, label: t('check.other'), quiet: true }],
    languageSwitch: 'form',
  });
}

function given(name: 'full_name' | 'accepted_terms', value: unknown): { [Name in typeof name]?: string } {
  const written = (text(value) ?? '').trim();
  return written === '' ? {} : { [name]: written };
}

/** The part of a form that the bridge refuses is shown there. */
export function badField(error: unknown): { result: 'bad_field'; field: string } {
  if (error instanceof AppError && error.code === 'invalid_request') return { result: 'bad_field', field: error.field ?? '' };
  throw error;
}

export function limited(error: unknown): { result: 'limited'; retryAfterSeconds: number } {
  if (error instanceof AppError && error.code === 'rate_limited') return { result: 'limited', retryAfterSeconds: error.retryAfterSeconds ?? 60 };
  throw error;
}
