import { randomBytes } from 'node:crypto';
import { requireFrom } from './install.ts';

export const BASE_URL = 'https://proxy.test';
export const CLIENT = 'vestibule-proxy';
/** Of the peer's cookies, in a bench that ends with it. */
export const SECRET = 'a secret of the bench alone, of at least 32 bytes';
const HOURS_SECONDS = 3_600;

interface PeerCrypto {
  getKeyStore(secret: string, forEncryption: boolean): [Buffer];
  encryptSync(payload: string, key: Buffer, header: object): string;
}

/** What express-openid-connect gives the n-th person at a login, by its own code: the ID token, encrypted. */
export function peerCookie(folder: string, n: number): string {
  const { getKeyStore, encryptSync } = requireFrom(folder)('express-openid-connect/lib/crypto.js') as PeerCrypto;
  const now = Math.floor(Date.now() / 1000);
  const [key] = getKeyStore(SECRET, true);
  const session = { id_token: idToken(n, now), token_type: 'Bearer', expires_at: now + HOURS_SECONDS };
  return `appSession=${encryptSync(JSON.stringify(session), key, { iat: now, uat: now, exp: now + HOURS_SECONDS })}`;
}

/** As large as Keycloak's. A session's token is not checked again. */
function idToken(n: number, now: number): string {
  const claims = {
    exp: now + HOURS_SECONDS, iat: now, auth_time: now, jti: `jti-${n}`, iss: 'https://keycloak.test/realms/vestibule', aud: CLIENT, sub: `user-${n}`, typ: 'ID', azp: CLIENT, sid: `sid-${n}`,
    email_verified: true, name: `Person ${n}`, preferred_username: `person-${n}@example.com`, email: `person-${n}@example.com`, roles: ['trial-user'],
  };
  return `${part({ alg: 'RS256', typ: 'JWT', kid: 'bench' })}.${part(claims)}.${randomBytes(256).toString('base64url')}`;
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
