import { AppError } from '../../platform/problem.ts';
import type { Product } from '../../platform/products.ts';

export interface Consent {
  id: string;
  version: string;
}

/** What somebody gave of what a product asks besides the address: attributes by id, and consents to texts of a version. */
export interface Given {
  attributes: Readonly<Record<string, string>>;
  consents: readonly Consent[];
}

/** The same as a request has it: each may be left out. */
export type Offered = { [Kind in keyof Given]?: Given[Kind] | undefined };

export function asksAnything({ attributes, consents }: Product): boolean {
  return attributes.length + consents.length > 0;
}

/** Throws `invalid_request` with its field for what the product does not ask, or not so. */
export function judgeOffered(product: Product, { attributes = {}, consents = [] }: Offered): Given {
  for (const [id, value] of Object.entries(attributes)) {
    const asked = product.attributes.find((one) => one.id === id);
    if (asked === undefined) throw refused(`attributes.${id}`, 'this product does not ask for that.');
    if (value.length > asked.max_length) throw refused(`attributes.${id}`, `at most ${asked.max_length} characters.`);
  }
  for (const { id, version } of consents) {
    const asked = product.consents.find((one) => one.id === id);
    if (asked === undefined) throw refused(`consents.${id}`, 'this product does not ask for that.');
    if (asked.version !== version) throw refused(`consents.${id}`, `version ${asked.version} is the current one.`);
  }
  if (new Set(consents.map(({ id }) => id)).size < consents.length) throw refused('consents', 'each at most once.');
  return { attributes, consents };
}

/** Throws `invalid_request` with its field where something required is missing; looks at `kinds` only. */
export function demandRequired(product: Product, given: Given, kinds: readonly (keyof Given)[] = ['attributes', 'consents']): void {
  const missing = kinds.flatMap((kind) => product[kind].filter(({ id, required }) => required && !has(given, kind, id)).map(({ id }) => `${kind}.${id}`));
  if (missing[0] !== undefined) throw refused(missing[0], 'is required.');
}

/** Of what was given earlier: what the product still asks, and so. */
export function stillGood(product: Product, { attributes, consents }: Given): Given {
  const asked = (id: string, value: string) => product.attributes.some((one) => one.id === id && value.length <= one.max_length);
  return {
    attributes: Object.fromEntries(Object.entries(attributes).filter(([id, value]) => asked(id, value))),
    consents: consents.filter(({ id, version }) => product.consents.some((one) => one.id === id && one.version === version)),
  };
}

export function has(given: Given, kind: keyof Given, id: string): boolean {
  return kind === 'attributes' ? (given.attributes[id] ?? '').trim() !== '' : given.consents.some((one) => one.id === id);
}

function refused(field: string, words: string): AppError {
  return new AppError('invalid_request', `${field}: ${words}`, { field });
}
