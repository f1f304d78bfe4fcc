import type { Request, Response } from 'express';
import { clientAddress } from '../../../platform/client-address.ts';
import { requestIdOf } from '../../../platform/http.ts';
import { route, type Route } from '../../http/route.ts';
import { callerOf } from '../../keycloak/service-token.ts';
import { seatsQuoteToWire } from '../plans/plans.wire.ts';
import type { BillingPagesUsing } from '../pages.from.ts';
import { findPlaceOf, readInvoiceOf, readPlace } from './read-place.service.ts';
import { changePlan, decideSponsorship, endNow, giveEndQuote, givePlan, giveQuote, giveSeatsQuote, staffRenewal, staffSeats, staffUnschedule } from './plan-acts.service.ts';
import { listPending, search } from './search.service.ts';
import { setStanding } from './standing-acts.service.ts';
import {
  changeBody,
  decisionBody,
  doneAnswer,
  endBody,
  endQuoteAnswer,
  endQuoteBody,
  giveBody,
  invoiceAnswer,
  invoiceBody,
  pendingAnswer,
  pendingBody,
  quoteAnswer,
  quoteBody,
  readAnswer,
  readBody,
  renewalBody,
  searchAnswer,
  searchBody,
  seatsBody,
  seatsQuoteAnswer,
  seatsQuoteBody,
  standingBody,
  unscheduleBody,
} from './support.schemas.ts';
import { endQuoteToWire, hitsToWire, pendingToWire, placeToWire, supportInvoiceToWire, supportQuoteToWire } from './support.wire.ts';
import type { StaffFrom } from './staff.ts';

