import { randomBytes } from 'node:crypto';
import { requireFrom } from './install.ts';

export const BASE_URL = 'https://proxy.test';
export const CLIENT = 'vestibule-proxy';
/** Of the peer's cookies, in a bench that ends with it. */
export const SECRET = 'a secret of the bench alone, of at least 32 bytes';
const HOURS_SECONDS = 3_600;
const COOKIE_BYTES = 4_000;
const SIGNATURE_BYTES = 256;
const REFRESH_TOKEN_BYTES = 500;

interface PeerCrypto {
  getKeyStore(secret: string, forEncryption: boolean): [Buffer];
  encryptSync(payload: string, key: Buffer, header: object): string;
}

/** What express-openid-connect gives the n-th person at a login by the code flow, by its own code: the tokens, encrypted, in as many cookies as they need. */
export function peerCookie(folder: string, n: number): string {
  const { getKeyStore, encryptSync } = requireFrom(folder)('express-openid-connect/lib/crypto.js') as PeerCrypto;
  const now = Math.floor(Date.now() / 1000);
  const [key] = getKeyStore(SECRET, true);
  const session = { id_token: idToken(n, now), access_token: accessToken(n, now), refresh_token: opaque(REFRESH_TOKEN_BYTES), token_type: 'Bearer', expires_at: now + HOURS_SECONDS };
  const value = encryptSync(JSON.stringify(session), key, { iat: now, uat: now, exp: now + HOURS_SECONDS });
  const pieces = value.match(new RegExp(`.{1,${COOKIE_BYTES}}`, 'g')) ?? [];
  return pieces.map((piece, at) => `appSession.${at}=${piece}`).join('; ');
}

/** As large as Keycloak's. A session's token is not checked again. */
function idToken(n: number, now: number): string {
  const claims = {
    exp: now + HOURS_SECONDS, iat: now, auth_time: now, jti: `jti-${n}`, iss: 'https://keycloak.test/realms/vestibule', aud: CLIENT, sub: `user-${n}`, typ: 'ID', azp: CLIENT, sid: `sid-${n}`,
    email_verified: true, name: `Person ${n}`, preferred_username: `person-${n}@example.com`, email: `person-${n}@example.com`, roles: ['trial-user'],
  };
  return signed(claims);
}

function accessToken(n: number, now: number): string {
  return signed({
    exp: now + HOURS_SECONDS, iat: now, auth_time: now, jti: `jti-${n}`, iss: 'https://keycloak.test/realms/vestibule', aud: 'account', sub: `user-${n}`, typ: 'Bearer', azp: CLIENT, sid: `sid-${n}`, acr: '1',
    'allowed-origins': [BASE_URL], realm_access: { roles: ['default-roles-vestibule', 'offline_access', 'uma_authorization', 'trial-user'] },
    resource_access: { account: { roles: ['manage-account', 'manage-account-links', 'view-profile'] } }, scope: 'openid email profile',
    email_verified: true, name: `Person ${n}`, preferred_username: `person-${n}@example.com`, email: `person-${n}@example.com`,
  });
}

function signed(claims: object): string {
  return `${part({ alg: 'RS256', typ: 'JWT', kid: 'bench' })}.${part(claims)}.${opaque(SIGNATURE_BYTES)}`;
}

function opaque(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
