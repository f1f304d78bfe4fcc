import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

const id = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'lower-case letters, digits and dashes, at most 32');

const productSchema = z.strictObject({
  id,
  name: z.string().min(1),
  /** Where people land: a path of the proxy, or the address of another client of the realm. */
  start_url: z.string().regex(/^(\/(?![/\\])|https?:\/\/)/, 'a path or an http(s) address').default('/'),
  locale: z.string().default('en'),
  time_zone: z.string().refine((zone) => Intl.supportedValuesOf('timeZone').includes(zone) || zone === 'UTC', 'an IANA time zone').default('UTC'),
  trial_days: z.number().positive(),
  grace_days: z.number().min(0).default(0),
  reminder_days: z.array(z.number().positive()).default([]),
  clients: z.array(z.string().min(1)).min(1),
  roles: z.array(z.string().min(1)).default([]),
  app: z.strictObject({
    name: z.string().min(1),
    path: z.string().startsWith('/').includes('{id}').default('/apps/{id}'),
    permissions: z.array(z.string().min(1)).default([]),
  }),
  mail: z.strictObject({ from: z.string().optional(), templates: z.string().default('bridge/mail/templates') }).prefault({}),
  origins: z.array(z.url()).default([]),
  blocked_domains: z.array(z.string()).default([]),
  attributes: z.array(z.strictObject({ id, label: z.string(), required: z.boolean().default(false), max_length: z.number().int().positive().default(200) })).default([]),
  consents: z.array(z.strictObject({ id, label: z.string(), version: z.string(), required: z.boolean().default(false), url: z.url().optional() })).default([]),
});

const fileSchema = z.strictObject({
  products: z.array(productSchema).min(1).refine((all) => new Set(all.map((one) => one.id)).size === all.length, 'product ids must differ'),
});

export type Product = Readonly<z.infer<typeof productSchema>>;
/** At least one; the first is the default. */
export type Products = readonly [Product, ...Product[]];

/** Reads products.yaml; throws an error that names the file and every fault in it. */
export function loadProducts(path: string): Products {
  const parsed = fileSchema.safeParse(parse(readFileSync(path, 'utf8')));
  if (parsed.success) return parsed.data.products as unknown as Products;
  throw new Error(`${path} is not usable:\n${z.prettifyError(parsed.error)}`);
}

export function findProduct(products: Products, productId: string | undefined): Product | undefined {
  return productId === undefined ? products[0] : products.find((product) => product.id === productId);
}

export function productsOfClient(products: Products, clientId: string): readonly Product[] {
  return products.filter((product) => product.clients.includes(clientId));
}
