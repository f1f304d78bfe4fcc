import { z } from 'zod';
import { canonicalAddress } from '../address/address.ts';
import { repeatsFields } from '../http/unique-fields.ts';

// Spelled out: \p{Cc} says nothing to most readers of a JSON schema.
// oxlint-disable-next-line no-control-regex
const NO_CONTROL_CHARACTERS = /^[^\u0000-\u001f\u007f-\u009f]*$/;
const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
const HOST = new RegExp(`^${LABEL}(\\.${LABEL})*(:[1-9][0-9]{0,4})?$`);
const KEY_LENGTH = 64;
const MAX_HOSTNAME_LENGTH = 128;
const MAX_NAME_LENGTH = 100;

const text = (max: number) => z.string().max(max).regex(NO_CONTROL_CHARACTERS, 'must not contain control characters');
const uuid = z.uuid({ version: 'v4', error: 'Invalid UUID' }).transform((id) => id.toLowerCase());
const key = z.string().length(KEY_LENGTH, `must be ${KEY_LENGTH} characters long`);
/** Nothing of a URL but a name and a port. */
const host = z
  .string()
  .max(MAX_HOSTNAME_LENGTH)
  .transform((written) => written.toLowerCase())
  .refine((written) => HOST.test(written) && Number(written.split(':')[1] ?? 1) <= 65_535, 'is not a valid hostname');
const address = z.string().transform((written, context) => {
  const canonical = canonicalAddress(written);
  if (canonical !== undefined) return canonical;
  context.addIssue('must be an e-mail address');
  return z.NEVER;
});

/** A form's field that holds JSON. `once`: no name twice; counting them in long lists takes longer than reading these. */
function jsonOf<Inner extends z.ZodType>(inner: Inner, { once = false } = {}) {
  return z
    .string()
    .transform((written, context): unknown => {
      try {
        const value: unknown = JSON.parse(written);
        if (once && repeatsFields(written, value)) context.addIssue('must name each field once');
        return value;
      } catch {
        context.addIssue('is not valid JSON');
        return z.NEVER;
      }
    })
    .pipe(inner);
}

export const registerForm = z.object({ zulip_org_id: uuid, zulip_org_key: key, hostname: host, contact_email: address, new_org_key: key.optional() });
export const registerReply = z.strictObject({ created: z.boolean() });

export const transferForm = z.object({ hostname: host });
export const transferReply = z.strictObject({ verification_secret: z.string() });

export const challengeForm = z.object({ hostname: host, access_token: z.string().regex(/^[\w-]{1,200}$/, 'must be letters, digits, - and _') });
export const challengeReply = z.strictObject({ zulip_org_id: z.string(), zulip_org_key: z.string() });

const realm = z.strictObject({
  id: z.int().min(0),
  host,
  url: text(255),
  name: text(255).default(''),
  org_type: z.int().min(0).max(10_000).default(0),
  date_created: z.number().min(0).max(253_402_300_799),
  deactivated: z.boolean(),
  is_system_bot_realm: z.boolean().default(false),
  authentication_methods: z.record(text(100), z.boolean()).default({}),
  uuid,
  uuid_owner_secret: z.string().min(1).max(200),
});
export type RealmOnWire = z.infer<typeof realm>;

export const billingForm = z.object({
  user: jsonOf(z.object({ uuid, email: text(254), full_name: text(MAX_NAME_LENGTH) }), { once: true }),
  realm: jsonOf(realm, { once: true }),
  uri_scheme: z.enum(['http://', 'https://']).default('https://'),
  next_page: z.enum(['sponsorship', 'upgrade', 'billing', 'plans']).optional(),
});
export const billingReply = z.strictObject({ billing_access_url: z.string() });

/** Rows of which only the number counts: the server asks how far we are. */
const numbered = jsonOf(z.array(z.looseObject({ id: z.int().min(0) })).nullable()).optional();
const auditRows = jsonOf(
  z.array(z.looseObject({ id: z.int().min(0), realm: z.int().min(0), event_time: z.number().min(0), extra_data: z.union([z.string(), z.record(z.string(), z.unknown()), z.null()]).optional() })).nullable(),
).optional();
export type AuditRowOnWire = NonNullable<z.infer<typeof auditRows>>[number];

export const analyticsForm = z.object({
  realms: jsonOf(z.array(realm).refine((all) => new Set(all.map((one) => one.uuid)).size === all.length, 'each realm once').nullable()).optional(),
  realm_counts: numbered,
  installation_counts: numbered,
  realmauditlog_rows: auditRows,
  version: jsonOf(z.union([text(255), z.null()])).optional(),
});
export type AnalyticsForm = z.infer<typeof analyticsForm>;
export const analyticsReply = z.strictObject({ realms: z.record(z.string(), z.strictObject({ can_push: z.boolean(), expected_end_timestamp: z.int().nullable() })) });

export const statusReply = z.strictObject({ last_realm_count_id: z.int(), last_installation_count_id: z.int(), last_realmauditlog_id: z.int() });
export const nothing = z.strictObject({});
