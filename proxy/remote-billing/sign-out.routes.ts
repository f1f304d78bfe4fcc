import type { RequestHandler } from 'express';
import { showNotice, translateFor } from '../pages/show.ts';
import { ask } from './billing-bridge.ts';
import { billingSession, callerOf, dropBillingSession, formToken, type BillingParts } from './billing-browser.ts';

const DONE = '/remote-billing-login/signed-out';

/** Of billing alone: who is signed in to the app stays so. Asks, and is a POST, as every logout here. */
export function signOutRoutes(parts: BillingParts): Record<'ask' | 'signOut' | 'done', RequestHandler> {
  return {
    ask: (req, res) => {
      if (!billingSession(parts, req)) return res.redirect(303, DONE);
      const t = translateFor(parts, req);
      return showNotice(parts, req, res, {
        icon: 'door',
        tokenFree: true,
        title: t('billing.sign_out.title'),
        paragraphs: [t('billing.sign_out.body')],
        form: { action: '/remote-billing-login/sign-out', hidden: { form_token: formToken(parts, req, res) }, buttons: [{ label: t('logout.submit') }] },
      });
    },

    /** A session that the bridge could not end would live on: that is said, and the cookie stays for another try. */
    signOut: async (req, res) => {
      const session = billingSession(parts, req);
      if (session) await ask(parts.bridge, 'session/end', { session_id: session.id }, callerOf(parts, req, res));
      dropBillingSession(parts, res);
      res.redirect(303, DONE);
    },

    done: (req, res) => {
      const t = translateFor(parts, req);
      showNotice(parts, req, res, { icon: 'done', title: t('signed_out.title'), paragraphs: [t('billing.signed_out.body')], small: t('signed_out.body') });
    },
  };
}
