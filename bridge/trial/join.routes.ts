import type { z } from 'zod';
import { logOf, requestIdOf } from '../../platform/http.ts';
import { route, type Route } from '../http/route.ts';
import type { TrialKeeper } from '../keycloak/trial-keeper.ts';
import { tellRefusal } from '../life/sighting.routes.ts';
import { join } from './join.service.ts';
import { joinAnswer, joinBody, offerAnswer, offerBody } from './join.schemas.ts';
import { lookAtOffer, type Offer } from './offer.service.ts';
import type { TrialRoutesUsing } from './trial.routes.ts';

export interface JoinRoutesUsing extends TrialRoutesUsing {
  keeper: Pick<TrialKeeper, 'beginStamp'>;
}

/** A trial that begins on an account which was there before (docs/decisions/0054). */
export function joinRoutes(using: JoinRoutesUsing): readonly Route[] {
  const { db } = using;
  const proxy = { clientId: using.proxyClientId, role: 'trial-manage' };
  return [
    route({
      method: 'post',
      path: '/api/trial/offer',
      summary: 'What a mail offered to an account, and whether it still can be begun. Looking never uses it up.',
      caller: proxy,
      body: offerBody,
      status: 200,
      reply: offerAnswer,
      problems: [],
      answer: async ({ body }) => offerToWire(await lookAtOffer(db, using, body.token)),
    }),
    route({
      method: 'post',
      path: '/api/trial/join',
      summary: 'The trial that was offered to an account begins on it. May be repeated.',
      caller: proxy,
      step: 'join',
      body: joinBody,
      status: 200,
      reply: joinAnswer,
      problems: [
        ...(['invitation_unknown', 'invitation_expired', 'invitation_revoked', 'invitation_spent', 'other_account', 'trial_exists', 'attempt_conflict', 'not_possible'] as const),
        ...(['bad_gateway', 'unavailable', 'gateway_timeout'] as const),
      ],
      answer: async ({ body, res, outcome }) => {
        tellRefusal(using.sightings, body.token, res);
        const { product, way } = await join(db, using, body, { requestId: requestIdOf(res), log: logOf(res) });
        outcome(way);
        return { product: product.id };
      },
    }),
  ];
}

function offerToWire(looked: Offer): z.input<typeof offerAnswer> {
  const { offer } = looked;
  if (!looked.open) return { open: false, reason: looked.reason, ...(offer && { product: offer.product }) };
  const { attributes, consents } = looked.given;
  return { open: true, product: looked.offer.product, username: looked.offer.address, given: { attributes: Object.keys(attributes), consents: consents.map(({ id }) => id) } };
}
