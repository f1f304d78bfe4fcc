import type { Response } from 'express';
import { logOf, requestIdOf } from '../../platform/http.ts';
import { route, type Route } from '../http/route.ts';
import { callerOf } from '../keycloak/service-token.ts';
import type { Accounts } from '../keycloak/accounts.ts';
import type { ActFrom } from './act.service.ts';
import { allowAgain, erase } from './erase.service.ts';
import { exportLife } from './export.service.ts';
import { readFunnel } from './funnel.store.ts';
import { actorOf, type LifeRoutesUsing } from './life.routes.ts';
import { actBody, exportAnswer, funnelAnswer, funnelQuery, lifeParams, trialAnswer } from './life.schemas.ts';
import { exportToWire, lifeToWire } from './life.wire.ts';

const DAY_MILLISECONDS = 86_400_000;

/** What a person may ask to have done with what is known of them, and what is counted without knowing anybody. */
export function eraseRoutes(using: LifeRoutesUsing & { accounts: Pick<Accounts, 'findById'> }): readonly Route[] {
  const { db, clock } = using;
  const manager = { caller: { role: 'trial-manage' }, status: 200 } as const;
  // Each is done once whatever is sent with it.
  const from = (body: { reason: string; actor?: string | undefined }, res: Response): ActFrom => ({
    actor: actorOf(body.actor, callerOf(res), using.proxyClientId),
    reason: body.reason,
    requestId: requestIdOf(res),
    idempotencyKey: undefined,
  });

  return [
    route({
      ...manager,
      method: 'delete',
      path: '/api/trial/:id',
      params: lifeParams,
      summary: 'Erases the person of a trial: over at once, then gone from Keycloak and from here. The timeline stays, without them. May be repeated.',
      body: actBody,
      reply: trialAnswer,
      problems: ['not_found', 'not_possible'],
      answer: async ({ params, body, res }) => lifeToWire(await erase(db, using, params.id, from(body, res), logOf(res)), clock),
    }),
    route({
      ...manager,
      method: 'post',
      path: '/api/trial/:id/allow-again',
      params: lifeParams,
      summary: 'An erased address may have a trial of this product again.',
      body: actBody,
      reply: trialAnswer,
      problems: ['not_found', 'not_possible'],
      answer: async ({ params, body, res }) => lifeToWire(await allowAgain(db, using, params.id, from(body, res)), clock),
    }),
    route({
      ...manager,
      method: 'get',
      path: '/api/trial/:id/export',
      params: lifeParams,
      summary: 'Everything that is stored of the person because of this trial. Never a live link.',
      reply: exportAnswer,
      problems: ['not_found', 'bad_gateway', 'unavailable', 'gateway_timeout'],
      answer: async ({ params }) => exportToWire(await exportLife(db, using, params.id), clock),
    }),
    route({
      ...manager,
      method: 'get',
      path: '/api/trial/funnel',
      summary: 'By day and product, how many trials that began then were opened, registered, used and converted.',
      query: funnelQuery,
      reply: funnelAnswer,
      problems: [],
      answer: async ({ query: { from: first, to, product } }) => ({ days: [...(await readFunnel(db, { from: first, to: new Date(Date.parse(to) + DAY_MILLISECONDS).toISOString().slice(0, 10), product }))] }),
    }),
  ];
}
