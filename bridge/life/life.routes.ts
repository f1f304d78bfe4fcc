import type { Request, Response } from 'express';
import type { Clock } from '../../platform/clock.ts';
import { logOf, requestIdOf } from '../../platform/http.ts';
import { AppError } from '../../platform/problem.ts';
import { canonicalAddress } from '../address/address.ts';
import type { Db } from '../db/schema.ts';
import { route, type Route } from '../http/route.ts';
import { callerOf } from '../keycloak/service-token.ts';
import { nothingThere, type ActFrom } from './act.service.ts';
import { listEvents } from './event.store.ts';
import { actBody, completionBody, extendBody, idempotencyHeaders, lifeParams, listAnswer, listQuery, timelineAnswer, trialAnswer } from './life.schemas.ts';
import { findLife } from './life.store.ts';
import { cursorFromWire, instantFromWire, lifeToWire, listToWire, timelineToWire } from './life.wire.ts';
import { listLives } from './list.store.ts';
import { findLifeOf, manage, resend, type ManageUsing } from './manage.service.ts';

export interface LifeRoutesUsing extends ManageUsing {
  db: Db;
  clock: Clock;
  proxyClientId: string;
}

/** `/api/trial`, `/api/trial/extend`, `/completion` and `/{id}/…`: what managers see and do (docs/trial-life.md). */
export function lifeRoutes(using: LifeRoutesUsing): readonly Route[] {
  const { db, clock, products } = using;
  const manager = { caller: { role: 'trial-manage' }, status: 200 } as const;
  const acting = { ...manager, method: 'post', headers: idempotencyHeaders, reply: trialAnswer } as const;
  const problems = ['not_found', 'impossible_transition', 'not_possible', 'idempotency_key_reused'] as const;
  const from = (body: { reason: string; actor?: string | undefined }, req: Request, res: Response): ActFrom => ({
    actor: actorOf(body.actor, callerOf(res), using.proxyClientId),
    reason: body.reason,
    requestId: requestIdOf(res),
    idempotencyKey: req.headers['idempotency-key'] as string | undefined,
  });

  return [
    route({
      ...acting,
      path: '/api/trial/extend',
      summary: 'A later end, also for a trial that is over. Holds in Keycloak and in every proxy at once.',
      body: extendBody,
      problems,
      answer: async ({ body, req, res }) => {
        const life = await findLifeOf(db, products, body);
        const wish = body.days === undefined ? { act: 'extend' as const, until: instantFromWire(body.until ?? 0, clock) } : { act: 'extend' as const, days: body.days };
        return lifeToWire(await manage(db, using, life.id, wish, from(body, req, res), logOf(res)), clock);
      },
    }),
    route({
      ...acting,
      path: '/api/trial/completion',
      summary: 'The trial becomes a full account without an end: roles change, app and permissions stay.',
      body: completionBody,
      problems,
      answer: async ({ body, req, res }) => {
        const life = await findLifeOf(db, products, body);
        return lifeToWire(await manage(db, using, life.id, { act: 'convert', plan: body.plan ?? null }, from(body, req, res), logOf(res)), clock);
      },
    }),
    route({
      ...manager,
      method: 'get',
      path: '/api/trial',
      summary: 'Trials, newest first, by product, state and address, page by page.',
      query: listQuery,
      reply: listAnswer,
      problems: [],
      answer: async ({ query: { limit, cursor, ...filter } }) => {
        const address = filter.search === undefined ? undefined : canonicalAddress(filter.search);
        const addressHash = address === undefined ? undefined : using.hash.address(address);
        return listToWire(await listLives(db, { ...filter, addressHash, after: cursorFromWire(cursor) }, limit + 1), limit, clock);
      },
    }),
    route({
      ...manager,
      method: 'get',
      path: '/api/trial/:id',
      params: lifeParams,
      summary: 'One trial with everything that happened to it. Never a live link.',
      reply: timelineAnswer,
      problems: ['not_found'],
      answer: async ({ params }) => {
        const life = await findLife(db, params.id);
        if (life === undefined) throw nothingThere();
        return timelineToWire(life, await listEvents(db, life.id), clock);
      },
    }),
    route({
      ...acting,
      path: '/api/trial/:id/resend',
      params: lifeParams,
      summary: 'The mail that fits its state, once more; an invitation with a new link.',
      body: actBody,
      problems,
      answer: async ({ params, body, req, res }) => lifeToWire(await resend(db, using, params.id, from(body, req, res)), clock),
    }),
    route({
      ...acting,
      path: '/api/trial/:id/revoke',
      params: lifeParams,
      summary: 'Ends a trial or withdraws an invitation now, without grace.',
      body: actBody,
      problems,
      answer: async ({ params, body, req, res }) => lifeToWire(await manage(db, using, params.id, { act: 'revoke' }, from(body, req, res), logOf(res)), clock),
    }),
  ];
}

/** @throws AppError `invalid_request` where somebody names an actor who is not our proxy */
export function actorOf(named: string | undefined, clientId: string, proxyClientId: string): string {
  if (named === undefined) return `client:${clientId}`;
  if (clientId !== proxyClientId) throw new AppError('invalid_request', 'actor: only the proxy may say for whom it asks. Leave it out.', { field: 'actor' });
  return `staff:${named}`;
}
