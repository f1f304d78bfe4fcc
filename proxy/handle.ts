import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** An opaque handle: 256 random bits, base64url. Only {@link hashOf} of it is stored. */
export function newHandle(): string {
  return randomBytes(32).toString('base64url');
}

export function hashOf(handle: string): Buffer {
  return createHash('sha256').update(handle).digest();
}

export function matches(handle: string | undefined, hash: Buffer): boolean {
  return handle !== undefined && timingSafeEqual(hashOf(handle), hash);
}
