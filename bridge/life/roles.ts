import type { Product } from '../../platform/products.ts';
import type { LifeState } from './transitions.ts';

/** What somebody has by a trial in this state, and what they had by an earlier one. */
export function rolesIn(product: Pick<Product, 'roles' | 'converted_roles'>, { state }: { state: LifeState }): { grant: readonly string[]; revoke: readonly string[] } {
  const full = product.converted_roles.filter((role) => !product.roles.includes(role));
  const trial = product.roles.filter((role) => !product.converted_roles.includes(role));
  if (state === 'converted') return { grant: product.converted_roles, revoke: trial };
  return { grant: product.roles, revoke: full };
}
