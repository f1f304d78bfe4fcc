import type { RequestHandler } from 'express';
import type { IdentityTokens } from './identity-token.ts';

const FRESH_SECONDS = 300;

/** The public keys with which an app checks what it is told about people. */
export function keysRoute(identity: Pick<IdentityTokens, 'publicKeys'>): RequestHandler {
  return async (_req, res) => {
    res.set('Cache-Control', `public, max-age=${FRESH_SECONDS}`).json(await identity.publicKeys());
  };
}
