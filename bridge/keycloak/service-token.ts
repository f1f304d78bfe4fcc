import type { Request, RequestHandler, Response } from 'express';
import KeycloakConnect from 'keycloak-connect';
import { AppError } from '../../platform/problem.ts';
import type { SigningKeys } from './signing-keys.ts';

const CLOCK_SKEW_SECONDS = 5;
const STEP_TOKEN_SECONDS = 30;
const MAX_TOKEN_LENGTH = 8_192;
export const STEPS_CLIENT_ID = 'vestibule-keycloak';

/** Who calls, as the endpoint demands it: `azp` of a client and a role of the bridge. */
export interface Caller {
  clientId: string;
  role: string;
}

interface Claims {
  typ?: unknown;
  azp?: unknown;
  iss?: unknown;
  exp?: unknown;
  iat?: unknown;
  nbf?: unknown;
  sid?: unknown;
  session_state?: unknown;
  preferred_username?: unknown;
  resource_access?: Record<string, { roles?: unknown } | undefined>;
}

export interface Guard {
  /** Lets this caller in; everybody else gets 401 or 403 as problem+json. */
  demand(caller: Caller): RequestHandler;
  /** Whether the request carries a valid token of this client, whatever its roles. */
  isFrom(clientId: string, req: Request, res: Response): Promise<boolean>;
}

/**
 * keycloak-connect as the guard of machine callers, with what it lets through closed in front of it: it checks signature,
 * issuer and audience; the times, the type, the party and the kind of caller are checked here. Its middleware() is not
 * mounted, so neither are its logout, admin and login-callback addresses.
 */
export function serviceTokenGuard(
  config: { clientId: string; keycloak: { publicUrl: string; realm: string; issuer: string } },
  keys: SigningKeys,
): Guard {
  const keycloak = new KeycloakConnect(
    {},
    {
      realm: config.keycloak.realm,
      'auth-server-url': config.keycloak.publicUrl,
      resource: config.clientId,
      'bearer-only': true,
      'ssl-required': 'none',
      'confidential-port': 0,
      'verify-token-audience': true,
    } as KeycloakConnect.KeycloakConfig,
  );
  // Its own key fetch has no time limit and dies of an answer that is not JSON.
  (keycloak as unknown as { grantManager: { rotation: unknown } }).grantManager.rotation = {
    getJWK: async (keyId: string) => {
      const key = await keys.find(keyId);
      if (key === undefined) throw new Error('unknown key');
      return key;
    },
  };

  const verify = async (req: Request, res: Response): Promise<Claims> => {
    const claims = strictClaims(req.headers.authorization, Date.now() / 1000);
    if (claims.iss !== config.keycloak.issuer) throw refused('The token is of another issuer.');
    try {
      await keycloak.getGrant(req, res);
    } catch (error) {
      throw refused('The token is not valid here.', error);
    }
    return claims;
  };

  return {
    demand: (caller) => async (req, res, next) => {
      if ('auth_callback' in req.query) throw refused('This address takes access tokens only.');
      const claims = await verify(req, res);
      if (claims.azp !== caller.clientId || !isMachine(claims, caller.clientId) || !hasRole(claims, config.clientId, caller.role)) {
        throw new AppError('forbidden', `This needs a service token of ${caller.clientId} with the role ${caller.role}.`);
      }
      next();
    },
    isFrom: async (clientId, req, res) => {
      if (req.headers.authorization === undefined) return false;
      try {
        const claims = await verify(req, res);
        return claims.azp === clientId && isMachine(claims, clientId);
      } catch {
        return false;
      }
    },
  };
}

/** The claims of a bearer token that is in time, before its signature is known to be good. */
function strictClaims(authorization: string | undefined, now: number): Claims {
  const [, token] = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization ?? '') ?? [];
  if (token === undefined || token.length > MAX_TOKEN_LENGTH) throw refused('Send an access token: "Authorization: Bearer …".');
  const [header, claims] = token.split('.', 2).map(parsePart) as [{ alg?: unknown; kid?: unknown }, Claims];
  if (header.alg !== 'RS256' || typeof header.kid !== 'string') throw refused('The token is not signed with RS256 and a key id.');
  if (claims.typ !== 'Bearer') throw refused('The token is not an access token.');
  if (!isNumber(claims.exp) || claims.exp <= now) throw refused('The token has expired or has no end.');
  if (!isNumber(claims.iat) || claims.iat > now + CLOCK_SKEW_SECONDS) throw refused('The token was issued in the future.');
  if (claims.nbf !== undefined && (!isNumber(claims.nbf) || claims.nbf > now + CLOCK_SKEW_SECONDS)) {
    throw refused('The token is not valid yet.');
  }
  return claims;
}

function parsePart(part: string): unknown {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    if (typeof parsed === 'object' && parsed !== null) return parsed;
  } catch {
    // Said below.
  }
  throw refused('The token is not a JSON web token.');
}

/** People have sessions and names; a step's token has neither, a service account is named after its client. */
function isMachine(claims: Claims, clientId: string): boolean {
  if (claims.sid !== undefined || claims.session_state !== undefined) return false;
  if (clientId !== STEPS_CLIENT_ID) return claims.preferred_username === `service-account-${clientId}`;
  return claims.preferred_username === undefined && Number(claims.exp) - Number(claims.iat) <= STEP_TOKEN_SECONDS;
}

function hasRole(claims: Claims, clientId: string, role: string): boolean {
  const roles = claims.resource_access?.[clientId]?.roles;
  return Array.isArray(roles) && roles.includes(role);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function refused(detail: string, cause?: unknown): AppError {
  return new AppError('unauthorized', detail, cause === undefined ? {} : { cause });
}
