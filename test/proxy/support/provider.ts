import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SignJWT, type JWTPayload } from 'jose';
import { givenKeys, newKey, type SigningKey } from './provider-keys.ts';

export interface Person {
  sub: string;
  email: string;
  name: string;
  roles?: string[];
  groups?: string[];
  trial?: { app: string; endsAt: number; accessUntil: number };
}

/** What the provider does wrong, for one test. */
export interface Misbehaviour {
  /** Changes the ID token's claims. */
  claims?: (claims: JWTPayload) => JWTPayload;
  /** Replaces the ID token. */
  idToken?: (honest: string) => string | Promise<string>;
  /** Changes the query of the redirect back. */
  redirect?: (query: URLSearchParams) => void;
  /** Answers the token endpoint; a text goes as it is. */
  token?: { status: number; body: unknown };
  /** What never answers: the connection stays open. */
  hangs?: 'token' | 'metadata';
  /** Changes the metadata. */
  metadata?: (honest: Record<string, unknown>) => Record<string, unknown>;
  signWith?: 'other-key' | 'unknown-key';
  down?: boolean;
  /** Answers a refresh; otherwise the token works once. */
  refresh?: { status: number; body: unknown };
  /** Of access tokens; otherwise 300. */
  expiresIn?: number;
}

interface AuthorizationRequest {
  /** What stood in the browser's address. */
  inUrl: URLSearchParams;
  /** With what was pushed ahead. */
  effective: URLSearchParams;
}

/** A stand-in for Keycloak over real HTTP: signs in whoever is named, without asking. */
export interface TestProvider {
  publicUrl: string;
  issuer: string;
  person: Person;
  misbehave: Misbehaviour;
  authorizations: AuthorizationRequest[];
  logouts: URLSearchParams[];
  serviceTokens: number;
  tokenRequests: URLSearchParams[];
  /** A logout token as Keycloak sends it, changed by `claims`. */
  logoutToken(claims?: Readonly<Record<string, unknown>>, options?: { typ?: string; alg?: 'none' | 'other-key' }): Promise<string>;
  /** Anything, signed by its key. */
  sign(claims: Readonly<Record<string, unknown>>, typ: string): Promise<string>;
  /** Signs with a new key from now on, and publishes that one only. */
  rotateKeys(): Promise<void>;
  /** Every secret it gave out, for the test that greps logs. */
  secrets: string[];
  stop(): Promise<void>;
}

export const CLIENT = { id: 'vestibule-proxy', secret: 'proxy-client-secret-for-tests' };

