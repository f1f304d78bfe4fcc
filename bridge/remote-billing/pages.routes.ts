import { chooseLocale } from '../http/locale.ts';
import { route, type Route } from '../http/route.ts';
import { askForMail } from './ask-for-mail.service.ts';
import { endBillingSession, readBillingSession } from './billing-session.service.ts';
import { deactivateUser, listUsers } from './billing-users.service.ts';
import { completeLogin } from './complete-login.service.ts';
import { openConfirmation } from './open-confirmation.service.ts';
import { openLogin } from './open-login.service.ts';
import {
  completeAnswer,
  completeBody,
  confirmationAnswer,
  confirmationBody,
  deactivateUserAnswer,
  deactivateUserBody,
  mailAnswer,
  mailBody,
  openAnswer,
  openBody,
  serverLoginAnswer,
  serverLoginBody,
  sessionEndAnswer,
  sessionEndBody,
  sessionReadAnswer,
  sessionReadBody,
  usersAnswer,
  usersBody,
} from './pages.schemas.ts';
import { completedToWire, confirmationToWire, deactivatedUserToWire, mailToWire, openedToWire, serverLoginToWire, sessionToWire, usersToWire } from './pages.wire.ts';
import { fromOf, type BillingPagesUsing } from './pages.from.ts';
import { openServerLogin } from './server-login.service.ts';

/** `/api/remote-billing/…`: one call per step of a sign-in, for the proxy's pages (docs/remote-billing.md). */
export function billingPagesRoutes(using: BillingPagesUsing): readonly Route[] {
  const { db, catalog } = using;
  const caller = { clientId: using.proxyClientId, role: 'billing-pages' };
  const shared = { method: 'post', caller, status: 200 } as const;
  return [
    route({
      ...shared,
      path: '/api/remote-billing/server-login/open',
      summary: 'Whole server, id and key typed by hand: a token to ask for a mail with.',
      body: serverLoginBody,
      reply: serverLoginAnswer,
      problems: ['rate_limited'],
      answer: async ({ body, req, res }) =>
        serverLoginToWire(await openServerLogin(db, using, { id: body.zulip_org_id, key: body.zulip_org_key, nextPage: body.next_page ?? null }, fromOf(using, req, res)), catalog),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/login/open',
      summary: 'What to show for a token: "Confirm login", or the form that asks for an address. Changes nothing.',
      body: openBody,
      reply: openAnswer,
      problems: [],
      answer: async ({ body, req, res }) => openedToWire(await openLogin(db, using, { token: body.token, sessionId: body.session_id }, fromOf(using, req, res)), catalog),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/login/mail',
      summary: 'Send a link to an address.',
      body: mailBody,
      reply: mailAnswer,
      problems: ['rate_limited'],
      answer: async ({ body, req, res }) => {
        const locale = chooseLocale(using.locales, body.locale, req.headers['accept-language'], catalog.locale);
        return mailToWire(await askForMail(db, using, { token: body.token, email: body.email, locale }, fromOf(using, req, res)), catalog);
      },
    }),
    route({
      ...shared,
      path: '/api/remote-billing/login/confirmation',
      summary: 'A link was opened, by a person or a mail scanner: a token that proves the address. Repeatable; confirms nobody.',
      body: confirmationBody,
      reply: confirmationAnswer,
      problems: [],
      answer: async ({ body, req, res }) => confirmationToWire(await openConfirmation(db, using, body.key, fromOf(using, req, res)), catalog),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/login/complete',
      summary: '"Confirm login" was posted: token and link are spent, a session begins. The same attempt again gets the same session.',
      body: completeBody,
      reply: completeAnswer,
      problems: [],
      answer: async ({ body, req, res }) => {
        const form = {
          token: body.token,
          attempt: body.attempt,
          fullName: body.full_name,
          acceptedTerms: body.accepted_terms,
          majorReleaseMails: body.major_release_mails,
          maintenanceReleaseMails: body.maintenance_release_mails,
        };
        return completedToWire(await completeLogin(db, using, form, fromOf(using, req, res)), catalog);
      },
    }),
    route({
      ...shared,
      path: '/api/remote-billing/session/read',
      summary: 'Whether a session is alive for this realm or server.',
      body: sessionReadBody,
      reply: sessionReadAnswer,
      problems: [],
      answer: async ({ body }) => sessionToWire(await readBillingSession(db, body.session_id, { kind: body.kind, uuid: body.uuid, page: body.page ?? null }), catalog),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/session/end',
      summary: 'Signs out.',
      body: sessionEndBody,
      reply: sessionEndAnswer,
      problems: [],
      answer: async ({ body, req, res }) => {
        await endBillingSession(db, using, body.session_id, fromOf(using, req, res));
        return { result: 'ended' as const };
      },
    }),
    route({
      ...shared,
      path: '/api/remote-billing/users/list',
      summary: 'Who may sign in for the same realm or server.',
      body: usersBody,
      reply: usersAnswer,
      problems: [],
      answer: async ({ body }) => usersToWire(await listUsers(db, body.session_id), catalog),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/users/deactivate',
      summary: 'One of them can no longer sign in; not the last.',
      body: deactivateUserBody,
      reply: deactivateUserAnswer,
      problems: [],
      answer: async ({ body, req, res }) => deactivatedUserToWire(await deactivateUser(db, using, { sessionId: body.session_id, userId: body.user_id }, fromOf(using, req, res)), catalog),
    }),
  ];
}
