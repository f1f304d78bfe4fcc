import { resolve } from 'node:path';
import { domainToASCII } from 'node:url';
import { z } from 'zod';
import { ConfigError, faultInWords } from './config.ts';
import { readYamlFile } from './yaml-file.ts';

const id = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'lower-case letters, digits and dashes, at most 32');

const DOMAIN = /^[a-z0-9-]+(\.[a-z0-9-]+)*$/;

/** In the form that addresses are kept in: lower case, IDNA. */
const domain = z
  .string()
  .transform((written) => domainToASCII(written.trim().normalize('NFC')))
  .refine((written) => DOMAIN.test(written), 'must be a domain, such as example.com');

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
  blocked_domains: z.array(domain).default([]),
  attributes: z.array(z.strictObject({ id, label: z.string(), required: z.boolean().default(false), max_length: z.number().int().positive().default(200) })).default([]),
  consents: z.array(z.strictObject({ id, label: z.string(), version: z.string(), required: z.boolean().default(false), url: z.url().optional() })).default([]),
});

const fileSchema = z.strictObject({
  products: z.array(productSchema).min(1).refine((all) => new Set(all.map((one) => one.id)).size === all.length, 'product ids must differ'),
});

export type Product = Readonly<z.infer<typeof productSchema>>;
/** At least one; the first is the default. */
export type Products = readonly [Product, ...Product[]];

/** Reads products.yaml; throws {@link ConfigError} that names the file and every fault in it. */
export function loadProducts(path: string): Products {
  const parsed = fileSchema.safeParse(readYamlFile(path, 'PRODUCTS_FILE', (faults) => unusable(path, faults)));
  if (parsed.success) return parsed.data.products as unknown as Products;
  throw unusable(path, parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the file'}: ${faultInWords(issue)}`));
}

function unusable(path: string, faults: readonly string[]): ConfigError {
  return new ConfigError(faults, `The products file ${resolve(path)} is not usable. Correct it (docs/products.md explains every key):`);
}

export function findProduct(products: Products, productId: string | undefined): Product | undefined {
  return productId === undefined ? products[0] : products.find((product) => product.id === productId);
}

export function productsOfClient(products: Products, clientId: string): readonly Product[] {
  return products.filter((product) => product.clients.includes(clientId));
}
