import { resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError, faultInWords } from '../../platform/config.ts';
import { readYamlFile } from '../../platform/yaml-file.ts';

const LARGEST_PRICE = 100_000_000;

const offer = z.strictObject({
  name: z.string().min(1),
  /** Of one seat, in the smallest unit of the currency. */
  month: z.int().min(1).max(LARGEST_PRICE),
  year: z.int().min(1).max(LARGEST_PRICE),
  minimum_seats: z.int().min(1).max(1_000_000),
});

const catalogSchema = z.strictObject({
  name: z.string().min(1),
  locale: z.string().default('en'),
  time_zone: z.string().refine((zone) => Intl.supportedValuesOf('timeZone').includes(zone) || zone === 'UTC', 'an IANA time zone').default('UTC'),
  support_url: z.url({ protocol: /^(https?|mailto)$/, error: 'must be an http, https or mailto address' }),
  mail: z.strictObject({ from: z.string().optional(), templates: z.string().default('bridge/mail/templates') }).prefault({}),
  terms: z.strictObject({
    version: z.string().regex(/^\d{1,6}\.\d{1,6}$/, 'must be two numbers with a dot between, in quotes'),
    url: z.url({ protocol: /^https?$/, error: 'must be an http or https address' }),
  }),
  currency: z.string().refine((code) => Intl.supportedValuesOf('currency').includes(code), 'must be a currency, such as EUR'),
  tax_percent: z.number().min(0).max(100).multipleOf(0.01),
  due_days: z.int().min(0).max(365).default(30),
  reminder_days: z.int().min(1).max(365).default(14),
  seller: z.string().min(1),
  plans: z.strictObject({ basic: offer, business: offer }),
});

/** Who sells, and on what terms. */
export type Catalog = Readonly<z.infer<typeof catalogSchema>>;

/** Reads billing.yaml; throws {@link ConfigError} that names the file and every fault in it. */
export function loadCatalog(path: string): Catalog {
  const parsed = catalogSchema.safeParse(readYamlFile(path, 'BILLING_FILE', (faults) => unusable(path, faults)));
  if (parsed.success) return parsed.data;
  throw unusable(path, parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the file'}: ${faultInWords(issue)}`));
}

function unusable(path: string, faults: readonly string[]): ConfigError {
  return new ConfigError(faults, `The billing file ${resolve(path)} is not usable. Correct it (docs/remote-billing.md explains every key):`);
}

/** Whether somebody who accepted `accepted` last is to be asked: only when the number before the dot has risen. */
export function mustAccept(current: string, accepted: string | null): boolean {
  return accepted === null || majorOf(accepted) < majorOf(current);
}

function majorOf(version: string): number {
  return Number(version.split('.', 1)[0]);
}
