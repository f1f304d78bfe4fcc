import type { Request, Response } from 'express';
import { route, type Route } from '../../http/route.ts';
import type { LiveSession } from '../billing-session.service.ts';
import type { From } from '../caller.ts';
import { giveUpServer } from '../deactivate-server.service.ts';
import { fromOf, type BillingPagesUsing } from '../pages.from.ts';
import { accountOf, actingAs, askForSponsorship, demandSession, readAccount, readInvoice, saveDetails } from './account.service.ts';
import { findAccount } from './account.store.ts';
import { agreeToPlan, changeSeats, dropScheduledPlan, quotePlan, quoteSeats, setRenewal, type PlanChange } from './plan.service.ts';
import {
  accountAnswer,
  agreeBody,
  deactivateAnswer,
  detailsBody,
  doneAnswer,
  invoiceAnswer,
  invoiceBody,
  planChangeAnswer,
  quoteAnswer,
  quoteBody,
  renewalBody,
  seatsBody,
  seatsQuoteAnswer,
  seatsQuoteBody,
  sessionBody,
  sponsorshipAnswer,
  sponsorshipBody,
} from './plans.schemas.ts';
import { accountToWire, invoiceToWire, notLiveToWire, quoteToWire, seatsQuoteToWire } from './plans.wire.ts';

/** `/api/remote-billing/…` behind a session: what the pages show, and what people do there. */
export function plansRoutes(using: BillingPagesUsing): readonly Route[] {
  const { db, catalog } = using;
  const shared = { method: 'post', caller: { clientId: using.proxyClientId, role: 'billing-pages' }, status: 200, problems: [] } as const;

  /** With the session if it is alive, else what to do about it. */
  const signedIn = async <Done>(body: { session_id: string }, req: Request, res: Response, act: (live: LiveSession, from: From) => Promise<Done>) => {
    const live = await demandSession(db, body.session_id);
    return live.result === 'live' ? act(live, fromOf(using, req, res)) : notLiveToWire(live, catalog);
  };

  return [
    route({
      ...shared,
      path: '/api/remote-billing/account/read',
      summary: 'The plan, what is offered, details, ledger, invoices and sponsorship: all that the pages show.',
      body: sessionBody,
      reply: accountAnswer,
      answer: ({ body, req, res }) => signedIn(body, req, res, async (live) => accountToWire(await readAccount(db, live), catalog)),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/account/save',
      summary: 'Legal name, address, VAT id, purchase order and recipients of invoices, all at once.',
      body: detailsBody,
      reply: doneAnswer,
      answer: ({ body, req, res }) =>
        signedIn(body, req, res, async (live, from) => {
          const details = {
            legalName: body.legal_name ?? '',
            postalAddress: body.postal_address ?? '',
            vatId: body.vat_id ?? '',
            purchaseOrder: body.purchase_order ?? '',
            invoiceRecipients: body.invoice_recipients ?? [],
          };
          await saveDetails(db, using, actingAs(live, from), details);
          return { result: 'done' as const };
        }),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/plan/quote',
      summary: 'Net, tax and total of a plan, before anybody agrees to it.',
      body: quoteBody,
      reply: quoteAnswer,
      answer: ({ body, req, res }) =>
        signedIn(body, req, res, async (live, from) => {
          const account = await findAccount(db, actingAs(live, from).of);
          return quoteToWire(await quotePlan(db, using, account?.id, body), catalog);
        }),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/plan/agree',
      summary: 'Somebody agreed to a total: the plan begins, or is scheduled.',
      body: agreeBody,
      reply: planChangeAnswer,
      answer: ({ body, req, res }) => signedIn(body, req, res, async (live, from) => changeToWire(await agreeToPlan(db, using, actingAs(live, from), body), catalog.support_url)),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/plan/seats/quote',
      summary: 'What another number of seats costs, before anybody agrees to it.',
      body: seatsQuoteBody,
      reply: seatsQuoteAnswer,
      answer: ({ body, req, res }) =>
        signedIn(body, req, res, async (live) => {
          const quote = await quoteSeats(db, using, (await findAccount(db, accountOf(live)))?.id, body.seats);
          return quote === undefined ? { result: 'changed' as const } : seatsQuoteToWire(quote);
        }),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/plan/seats',
      summary: 'More seats at once, for the total that was agreed to; fewer from the next period on.',
      body: seatsBody,
      reply: planChangeAnswer,
      answer: ({ body, req, res }) => signedIn(body, req, res, async (live, from) => changeToWire(await changeSeats(db, using, actingAs(live, from), body), catalog.support_url)),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/plan/renewal',
      summary: 'The plan ends with its period, or after all it does not.',
      body: renewalBody,
      reply: planChangeAnswer,
      answer: ({ body, req, res }) => signedIn(body, req, res, async (live, from) => changeToWire(await setRenewal(db, using, actingAs(live, from), body.renews), catalog.support_url)),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/plan/unschedule',
      summary: 'Takes back what was to begin at the end of the plan.',
      body: sessionBody,
      reply: planChangeAnswer,
      answer: ({ body, req, res }) => signedIn(body, req, res, async (live, from) => changeToWire(await dropScheduledPlan(db, using, actingAs(live, from)), catalog.support_url)),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/sponsorship/ask',
      summary: 'Asks for a plan as a gift; one request at a time.',
      body: sponsorshipBody,
      reply: sponsorshipAnswer,
      answer: ({ body, req, res }) =>
        signedIn(body, req, res, async (live, from) => {
          const wish = {
            organizationType: body.organization_type,
            website: body.website ?? '',
            description: body.description,
            expectedUsers: body.expected_users,
            paidUsers: body.paid_users ?? '',
            requestedPlan: body.requested_plan,
          };
          return { result: await askForSponsorship(db, using, actingAs(live, from), live.user.id, wish) };
        }),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/invoice/read',
      summary: 'One invoice as it was issued, to show or print.',
      body: invoiceBody,
      reply: invoiceAnswer,
      answer: ({ body, req, res }) => signedIn(body, req, res, async (live) => invoiceToWire(await readInvoice(db, accountOf(live), body.number))),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/server/deactivate',
      summary: 'A whole server gives its registration up. Not while it pays.',
      body: sessionBody,
      reply: deactivateAnswer,
      problems: ['paid_plan_runs'],
      answer: ({ body, req, res }) =>
        signedIn(body, req, res, async (live, from) => {
          if (live.place.realm !== undefined) return { result: 'unknown' as const };
          await giveUpServer(db, using, live.place.server.id, { kind: 'user', id: live.user.id }, from);
          return { result: 'deactivated' as const };
        }),
    }),
  ];
}

function changeToWire(change: PlanChange, support_url: string) {
  if (change.result === 'plan_conflict') return { result: 'refused' as const, reason: change.result, support_url };
  return change.result === 'begun' ? { result: change.result, invoice_number: change.invoiceNumber } : { result: change.result };
}
