import type { Clock } from '../../platform/clock.ts';
import { findProduct, type Product, type Products } from '../../platform/products.ts';
import { hashToken } from '../../platform/token.ts';
import type { Db } from '../db/schema.ts';
import { givenSoFar } from './given.service.ts';
import { findInvitation, type Invitation } from './invitation.store.ts';
import { asksAnything, type Given } from './questions.ts';

export type Unusable = 'unknown' | 'expired' | 'revoked' | 'spent';

/** Why an invitation can't be used, or undefined when it can. One that is reserved stays good for the same person. */
export function unusable(invitation: Invitation | undefined, now: Date): Unusable | undefined {
  if (invitation === undefined) return 'unknown';
  if (invitation.state === 'spent' || invitation.state === 'revoked') return invitation.state;
  return invitation.state === 'issued' && invitation.expiresAt <= now ? 'expired' : undefined;
}

/** What the form is to ask for: what the product asks, less what was given. */
export interface Asking {
  product: Product;
  given: Given;
}

/** Looks and never writes: mail scanners open links (the seed's /api/trial/verify). */
export async function verify(
  db: Db,
  { clock, products }: { clock: Clock; products: Products },
  token: string,
): Promise<{ valid: true; invitation: Invitation; asking: Asking | undefined } | { valid: false; reason: Unusable; invitation: Invitation | undefined }> {
  const invitation = await findInvitation(db, hashToken(token));
  const reason = unusable(invitation, clock.now());
  if (reason !== undefined || invitation === undefined) return { valid: false, reason: reason ?? 'unknown', invitation };
  const product = findProduct(products, invitation.product);
  if (product === undefined) return { valid: false, reason: 'revoked', invitation };
  const asking = asksAnything(product) ? { product, given: await givenSoFar(db, product, invitation) } : undefined;
  return { valid: true, invitation, asking };
}
