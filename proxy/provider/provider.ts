import type { FetchImplementation } from 'jose';
import * as oidc from 'openid-client';
import { epochSeconds, type Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/problem.ts';
import type { ProviderConfig, Site } from '../site/site.ts';
import { keptClaims, type KeptClaims } from '../identity/kept-claims.ts';
import { logoutTokenReader, type LogoutToken, type LogoutTokenReader } from './logout-token.ts';

const CALL_LIMIT_SECONDS = 5;
/** Metadata is read again now and then, so that a changed endpoint is found without a restart. */
const METADATA_LIFETIME_MILLISECONDS = 15 * 60_000;
/** A service token is replaced this long before it ends. */
const SERVICE_TOKEN_MARGIN_MILLISECONDS = 30_000;
/** With public keys only: a client secret must not be able to sign. */
const SIGNING_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const;

export interface Identity {
  sub: string;
  sid: string | null;
  email: string;
  name: string;
  roles: readonly string[];
  groups: readonly string[];
  /** `trial_access_until` is the only end that is enforced. */
  trial: { app: string | null; endsAt: Date; accessUntil: Date } | null;
  /** What identity headers ask for besides. */
  claims: KeptClaims;
}

export interface Tokens {
  idToken: string;
  accessToken: string;
  refreshToken?: string;
  /** Epoch seconds; null where the provider does not say. */
  accessExpiresAt: number | null;
  /** The provider's own end of the session, in epoch seconds (claim `session_expiry`, IPSIE). */
  sessionExpiry: number | null;
}

/** `ended`: the provider says that this session is over. Whatever else goes wrong is thrown. */
export type RefreshAnswer = { outcome: 'refreshed'; identity: Identity; tokens: Tokens } | { outcome: 'ended' };

export interface LoginChecks {
  state: string;
  nonce: string;
  codeVerifier: string;
}

/** `refused`: the provider's own error answer. `invalid`: an answer that fails a check. `code_refused`: the code was used or is too old. */
export type LoginAnswer =
  | { outcome: 'signed_in'; identity: Identity; tokens: Tokens }
  | { outcome: 'refused'; error: string; description: string }
  | { outcome: 'code_refused' | 'invalid'; cause: unknown };

/** Keycloak, as this proxy uses it. Metadata is found at first use and again after a failure: the proxy starts without it. */
export interface Provider {
  newChecks(): LoginChecks;
  /** The address to send the browser to. `pushed`: parameters go ahead by PAR (RFC 9126), the address carries a reference only. */
  authorizationUrl(checks: LoginChecks, parameters: Readonly<Record<string, string>>, options: { pushed: boolean }): Promise<URL>;
  /** Checks state, iss, nonce, aud, exp and the ID token's signature, and exchanges the code. `callbackUrl` starts with the public address. */
  finishLogin(callbackUrl: URL, checks: LoginChecks): Promise<LoginAnswer>;
  /** Throws unless the provider answered with new tokens, or with `invalid_grant`. What an answer leaves out stays as it was. */
  refresh(held: Tokens, identity: Identity): Promise<RefreshAnswer>;
  /** The checked logout token, or why it is refused. Throws where the provider's keys can't be had. */
  readLogoutToken(token: string): Promise<LogoutToken | { refused: Error }>;
  endSessionUrl(parameters: Readonly<Record<string, string>>): Promise<URL>;
  /** Client credentials of this proxy for the bridge; kept until shortly before they end. `renew` drops what is kept. */
  serviceToken(options?: { renew?: boolean }): Promise<string>;
  check(): Promise<void>;
}

export function createProvider({ provider: keycloak, publicUrl }: Pick<Site, 'provider' | 'publicUrl'>, clock: Pick<Clock, 'now'>): Provider {
  const insecure = keycloak.publicUrl.startsWith('http:') || keycloak.internalUrl.startsWith('http:');
  let metadata: { found: Promise<oidc.Configuration>; until: number } | undefined;
  let logoutTokens: { jwksUrl: string; reader: LogoutTokenReader } | undefined;
  let service: { answer: ReturnType<typeof requestServiceToken>; until: number } | undefined;

  const discover = (): Promise<oidc.Configuration> => {
    const found = oidc
      .discovery(new URL(keycloak.issuer), keycloak.clientId, {}, oidc.ClientSecretBasic(keycloak.clientSecret.reveal()), {
        timeout: CALL_LIMIT_SECONDS,
        execute: [...(insecure ? [oidc.allowInsecureRequests] : []), oidc.enableNonRepudiationChecks],
        [oidc.customFetch]: internalFetch(keycloak),
      })
      .catch((error: unknown) => {
        if (metadata?.found === found) metadata = undefined;
        throw unreachable(error);
      });
    return found;
  };
  const configuration = (): Promise<oidc.Configuration> => {
    if (!metadata || metadata.until < Date.now()) metadata = { found: discover(), until: Date.now() + METADATA_LIFETIME_MILLISECONDS };
    return metadata.found;
  };

  const requestServiceToken = async (): Promise<{ token: string; lifetimeMilliseconds: number }> => {
    const answer = await oidc.clientCredentialsGrant(await configuration()).catch((error: unknown) => {
      throw unreachable(error);
    });
    return { token: answer.access_token, lifetimeMilliseconds: (answer.expires_in ?? 0) * 1000 - SERVICE_TOKEN_MARGIN_MILLISECONDS };
  };

  return {
    newChecks: () => ({ state: oidc.randomState(), nonce: oidc.randomNonce(), codeVerifier: oidc.randomPKCECodeVerifier() }),
    authorizationUrl: async (checks, extra, { pushed }) => {
      const client = await configuration();
      const parameters = {
        redirect_uri: `${publicUrl}/api/callback`,
        scope: 'openid profile email',
        state: checks.state,
        nonce: checks.nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(checks.codeVerifier),
        code_challenge_method: 'S256',
        ...extra,
      };
      if (!pushed) return invitationAddress(oidc.buildAuthorizationUrl(client, parameters), keycloak.invitationEndpoint);
      return oidc.buildAuthorizationUrlWithPAR(client, parameters).catch((error: unknown) => {
        throw unreachable(error);
      });
    },
    finishLogin: async (callbackUrl, checks) => {
      const client = await configuration();
      try {
        const answer = await oidc.authorizationCodeGrant(client, callbackUrl, {
          expectedState: checks.state,
          expectedNonce: checks.nonce,
          pkceCodeVerifier: checks.codeVerifier,
          idTokenExpected: true,
        });
        const claims = answer.claims() ?? {};
        return { outcome: 'signed_in', identity: identityFrom(claims, keycloak.claimsToKeep), tokens: tokensFrom(answer, claims, clock.now()) };
      } catch (error) {
        return loginFailure(error);
      }
    },
    refresh: async (held, identity) => {
      const client = await configuration();
      try {
        const answer = await oidc.refreshTokenGrant(client, held.refreshToken ?? '');
        const claims = answer.claims();
        if (claims && claims.sub !== identity.sub) throw new AppError('bad_gateway', 'The sign-in service answered with the token of somebody else.');
        const fresh = tokensFrom({ ...answer, id_token: answer.id_token ?? held.idToken, refresh_token: answer.refresh_token ?? held.refreshToken }, claims ?? {}, clock.now());
        return { outcome: 'refreshed', identity: claims ? identityFrom(claims, keycloak.claimsToKeep) : identity, tokens: claims ? fresh : { ...fresh, sessionExpiry: held.sessionExpiry } };
      } catch (error) {
        if (error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant') return { outcome: 'ended' };
        throw unreachable(error);
      }
    },
    readLogoutToken: async (token) => {
      const jwksUrl = (await configuration()).serverMetadata().jwks_uri ?? '';
      if (logoutTokens?.jwksUrl !== jwksUrl) {
        const fetch = internalFetch(keycloak) as unknown as FetchImplementation;
        logoutTokens = { jwksUrl, reader: logoutTokenReader({ issuer: keycloak.issuer, audience: keycloak.clientId, jwksUrl, algorithms: SIGNING_ALGORITHMS, fetch }) };
      }
      return logoutTokens.reader.read(token).catch((error: unknown) => {
        const own = ownError(error);
        if (own) throw own;
        return { refused: safeCause(error) };
      });
    },
    endSessionUrl: async (parameters) => oidc.buildEndSessionUrl(await configuration(), parameters),
    serviceToken: async ({ renew = false } = {}) => {
      if (!renew && service && service.until >= Date.now()) return (await service.answer).token;
      // Asked for once: callers that come meanwhile wait for the same answer.
      const asked = { answer: requestServiceToken(), until: Number.POSITIVE_INFINITY };
      service = asked;
      try {
        const { token, lifetimeMilliseconds } = await asked.answer;
        asked.until = Date.now() + lifetimeMilliseconds;
        return token;
      } catch (error) {
        if (service === asked) service = undefined;
        throw error;
      }
    },
    check: async () => {
      await discover();
    },
  };
}

function invitationAddress(url: URL, endpoint: 'auth' | 'registrations'): URL {
  if (endpoint === 'registrations' && url.searchParams.get('prompt') === 'create') url.pathname = url.pathname.replace(/\/auth$/, '/registrations');
  return url;
}

/** Dials the internal address for what the metadata calls by its public one, and nothing else. */
function internalFetch(keycloak: ProviderConfig): oidc.CustomFetch {
  return async (url, options) => {
    const internal = url.startsWith(`${keycloak.publicUrl}/`) ? keycloak.internalUrl + url.slice(keycloak.publicUrl.length) : url;
    if (!internal.startsWith(`${keycloak.internalUrl}/`)) throw new AppError('bad_gateway', 'The sign-in service names an address that is not its own.');
    const response = await fetch(internal, options as RequestInit).catch((error: unknown) => {
      throw new AppError('bad_gateway', 'The sign-in service does not answer. Try again in a moment.', { cause: error });
    });
    if (response.status < 500) return response;
    await response.body?.cancel();
    throw new AppError('bad_gateway', 'The sign-in service has a fault. Try again in a moment.', { cause: new Error(`HTTP ${response.status}`) });
  };
}

/** openid-client wraps what its fetch throws; ours is found again by following `cause`. */
function ownError(error: unknown): AppError | undefined {
  for (let one: unknown = error; one instanceof Error; one = one.cause) if (one instanceof AppError) return one;
  return undefined;
}

function unreachable(error: unknown): AppError {
  return ownError(error) ?? new AppError('bad_gateway', 'The sign-in service gave an unusable answer. Try again in a moment.', { cause: safeCause(error) });
}

function loginFailure(error: unknown): LoginAnswer {
  const own = ownError(error);
  if (own) throw own;
  if (error instanceof oidc.AuthorizationResponseError) return { outcome: 'refused', error: error.error, description: error.error_description ?? '' };
  if (error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant') return { outcome: 'code_refused', cause: safeCause(error) };
  if (error instanceof oidc.ClientError) return { outcome: 'invalid', cause: safeCause(error) };
  if (error instanceof Error && (error as { code?: unknown }).code === 'OAUTH_TIMEOUT') throw new AppError('gateway_timeout', 'The sign-in service took too long. Try again.', { cause: safeCause(error) });
  throw new AppError('bad_gateway', 'The sign-in service gave an unusable answer. Try again in a moment.', { cause: safeCause(error) });
}

/** The library's causes hold whole answers and claims: only code and message go to the log (SECURITY 14). */
function safeCause(error: unknown): Error {
  const { name, message, code, error: oauthError, cause } = error as { name?: string; message?: string; code?: string; error?: string; cause?: unknown };
  const inner = cause instanceof Error ? `: ${cause.message}` : '';
  return new Error([name, code, oauthError, `${message}${inner}`].filter(Boolean).join(' '));
}

function tokensFrom(
  answer: { access_token: string; id_token?: string | undefined; refresh_token?: string | undefined; expires_in?: number | undefined },
  claims: Readonly<Record<string, unknown>>,
  now: Date,
): Tokens {
  const { session_expiry } = claims;
  return {
    idToken: String(answer.id_token),
    accessToken: answer.access_token,
    ...(answer.refresh_token && { refreshToken: answer.refresh_token }),
    accessExpiresAt: answer.expires_in === undefined ? null : epochSeconds(now) + answer.expires_in,
    sessionExpiry: typeof session_expiry === 'number' && Number.isFinite(session_expiry) ? session_expiry : null,
  };
}

function identityFrom(claims: Readonly<Record<string, unknown>>, toKeep: readonly string[]): Identity {
  const text = (name: string): string => (typeof claims[name] === 'string' ? claims[name] : '');
  const accessUntil = instant(claims['trial_access_until']);
  return {
    sub: text('sub'),
    sid: text('sid') || null,
    email: text('email') || text('preferred_username'),
    name: text('name') || text('email') || text('preferred_username'),
    roles: texts(claims['roles']),
    groups: texts(claims['groups']),
    trial: accessUntil && { app: text('trial_app') || null, endsAt: instant(claims['trial_ends_at']) ?? accessUntil, accessUntil },
    claims: keptClaims(claims, toKeep),
  };
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

/** Claims are epoch seconds. */
function instant(seconds: unknown): Date | null {
  return typeof seconds === 'number' && Number.isFinite(seconds) ? new Date(seconds * 1000) : null;
}
