import type { Request, RequestHandler, Response } from 'express';
import { waitInWords } from '../pages/pages.ts';
import { languageOf, text, translateFor } from '../pages/show.ts';
import { ask, BILLING_PAGES, type BillingPage } from './billing-bridge.ts';
import { callerOf, type BillingParts } from './billing-browser.ts';
import { badField, limited } from './sign-in.routes.ts';
import { fieldOf, showForm, type FormProblem, type Input } from './sign-in-pages.ts';

const ID_LENGTH = 36;
const KEY_LENGTH = 64;

/** A whole server, by its id and key: from there on it is a sign-in like any other. */
export function serverLoginRoutes(parts: BillingParts): Record<'page' | 'open', RequestHandler> {
  const showLogin = (req: Request, res: Response, input: Input, problem?: FormProblem): void => {
    const t = translateFor(parts, req);
    const wanted = pageIn(input['next_page']);
    const page = {
      heading: t('billing.server.title'),
      icon: 'door',
      paragraphs: [t('billing.server.lead')],
      action: '/serverlogin/',
      hidden: wanted === undefined ? {} : { next_page: wanted },
      rows: [
        [fieldOf(t, problem, { name: 'zulip_org_id', label: t('billing.server.id'), value: text(input['zulip_org_id']) ?? '', maxLength: ID_LENGTH, autocomplete: 'off', hint: t('billing.server.id_hint') })],
        // Never shown again, as it stands: it is typed anew.
        [fieldOf(t, problem, { name: 'zulip_org_key', label: t('billing.server.key'), value: '', type: 'password', maxLength: KEY_LENGTH, autocomplete: 'off', hint: t('billing.server.key_hint') })],
      ],
      submit: t('billing.server.submit'),
      small: t('billing.server.small'),
    };
    showForm(parts, req, res, page, problem, true);
  };

  return {
    page: (req, res) => showLogin(req, res, { next_page: req.query['next_page'] }),

    open: async (req, res) => {
      const input = req.body as Input;
      if (input['switch_lang'] !== undefined) return showLogin(req, res, input);
      const [id, key, wanted] = [(text(input['zulip_org_id']) ?? '').trim(), (text(input['zulip_org_key']) ?? '').trim(), pageIn(input['next_page'])];
      const empty = [['zulip_org_id', id], ['zulip_org_key', key]].flatMap(([name = '', value]) => (value === '' ? [[name, 'form.missing_value']] : []));
      if (empty.length > 0) return showLogin(req, res, input, { status: 400, errors: Object.fromEntries(empty) as Record<string, string> });
      const message = { zulip_org_id: id, zulip_org_key: key, ...(wanted !== undefined && { next_page: wanted }) };
      const opened = await ask(parts.bridge, 'server-login/open', message, callerOf(parts, req, res)).catch(badField).catch(limited);
      const language = languageOf(parts, req);
      const t = parts.pages.translate(language);
      switch (opened.result) {
        case 'email_form':
          return res.redirect(303, `/remote-billing-login/${opened.token}`);
        case 'limited':
          res.set('Retry-After', String(opened.retryAfterSeconds));
          return showLogin(req, res, input, { status: 429, alert: t('billing.server.limited', { wait: waitInWords(opened.retryAfterSeconds, language) }) });
        // One sentence for an unknown id, a wrong key and what is no key at all.
        case 'refused':
        case 'bad_field':
          return showLogin(req, res, input, { status: 403, alert: t('billing.server.refused') });
      }
    },
  };
}

export function pageIn(value: unknown): BillingPage | undefined {
  return BILLING_PAGES.find((page) => page === value);
}
