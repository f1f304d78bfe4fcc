import { resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError, faultInWords } from './config.ts';
import { canonicalDomain } from './domain.ts';
import { readYamlFile } from './yaml-file.ts';

const id = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'lower-case letters, digits and dashes, at most 32');

const domain = z
  .string()
  .transform((written) => canonicalDomain(written) ?? '')
  .refine((canonical) => canonical !== '', 'must be a domain, such as example.com');

const variable = z.string().regex(/^[A-Z][A-Z0-9_]*$/, 'the name of an environment variable');

function isOrigin(written: string): boolean {
  return URL.canParse(written) && new URL(written).origin === written;
}

const languageTag = z.string().regex(/^[a-z]{2,8}(-[a-z0-9]{1,8})*$/i, 'a language tag, such as en or pt-BR');

/** One text for all languages, or a text for each. */
const wording = z.union([z.string().min(1), z.record(languageTag, z.string().min(1))]);

const productFields = z.strictObject({
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
  /** Instead of `roles` once the trial became a full account. */
  converted_roles: z.array(z.string().min(1)).default([]),
  app: z.strictObject({
    name: z.string().min(1),
    path: z.string().startsWith('/').includes('{id}').default('/apps/{id}'),
    permissions: z.array(z.string().min(1)).default([]),
    /** Origins whose pages may show a person's small app in a frame. */
    embed_origins: z.array(z.string().refine(isOrigin, 'must be an origin, such as https://www.example.com')).default([]),
  }),
  mail: z.strictObject({ from: z.string().optional(), templates: z.string().default('bridge/mail/templates') }).prefault({}),
  /** Where the app hears what happens to trials, and the variables that hold the secrets by which it knows us. */
  webhook: z
    .strictObject({ url: z.url({ protocol: /^https?$/, error: 'an http(s) address' }), secret_env: z.union([variable, z.array(variable).min(1)]).transform((names) => [names].flat()) })
    .optional(),
  /** `wait`: nobody is let into the app before it has answered `trial.created`. */
  provision: z.enum(['tell', 'wait']).default('tell'),
  origins: z.array(z.url()).default([]),
  blocked_domains: z.array(domain).default([]),
  /** One domain on a line; the bridge reads it. */
  blocked_domains_file: z.string().min(1).optional(),
  attributes: z.array(z.strictObject({ id, label: wording, required: z.boolean().default(false), max_length: z.number().int().positive().max(2000).default(200) })).default([]),
  consents: z.array(z.strictObject({ id, label: wording, version: z.string().min(1).max(64), required: z.boolean().default(false), url: z.url({ protocol: /^https?$/ }).optional() })).default([]),
});

/** What is asked has a text for whoever reads none of its languages. */
const productSchema = productFields.check(({ value: product, issues }) => {
  for (const kind of ['attributes', 'consents'] as const) {
    for (const [at, { label }] of product[kind].entries()) {
      if (typeof label === 'string' || label[product.locale] !== undefined) continue;
      issues.push({ code: 'custom', input: label, path: [kind, at, 'label'], message: `needs a text in ${product.locale}, the product's own language` });
    }
    if (new Set(product[kind].map((one) => one.id)).size < product[kind].length) issues.push({ code: 'custom', input: product[kind], path: [kind], message: 'ids must differ' });
  }
});

const fileSchema = z.strictObject({
  products: z
    .array(productSchema)
    .min(1)
    .refine((all) => new Set(all.map((one) => one.id)).size === all.length, 'product ids must differ')
    .refine((all) => all.every(({ provision, webhook }) => provision === 'tell' || webhook !== undefined), '`provision: wait` needs a `webhook`: nobody else could say that it is done'),
});

export type Product = Readonly<z.infer<typeof productSchema>>;
export type Wording = z.infer<typeof wording>;
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

/** In that language, else in the language it is a dialect of, else in the product's own. */
export function wordingIn(label: Wording, language: string, product: Product): string {
  if (typeof label === 'string') return label;
  return label[language] ?? label[language.split('-', 1)[0] ?? ''] ?? label[product.locale] ?? '';
}

export function productsOfClient(products: Products, clientId: string): readonly Product[] {
  return products.filter((product) => product.clients.includes(clientId));
}