export async function startProvider(port = 0): Promise<TestProvider> {
  const { own, other, unknown } = await givenKeys();
  let key = own;
  const codes = new Map<string, URLSearchParams>();
  const refreshTokens = new Set<string>();
  const pushed = new Map<string, URLSearchParams>();
  const server = createServer((req, res) => {
    answer(req, res).catch((error: unknown) => {
      res.writeHead(500).end(String(error));
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const publicUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer = `${publicUrl}/realms/vestibule`;
  const base = '/realms/vestibule/protocol/openid-connect';

  const provider: TestProvider = {
    publicUrl,
    issuer,
    person: { sub: 'user-ada', email: 'ada@example.com', name: 'Ada Lovelace' },
    misbehave: {},
    authorizations: [],
    logouts: [],
    serviceTokens: 0,
    tokenRequests: [],
    secrets: [CLIENT.secret],
    logoutToken: async (claims = {}, { typ = 'logout+jwt', alg } = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const payload = { iss: issuer, aud: CLIENT.id, iat: now, exp: now + 120, jti: randomUUID(), sub: provider.person.sub, sid: `sid-${provider.person.sub}`, typ: 'Logout', events: { 'http://schemas.openid.net/event/backchannel-logout': {} }, ...claims };
      if (alg === 'none') return `${[{ alg: 'none', typ }, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`;
      return sign(payload, alg === 'other-key' ? other : key, typ);
    },
    sign: (claims, typ) => sign(claims, key, typ),
    rotateKeys: async () => {
      key = await newKey(randomUUID());
    },
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };

  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const url = new URL(req.url ?? '/', publicUrl);
    const json = (status: number, body: unknown): void => {
      res.writeHead(status, { 'content-type': 'application/json' }).end(typeof body === 'string' ? body : JSON.stringify(body));
    };
    if (provider.misbehave.down) return void res.writeHead(503).end();
    if (provider.misbehave.hangs === 'token' && url.pathname === `${base}/token`) return;
    if (provider.misbehave.hangs === 'metadata' && url.pathname.includes('/.well-known/')) return;
    switch (url.pathname) {
      case '/realms/vestibule/.well-known/openid-configuration':
        return json(200, (provider.misbehave.metadata ?? asItIs)({
          issuer,
          authorization_endpoint: `${publicUrl}${base}/auth`,
          token_endpoint: `${publicUrl}${base}/token`,
          jwks_uri: `${publicUrl}${base}/certs`,
          end_session_endpoint: `${publicUrl}${base}/logout`,
          pushed_authorization_request_endpoint: `${publicUrl}${base}/ext/par/request`,
          response_types_supported: ['code'],
          id_token_signing_alg_values_supported: ['RS256', 'HS256'],
          authorization_response_iss_parameter_supported: true,
        }));
      case `${base}/certs`:
        return json(200, { keys: [key.jwk] });
      case `${base}/ext/par/request`: {
        const reference = `urn:ietf:params:oauth:request_uri:${randomUUID()}`;
        pushed.set(reference, new URLSearchParams(await bodyOf(req)));
        return json(201, { request_uri: reference, expires_in: 60 });
      }
      case `${base}/auth`: {
        const effective = pushed.get(url.searchParams.get('request_uri') ?? '') ?? url.searchParams;
        provider.authorizations.push({ inUrl: url.searchParams, effective });
        const code = `code-${randomUUID()}`;
        codes.set(code, effective);
        provider.secrets.push(code, ...['invitation_token', 'state', 'nonce'].flatMap((name) => effective.get(name) ?? []));
        const query = new URLSearchParams({ code, state: effective.get('state') ?? '', iss: issuer, session_state: 'keycloak-session' });
        provider.misbehave.redirect?.(query);
        return void res.writeHead(302, { location: `${effective.get('redirect_uri')}?${query.toString()}` }).end();
      }
      case `${base}/token`:
        return token(req, json);
      case `${base}/logout`:
        provider.logouts.push(url.searchParams);
        return void res.writeHead(302, { location: url.searchParams.get('post_logout_redirect_uri') ?? '/' }).end();
      default:
        return json(404, {});
    }
  };

  const token = async (req: IncomingMessage, json: (status: number, body: unknown) => void): Promise<void> => {
    const body = new URLSearchParams(await bodyOf(req));
    provider.tokenRequests.push(body);
    if (provider.misbehave.token) return json(provider.misbehave.token.status, provider.misbehave.token.body);
    const now = Math.floor(Date.now() / 1000);
    if (body.get('grant_type') === 'client_credentials') {
      provider.serviceTokens += 1;
      const service = await sign({ iss: issuer, azp: CLIENT.id, aud: 'vestibule-bridge', iat: now, exp: now + 60, n: provider.serviceTokens }, key);
      provider.secrets.push(service);
      return json(200, { access_token: service, token_type: 'Bearer', expires_in: 60 });
    }
    const refreshing = body.get('grant_type') === 'refresh_token';
    if (refreshing && provider.misbehave.refresh) return json(provider.misbehave.refresh.status, provider.misbehave.refresh.body);
    // A refresh token works once: a second use is what rotation calls theft.
    if (refreshing && !refreshTokens.delete(body.get('refresh_token') ?? '')) return json(400, { error: 'invalid_grant' });
    const request = codes.get(body.get('code') ?? '');
    codes.delete(body.get('code') ?? '');
    const challenge = createHash('sha256').update(body.get('code_verifier') ?? '').digest('base64url');
    if (!refreshing && (!request || challenge !== request.get('code_challenge'))) return json(400, { error: 'invalid_grant' });
    const { person, misbehave } = provider;
    const honest: JWTPayload = {
      iss: issuer,
      aud: CLIENT.id,
      azp: CLIENT.id,
      sub: person.sub,
      sid: `sid-${person.sub}`,
      ...(request && { nonce: request.get('nonce') ?? '' }),
      iat: now,
      exp: now + 300,
      email: person.email,
      name: person.name,
      roles: person.roles ?? [],
      groups: person.groups ?? [],
      ...(person.trial && { trial_app: person.trial.app, trial_ends_at: person.trial.endsAt, trial_access_until: person.trial.accessUntil }),
    };
    const claims = misbehave.claims?.(honest) ?? honest;
    const signed = await sign(claims, misbehave.signWith === undefined ? key : { 'other-key': other, 'unknown-key': unknown }[misbehave.signWith]);
    const idToken = (await misbehave.idToken?.(signed)) ?? signed;
    const accessToken = `access-${randomUUID()}`;
    const refreshToken = `refresh-${randomUUID()}`;
    provider.secrets.push(idToken, accessToken, refreshToken, ...(body.get('code_verifier')?.split(' ') ?? []));
    refreshTokens.add(refreshToken);
    return json(200, { access_token: accessToken, refresh_token: refreshToken, id_token: idToken, token_type: 'Bearer', expires_in: misbehave.expiresIn ?? 300 });
  };
  return provider;
}

function sign(claims: JWTPayload, { privateKey, jwk }: SigningKey, typ?: string): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: jwk.kid ?? '', ...(typ !== undefined && { typ }) }).sign(privateKey);
}

function asItIs<T>(value: T): T {
  return value;
}

async function bodyOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