/** `/api/remote-billing/support/…`: what staff sees and does (docs/remote-billing.md). Reads change nothing; an act is kept with its reason. */
export function supportRoutes(using: BillingPagesUsing): readonly Route[] {
  const { db, catalog } = using;
  const shared = { method: 'post', caller: { role: 'support' }, status: 200 } as const;
  const ofPlace = { ...shared, problems: ['not_found'] } as const;
  const act = { ...shared, reply: doneAnswer, problems: ['not_found', 'not_possible'] } as const;
  const staff = (body: { actor: string; reason: string }, req: Request, res: Response): StaffFrom => ({
    actor: { kind: 'staff', id: body.actor },
    reason: body.reason,
    // Only our proxy is believed when it says for whom it asks.
    clientAddress: clientAddress(req, using.trustedProxies, callerOf(res) === using.proxyClientId),
    requestId: requestIdOf(res),
  });

  return [
    route({
      ...shared,
      path: '/api/remote-billing/support/search',
      summary: 'Servers and realms by an e-mail address, part of a host, or a UUID (of a server, realm or person).',
      body: searchBody,
      reply: searchAnswer,
      problems: [],
      answer: async ({ body }) => hitsToWire(await search(db, using, body.query)),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/support/pending',
      summary: 'Requests for sponsorship that wait for an answer, the oldest first.',
      body: pendingBody,
      reply: pendingAnswer,
      problems: [],
      answer: async ({ body }) => pendingToWire(await listPending(db, body.limit)),
    }),
    route({
      ...ofPlace,
      path: '/api/remote-billing/support/read',
      summary: 'All of a realm or a whole server: plans, requests, people, open confirmations, invoices, history. No link, no key.',
      body: readBody,
      reply: readAnswer,
      answer: async ({ body }) => placeToWire(await readPlace(db, using, body), catalog),
    }),
    route({
      ...ofPlace,
      path: '/api/remote-billing/support/invoice/read',
      summary: 'One invoice as it was issued.',
      body: invoiceBody,
      reply: invoiceAnswer,
      answer: async ({ body }) => supportInvoiceToWire(await readInvoiceOf(db, body, body.number)),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/support/plan/quote',
      summary: 'What a plan would cost: what `plan/change` has to be told.',
      body: quoteBody,
      reply: quoteAnswer,
      problems: ['not_found', 'not_possible'],
      answer: async ({ body }) => supportQuoteToWire(await giveQuote(db, using, await findPlaceOf(db, body), body), catalog),
    }),
    route({
      ...act,
      path: '/api/remote-billing/support/plan/change',
      summary: 'Another paid plan, at once or at the end of the current one: so is a legacy upgrade scheduled.',
      body: changeBody,
      answer: async ({ body, req, res }) => done(await changePlan(db, using, await findPlaceOf(db, body), body, staff(body, req, res))),
    }),
    route({
      ...act,
      path: '/api/remote-billing/support/plan/give',
      summary: 'A community plan, or a legacy plan with its end. Not while a paid plan runs.',
      body: giveBody,
      answer: async ({ body, req, res }) => {
        const gift = { type: body.type, endsAt: body.ends_at === undefined ? undefined : new Date(body.ends_at * 1000) };
        await givePlan(db, using, await findPlaceOf(db, body), gift, staff(body, req, res));
        return done();
      },
    }),
    route({
      ...shared,
      path: '/api/remote-billing/support/plan/seats/quote',
      summary: 'What another number of seats would cost: what `plan/seats` has to be told.',
      body: seatsQuoteBody,
      reply: seatsQuoteAnswer,
      problems: ['not_found', 'not_possible'],
      answer: async ({ body }) => seatsQuoteToWire(await giveSeatsQuote(db, using, await findPlaceOf(db, body), body.seats)),
    }),
    route({
      ...act,
      path: '/api/remote-billing/support/plan/seats',
      summary: 'More seats at once, for the total of the quote; fewer from the next period on.',
      body: seatsBody,
      answer: async ({ body, req, res }) => done(await staffSeats(db, using, await findPlaceOf(db, body), body, staff(body, req, res))),
    }),
    route({
      ...act,
      path: '/api/remote-billing/support/plan/renewal',
      summary: 'A paid plan ends with its period, or after all it does not.',
      body: renewalBody,
      answer: async ({ body, req, res }) => done(await staffRenewal(db, using, await findPlaceOf(db, body), body.renews, staff(body, req, res))),
    }),
    route({
      ...act,
      path: '/api/remote-billing/support/plan/unschedule',
      summary: 'Takes back what was to begin at the end of the plan.',
      body: unscheduleBody,
      answer: async ({ body, req, res }) => done(await staffUnschedule(db, using, await findPlaceOf(db, body), staff(body, req, res))),
    }),
    route({
      ...shared,
      path: '/api/remote-billing/support/plan/end/quote',
      summary: 'What there would be to give back if the plan ended at once: what `plan/end` has to be told.',
      body: endQuoteBody,
      reply: endQuoteAnswer,
      problems: ['not_found', 'not_possible'],
      answer: async ({ body }) => endQuoteToWire(await giveEndQuote(db, using, await findPlaceOf(db, body)), catalog),
    }),
    route({
      ...act,
      path: '/api/remote-billing/support/plan/end',
      summary: 'Ends the plan at once, and what was scheduled after it.',
      body: endBody,
      answer: async ({ body, req, res }) => done(await endNow(db, using, await findPlaceOf(db, body), { giveBack: body.give_back }, staff(body, req, res))),
    }),
    route({
      ...act,
      path: '/api/remote-billing/support/sponsorship/decide',
      summary: 'Approves a pending request, which gives the community plan, or declines it.',
      body: decisionBody,
      answer: async ({ body, req, res }) => {
        await decideSponsorship(db, using, await findPlaceOf(db, body), { id: body.sponsorship_id, approve: body.decision === 'approve' }, staff(body, req, res));
        return done();
      },
    }),
    route({
      ...act,
      path: '/api/remote-billing/support/standing',
      summary: 'Deactivates a server, a realm or a person, which ends their sessions, or takes them back.',
      body: standingBody,
      problems: ['not_found', 'not_possible', 'paid_plan_runs', 'hostname_taken'],
      answer: async ({ body, req, res }) => {
        await setStanding(db, using, body, staff(body, req, res));
        return done();
      },
    }),
  ];
}

function done(invoiceNumber?: number) {
  return { result: 'done' as const, invoice_number: invoiceNumber ?? null };
}
