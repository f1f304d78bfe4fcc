import * as oidc from 'openid-client';
import type { Clock } from '../../platform/clock.ts';
import type { KeptClaims } from '../identity/kept-claims.ts';
import type { Site } from '../site/site.ts';
import { identityFrom, tokensFrom } from './claims.ts';
import { loginFailure, Misissued, ownError, safeCause, unreachable } from './failures.ts';
import { internalFetch } from './internal-fetch.ts';
import { readLogoutToken, type LogoutToken } from './logout-token.ts';
import { providerKeys } from './provider-keys.ts';
import { providerMetadata } from './provider-metadata.ts';
import { serviceTokens } from './service-token.ts';

/** One of these says who it is; an ID token with none of them leaves that to the userinfo endpoint (OpenID Connect Core 1.0, 5.3). */
const NAMING_CLAIMS = ['email', 'preferred_username', 'name'];

export interface Identity {
  sub: string;
  sid: string | null;
  email: string;
  name: string;
  roles: readonly string[];
  groups: readonly string[];
  /** `trial_access_until` is the only end that is enforced. */
  /** Null instants: the trial became a full account, and keeps its app. */
  trial: { app: string | null; endsAt: Date | null; accessUntil: Date | null } | null;
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

/** An OpenID provider, as this proxy uses it. Metadata is found at first use and again after a failure: the proxy starts without it. */
export interface Provider {
  newChecks(): LoginChecks;
  /**
   * The address to send the browser to. Where the provider offers PAR (RFC 9126), parameters go ahead and the address carries a
   * reference only; `byQuery` keeps them in the address.
   */
  authorizationUrl(checks: LoginChecks, parameters: Readonly<Record<string, string>>, options: { byQuery: boolean }): Promise<URL>;
  /** Checks state, iss, nonce, aud, azp, exp and the ID token's signature, and exchanges the code. `callbackUrl` starts with the public address. */
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
  const dial = internalFetch(keycloak);
  const keys = providerKeys(dial);
  const { configuration, discover } = providerMetadata(keycloak, dial);

  /**
   * Checks the signature, which the library leaves to TLS, and `azp`, which it looks at beside several audiences only. Undefined where
   * the answer has no ID token.
   */
  const claimsOf = async (client: oidc.Configuration, answer: oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers): Promise<oidc.IDToken | undefined> => {
    const claims = answer.claims();
    if (!claims) return undefined;
    await keys.verify(answer.id_token ?? '', client.serverMetadata().jwks_uri);
    if (claims['azp'] !== undefined && claims['azp'] !== keycloak.clientId) throw new Misissued('azp of the ID token names another client');
    return claims;
  };

  return {
    newChecks: () => ({ state: oidc.randomState(), nonce: oidc.randomNonce(), codeVerifier: oidc.randomPKCECodeVerifier() }),
    authorizationUrl: async (checks, extra, { byQuery }) => {
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
      if (byQuery || client.serverMetadata().pushed_authorization_request_endpoint === undefined) return invitationAddress(oidc.buildAuthorizationUrl(client, parameters), keycloak.invitationEndpoint);
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
        const claims = await claimsOf(client, answer);
        if (!claims) throw new Misissued('there is no ID token');
        return { outcome: 'signed_in', identity: identityFrom(await withUserinfo(client, answer.access_token, claims), keycloak.claimsToKeep), tokens: tokensFrom(answer, claims, clock.now()) };
      } catch (error) {
        return loginFailure(error);
      }
    },
    refresh: async (held, identity) => {
      const client = await configuration();
      try {
        const answer = await oidc.refreshTokenGrant(client, held.refreshToken ?? '');
        const claims = await claimsOf(client, answer);
        if (claims && claims.sub !== identity.sub) throw new Misissued('the token is that of somebody else');
        const fresh = claims && identityFrom(await withUserinfo(client, answer.access_token, claims), keycloak.claimsToKeep);
        const tokens = tokensFrom({ ...answer, id_token: answer.id_token ?? held.idToken, refresh_token: answer.refresh_token ?? held.refreshToken }, claims ?? {}, clock.now());
        return {
          outcome: 'refreshed',
          identity: fresh ? { ...fresh, sid: fresh.sid ?? identity.sid } : identity,
          tokens: { ...tokens, sessionExpiry: tokens.sessionExpiry ?? held.sessionExpiry },
        };
      } catch (error) {
        if (error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant') return { outcome: 'ended' };
        throw unreachable(error);
      }
    },
    readLogoutToken: async (token) => {
      const { issuer, jwks_uri: jwksUrl } = (await configuration()).serverMetadata();
      return readLogoutToken(token, { issuer, audience: keycloak.clientId, keys, jwksUrl }).catch((error: unknown) => {
        const own = ownError(error);
        if (own) throw own;
        return { refused: safeCause(error) };
      });
    },
    endSessionUrl: async (parameters) => oidc.buildEndSessionUrl(await configuration(), parameters),
    serviceToken: serviceTokens(configuration),
    check: async () => void (await discover()),
  };
}

async function withUserinfo(client: oidc.Configuration, accessToken: string, claims: oidc.IDToken): Promise<Readonly<Record<string, unknown>>> {
  const named = NAMING_CLAIMS.some((name) => name in claims) || client.serverMetadata().userinfo_endpoint === undefined;
  return named ? claims : { ...(await oidc.fetchUserInfo(client, accessToken, claims.sub)), ...claims };
}

function invitationAddress(url: URL, endpoint: 'auth' | 'registrations'): URL {
  if (endpoint === 'registrations' && url.searchParams.get('prompt') === 'create') url.pathname = url.pathname.replace(/\/auth$/, '/registrations');
  return url;
}

