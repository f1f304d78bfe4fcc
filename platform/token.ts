import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

const TOKEN_BYTES = 32;

/** 256 random bits, base64url. It lives with whom it was given to; only {@link hashToken} of it is stored. */
export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

/** SHA-256. */
export function hashToken(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}

export function matchesToken(token: string | undefined, hash: Buffer): boolean {
  return token !== undefined && timingSafeEqual(hashToken(token), hash);
}
