import { AppError } from '../../platform/problem.ts';
import { findProduct, type Product, type Products } from '../../platform/products.ts';
import type { Trx } from '../db/schema.ts';
import type { OfUser } from './registration.store.ts';
import { insertTrial, type NewTrialApp } from './trial.store.ts';

/** The trial, its small app and permissions, as the attempt has them; false when the user has a trial of the product. */
export async function provision(trx: Trx, product: Product, registration: OfUser): Promise<boolean> {
  return insertTrial(trx, registration.attemptId, appOf(product, registration.trialAppId));
}

export function appOf(product: Product, id: string): NewTrialApp {
  return { id, name: product.app.name, path: appPath(product, id), permissions: product.app.permissions };
}

export function appPath(product: Product, appId: string): string {
  return product.app.path.replace('{id}', appId);
}

export function productOf(products: Products, id: string): Product {
  const product = findProduct(products, id);
  // Refused as what it is, and not as a bridge that fails: Keycloak's steps leave one out for everybody.
  if (product === undefined) throw new AppError('invitation_revoked', `Product ${id} is not offered any more.`);
  return product;
}
