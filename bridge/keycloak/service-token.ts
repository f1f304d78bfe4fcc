import { verify as verifySignature } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import KeycloakConnect from 'keycloak-connect';
import { logOf } from '../../platform/http.ts';
import { AppError } from '../../platform/problem.ts';
import type { SigningKeys } from './signing-keys.ts';
import { verifiedTokens } from './verified-tokens.ts';

const CLOCK_SKEW_SECONDS = 5;
const STEP_TOKEN_SECONDS = 30;
const MAX_TOKEN_LENGTH = 8_192;
export const STEPS_CLIENT_ID = 'vestibule-keycloak';

/** Who calls, as the endpoint demands it: `azp` of a client and a role of the bridge. */
export interface Caller {
  /** Undefined: the service account of any client that has the role. */
  clientId?: string;
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
  /** Lets one of these callers in, and keeps which; everybody else gets 401 or 403 as problem+json. */
  demand(callers: readonly Caller[]): RequestHandler;
  /** Whether the request carries a token of this client, whatever its roles. One that is not valid gets 401: its sender can renew it. */
  isFrom(clientId: string, req: Request, res: Response): Promise<boolean>;
  /** Whether the request carries a service token with this role. One that is not valid gets 401. */
  hasRole(role: string, req: Request, res: Response): Promise<boolean>;
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

  const verified = verifiedTokens<Token>();
  const verify = async (req: Request, res: Response): Promise<Claims> => {
    const text = textOf(req.headers.authorization);
    const known = verified.find(text);
    const token = known ?? readToken(text);
    const { claims } = token;
    if (claims.iss !== config.keycloak.issuer) throw refused('The token is of another issuer.');
    const now = Date.now() / 1000;
    const untimely = untimeliness(claims, now);
    if (untimely !== undefined) {
      if (claims.azp === STEPS_CLIENT_ID && (await isSigned(token, keys))) {
        logOf(res).warn({ skew_seconds: Math.round(Number(claims.iat) - now) }, "Keycloak's clock and the bridge's differ: its calls are refused until they agree");
      }
      throw refused(untimely);
    }
    if (known !== undefined) return claims;
    try {
      await keycloak.getGrant(req, res);
    } catch (error) {
      throw refused('The token is not valid here.', error);
    }
    verified.add(text, token);
    return claims;
  };

  return {
    demand: (callers) => async (req, res, next) => {
      if ('auth_callback' in req.query) throw refused('This address takes access tokens only.');
      // Whoever is refused is counted as whom he claims to be: an alert watches Keycloak's own calls.
      if (callers.length > 1) res.locals['caller'] = claimedCaller(callers, req.headers.authorization);
      const claims = await verify(req, res);
      const caller = callers.find((one) => (one.clientId ?? claims.azp) === claims.azp && isMachine(claims, claims.azp) && hasRole(claims, config.clientId, one.role));
      if (caller === undefined) throw new AppError('forbidden', `This needs ${callers.map(inWords).join(', or ')}.`);
      res.locals['caller'] = caller;
      res.locals['callerId'] = claims.azp;
      res.locals['callerUntil'] = claims.exp;
      next();
    },
    isFrom: async (clientId, req, res) => {
      if (req.headers.authorization === undefined) return false;
      const claims = await verify(req, res);
      return claims.azp === clientId && isMachine(claims, clientId);
    },
    hasRole: async (role, req, res) => {
      if (req.headers.authorization === undefined) return false;
      const claims = await verify(req, res);
      return isMachine(claims, claims.azp) && hasRole(claims, config.clientId, role);
    },
  };
}

function claimedCaller(callers: readonly Caller[], authorization: string | undefined): Caller | undefined {
  const claimed = claimedParty(authorization);
  return callers.find(({ clientId }) => clientId === claimed) ?? callers.find(({ clientId }) => clientId === undefined);
}

/** Nobody has checked it yet. */
function claimedParty(authorization: string | undefined): unknown {
  try {
    return readToken(textOf(authorization)).claims.azp;
  } catch {
    return undefined;
  }
}

export function inWords({ clientId, role }: Caller): string {
  return `a service token of ${clientId ?? 'a client'} with the role ${role}`;
}

/** Which of the callers that were demanded it is. */
export function wayOf(res: Response): Caller | undefined {
  return res.locals['caller'] as Caller | undefined;
}

/** The client id of whoever was let in. */
export function callerOf(res: Response): string {
  return String(res.locals['callerId']);
}

/** How long whoever was let in may stay: until the token ends. */
export function callerMillisecondsLeft(res: Response): number {
  return Math.max(0, Number(res.locals['callerUntil']) * 1000 - Date.now());
}

interface Token {
  keyId: string;
  claims: Claims;
  /** The token's text. */
  text: string;
}

function textOf(authorization: string | undefined): string {
  const [, text] = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization ?? '') ?? [];
  if (text === undefined || text.length > MAX_TOKEN_LENGTH) throw refused('Send an access token: "Authorization: Bearer …".');
  return text;
}

/** A bearer token, before its signature is known to be good. */
function readToken(text: string): Token {
  const [header, claims] = text.split('.', 2).map(parsePart) as [{ alg?: unknown; kid?: unknown }, Claims];
  if (header.alg !== 'RS256' || typeof header.kid !== 'string') throw refused('The token is not signed with RS256 and a key id.');
  if (claims.typ !== 'Bearer') throw refused('The token is not an access token.');
  return { keyId: header.kid, claims, text };
}

/** Why a token is not in time, or undefined when it is. */
function untimeliness(claims: Claims, now: number): string | undefined {
  if (!isNumber(claims.exp) || claims.exp <= now) return 'The token has expired or has no end.';
  if (!isNumber(claims.iat) || claims.iat > now + CLOCK_SKEW_SECONDS) return 'The token was issued in the future.';
  const tooEarly = claims.nbf !== undefined && (!isNumber(claims.nbf) || claims.nbf > now + CLOCK_SKEW_SECONDS);
  return tooEarly ? 'The token is not valid yet.' : undefined;
}

/** Only what Keycloak signed says anything about its clock. */
async function isSigned({ keyId, text }: Token, keys: SigningKeys): Promise<boolean> {
  const key = await keys.find(keyId);
  const at = text.lastIndexOf('.');
  return key !== undefined && verifySignature('RSA-SHA256', Buffer.from(text.slice(0, at)), key, Buffer.from(text.slice(at + 1), 'base64url'));
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
function isMachine(claims: Claims, clientId: unknown): boolean {
  if (claims.sid !== undefined || claims.session_state !== undefined) return false;
  if (typeof clientId !== 'string') return false;
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
