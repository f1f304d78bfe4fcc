import type { Response } from 'express';
import { problemOf, requestIdOf } from '../../platform/http.ts';
import { hashToken } from '../../platform/token.ts';
import { route, type Route } from '../http/route.ts';
import { openedBody, sightingAnswer, signedInBody } from './sighting.schemas.ts';
import type { Sightings } from './sightings.ts';

export interface SightingRoutesUsing {
  sightings: Pick<Sightings, 'saw'>;
  proxyClientId: string;
}

const ACCEPTED = { status: 'accepted' } as const;

/** What the proxy sees of a trial. The answer is the same for tokens and people that nobody knows. */
export function sightingRoutes({ sightings, proxyClientId }: SightingRoutesUsing): readonly Route[] {
  const proxy = { clientId: proxyClientId, role: 'trial-manage' };
  return [
    route({
      method: 'post',
      path: '/api/trial/opened',
      summary: "An invitation's link was opened, by a person or by what looks like a mail scanner. Uses nothing up.",
      caller: proxy,
      body: openedBody,
      status: 200,
      reply: sightingAnswer,
      problems: [],
      answer: async ({ body, res }) => {
        sightings.saw({ kind: 'link_opened', of: { tokenHash: hashToken(body.token) }, requestId: requestIdOf(res), signs: body.signs });
        return ACCEPTED;
      },
    }),
    route({
      method: 'post',
      path: '/api/trial/signed-in',
      summary: 'Somebody with a trial signed in to a client of its product.',
      caller: proxy,
      body: signedInBody,
      status: 200,
      reply: sightingAnswer,
      problems: [],
      answer: async ({ body, res }) => {
        sightings.saw({ kind: 'signed_in', of: { userId: body.user_id, products: body.products }, requestId: requestIdOf(res) });
        return ACCEPTED;
      },
    }),
  ];
}

/** What the bridge answers to whoever comes with this token, told once the answer is out. */
export function tellRefusal(sightings: Pick<Sightings, 'saw'>, token: string, res: Response): void {
  res.once('close', () => {
    const reason = problemOf(res);
    if (reason !== undefined) sightings.saw({ kind: 'refused', of: { tokenHash: hashToken(token) }, requestId: requestIdOf(res), reason });
  });
}
