import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';

export const ISSUER_URL = 'http://keycloak.test';
export const ISSUER = `${ISSUER_URL}/realms/vestibule`;

export type Claims = Readonly<Record<string, unknown>>;

/** A realm's keys over real HTTP, and tokens signed by them. */
export interface Realm {
  internalUrl: string;
  privateKey: CryptoKey;
  publicKey: CryptoKey;
  /** A token of Keycloak's steps; `claims` replaces, undefined removes. */
  stepToken(claims?: Claims, header?: { alg?: string; kid?: string }): Promise<string>;
  serviceToken(clientId: string, role: string, claims?: Claims): Promise<string>;
  /** Adds a key, as a rotation does, and signs with it from now on. */
  rotate(keyId: string): Promise<void>;
  requests(): number;
  /** Whether the bridge's service account may sign in. */
  letIn(may: boolean): void;
  signIns(): number;
  /** Whether it makes calls to the bridge, as its health says. */
  calls(made: boolean): void;
  close(): Promise<void>;
}

export async function openRealm(): Promise<Realm> {
  const keys: object[] = [];
  let signing = await generateKeyPair('RS256', { extractable: true });
  let signingId = 'first';
  let requests = 0;
  const publish = async () => {
    keys.push({ ...(await exportJWK(signing.publicKey)), kid: signingId, use: 'sig', alg: 'RS256' });
  };
  await publish();
  let [mayEnter, signIns, callsMade] = [true, 0, true];
  const answerTo = async (path = ''): Promise<[number, object]> => {
    if (path === '/realms/vestibule/protocol/openid-connect/certs') return [200, { keys }];
    if (path === '/admin/realms/vestibule/users/') return [200, []];
    if (path === '/realms/vestibule/vestibule-trials/health') return callsMade ? [200, { bridge: { breaker: 'closed' } }] : [503, { bridge: { breaker: 'open' } }];
    if (path !== '/realms/vestibule/protocol/openid-connect/token') return [404, {}];
    signIns += 1;
    return mayEnter ? [200, { access_token: await sign({ ...stepClaims(), azp: 'vestibule-bridge' }) }] : [401, { error: 'invalid_client' }];
  };
  const server = createServer((req, res) => {
    requests += 1;
    res.setHeader('Content-Type', 'application/json');
    void answerTo(req.url?.split('?', 1)[0]).then(([status, body]) => res.writeHead(status).end(JSON.stringify(body)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const sign = (claims: Claims, header: { alg?: string; kid?: string } = {}) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: signingId, typ: 'JWT', ...header }).sign(signing.privateKey);

  return {
    internalUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    privateKey: signing.privateKey,
    publicKey: signing.publicKey,
    stepToken: (claims = {}, header = {}) => sign({ ...stepClaims(), ...claims }, header),
    serviceToken: (clientId, role, claims = {}) =>
      sign({ ...stepClaims(), azp: clientId, preferred_username: `service-account-${clientId}`, resource_access: roles(role), ...claims }),
    rotate: async (keyId) => {
      signing = await generateKeyPair('RS256', { extractable: true });
      signingId = keyId;
      await publish();
    },
    requests: () => requests,
    letIn: (may) => {
      mayEnter = may;
    },
    signIns: () => signIns,
    calls: (made) => {
      callsMade = made;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export function stepClaims(): Claims {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: ISSUER,
    aud: 'vestibule-bridge',
    azp: 'vestibule-keycloak',
    typ: 'Bearer',
    iat: now,
    exp: now + 30,
    resource_access: roles('trial-callback'),
  };
}

export function roles(role: string) {
  return { 'vestibule-bridge': { roles: [role] } };
}
