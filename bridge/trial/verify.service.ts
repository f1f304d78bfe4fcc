import type { Clock } from '../../platform/clock.ts';
import { findProduct, type Product, type Products } from '../../platform/products.ts';
import { hashToken } from '../../platform/token.ts';
import { canonicalAddress } from '../address/address.ts';
import type { Db } from '../db/schema.ts';
import { givenSoFar } from './given.service.ts';
import { productOf } from './provision.service.ts';
import { findInvitation, type Invitation } from './invitation.store.ts';
import { asksAnything, type Given } from './questions.ts';

export type Unusable = 'unknown' | 'expired' | 'revoked' | 'spent';

/** Why an invitation can't be used, or undefined when it can. One that is reserved stays good for the same person; with its product it is withdrawn. */
export function unusable(invitation: Invitation | undefined, { clock, products }: { clock: Clock; products: Products }): Unusable | undefined {
  if (invitation === undefined) return 'unknown';
  if (invitation.state === 'spent' || invitation.state === 'revoked') return invitation.state;
  if (invitation.state === 'issued' && invitation.expiresAt <= clock.now()) return 'expired';
  return findProduct(products, invitation.product) === undefined ? 'revoked' : undefined;
}

/** What the form is to ask for: what the product asks, less what was given. */
export interface Asking {
  product: Product;
  given: Given;
}

/**
 * Looks and never writes: mail scanners open links (the seed's /api/trial/verify). `address` is somebody else's word for
 * the invited one: whether it is, is judged here, by the one form that addresses have.
 */
export async function verify(
  db: Db,
  using: { clock: Clock; products: Products },
  { token, address }: { token: string; address?: string | undefined },
): Promise<{ valid: true; invitation: Invitation; asking: Asking | undefined; addressIsInvited: boolean | undefined } | { valid: false; reason: Unusable; invitation: Invitation | undefined }> {
  const invitation = await findInvitation(db, hashToken(token));
  const reason = unusable(invitation, using);
  if (reason !== undefined || invitation === undefined) return { valid: false, reason: reason ?? 'unknown', invitation };
  const product = productOf(using.products, invitation.product);
  const asking = asksAnything(product) ? { product, given: await givenSoFar(db, product, invitation) } : undefined;
  const addressIsInvited = address === undefined ? undefined : canonicalAddress(address) === invitation.address;
  return { valid: true, invitation, asking, addressIsInvited };
}
