import { Router } from 'express';
import { requestIdOf } from '../../platform/http.ts';
import type { Db } from '../db/schema.ts';
import { route, type Route } from '../http/route.ts';
import { callerOf } from '../keycloak/service-token.ts';
import { actorOf } from '../life/life.routes.ts';
import { embedRevokeAnswer, embedRevokeBody, embedStandingAnswer, embedStandingBody, embedTokenAnswer, embedTokenBody } from './embed.schemas.ts';
import { makeEmbedToken, readStanding, revokeEmbeds, type EmbedUsing } from './embed.service.ts';
import type { EmbedTokens } from './embed-token.ts';

const KEYS_SECONDS = 300;

export interface EmbedRoutesUsing extends EmbedUsing {
  db: Db;
  embedUrl: string;
  proxyClientId: string;
}

/** `/api/trial/embed-…`: small apps in frames of other pages (docs/trial-life.md, "In a frame"). */
export function embedRoutes(using: EmbedRoutesUsing): readonly Route[] {
  const { db, clock } = using;
  const manager = { method: 'post', caller: { role: 'trial-manage' }, status: 200 } as const;
  return [
    route({
      ...manager,
      path: '/api/trial/embed-token',
      summary: "A token with which a page of a listed origin shows a person's small app in a frame, once, within five minutes.",
      body: embedTokenBody,
      reply: embedTokenAnswer,
      problems: ['not_found', 'trial_over', 'not_possible'],
      answer: async ({ body }) => {
        const { token, expiresAt } = await makeEmbedToken(db, using, body);
        return { token, url: `${using.embedUrl}/embed/${body.app}`, expires_at: expiresAt };
      },
    }),
    route({
      ...manager,
      path: '/api/trial/embed-revoke',
      summary: 'Ends every frame that shows this app, and every token for it.',
      body: embedRevokeBody,
      reply: embedRevokeAnswer,
      problems: ['not_found'],
      answer: async ({ body: { app, reason, actor }, res }) => {
        await revokeEmbeds(db, clock, app, { actor: actorOf(actor, callerOf(res), using.proxyClientId), reason, requestId: requestIdOf(res) });
        return { status: 'revoked' as const };
      },
    }),
    route({
      method: 'post',
      path: '/api/trial/embed-standing',
      summary: 'What a frame that shows this app may do now.',
      caller: { clientId: using.proxyClientId, role: 'trial-read' },
      body: embedStandingBody,
      status: 200,
      reply: embedStandingAnswer,
      problems: [],
      answer: async ({ body }) => {
        const standing = await readStanding(db, clock, body.app);
        if (standing === undefined) return { found: false as const };
        const { product, generation, userId, path, trialState, trialEndsAt, trialAccessUntil } = standing;
        return { found: true as const, product, generation, user_id: userId, path, trial_state: trialState, trial_ends_at: trialEndsAt, trial_access_until: trialAccessUntil };
      },
    }),
  ];
}

/** Public: whoever verifies an embed token asks here. */
export function embedKeysRoute(tokens: EmbedTokens | undefined): Router {
  const router = Router();
  router.get('/.well-known/jwks.json', async (_req, res) => {
    res.set('Cache-Control', `public, max-age=${KEYS_SECONDS}`).json(await (tokens?.publicKeys() ?? { keys: [] }));
  });
  return router;
}
