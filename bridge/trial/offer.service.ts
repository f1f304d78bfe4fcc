import type { Clock } from '../../platform/clock.ts';
import type { Products } from '../../platform/products.ts';
import { hashToken } from '../../platform/token.ts';
import type { Db } from '../db/schema.ts';
import { givenSoFar } from './given.service.ts';
import { findJoinOffer, type JoinOffer } from './invitation.store.ts';
import { productOf } from './provision.service.ts';
import type { Given } from './questions.ts';
import { unusable, type Unusable } from './verify.service.ts';

export type Offer = { open: true; offer: JoinOffer; given: Given } | { open: false; reason: Unusable; offer: JoinOffer | undefined };

/** What a mail offered to an account. Looks and never writes: mail scanners open links. */
export async function lookAtOffer(db: Db, using: { clock: Clock; products: Products }, token: string): Promise<Offer> {
  const offer = await findJoinOffer(db, hashToken(token));
  const reason = unusable(offer, using);
  if (reason !== undefined || offer === undefined) return { open: false, reason: reason ?? 'unknown', offer };
  return { open: true, offer, given: await givenSoFar(db, productOf(using.products, offer.product), offer) };
}
