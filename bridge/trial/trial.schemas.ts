import { z } from 'zod';
import { LONGEST_NEXT_PAGE } from '../../platform/next-page.ts';
import { secret } from '../../platform/secret.ts';

// Spelled out: \p{Cc} says nothing to most readers of a JSON schema.
// oxlint-disable-next-line no-control-regex
const NO_CONTROL_CHARACTERS = /^[^\u0000-\u001f\u007f-\u009f]*$/;
const MAX_TOKEN_LENGTH = 2_048;
/** hCaptcha's are thousands of characters long. */
const MAX_CAPTCHA_LENGTH = 10_000;
const MAX_PASSWORD_LENGTH = 1_024;

export const line = (max: number) => z.string().max(max).regex(NO_CONTROL_CHARACTERS, 'must not contain control characters');
export const token = z.string().min(1).max(MAX_TOKEN_LENGTH).meta({ description: 'From the link in the mail' });
export const userId = line(255).min(1).meta({ description: 'The id of the Keycloak user' });
const attemptId = z.uuid().transform((id) => id.toLowerCase());
const locale = z.string().regex(/^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$/, 'must be a language tag').max(35);
export const epochSeconds = z.int().meta({ description: 'Seconds since 1970' });

/** What the product asks of people (products.yaml). */
export const offered = {
  attributes: z.record(line(32).min(1), line(2000)).optional(),
  consents: z.array(z.strictObject({ id: line(32), version: line(64) })).max(20).optional(),
};

export const registerBody = z.strictObject({
  username: line(320).min(1).meta({ description: 'An e-mail address', example: 'ada@example.com' }),
  product: line(32).optional(),
  firstname: line(200).optional(),
  lastname: line(200).optional(),
  company: line(200).optional(),
  locale: locale.optional(),
  next_page: z.string().max(LONGEST_NEXT_PAGE).optional().meta({ description: 'A path of the proxy, or a start_url of a product' }),
  ...offered,
  captcha: z.string().max(MAX_CAPTCHA_LENGTH).optional().meta({ description: "What the captcha's widget gave; needed where a captcha is set up, from everybody but programs with the role trial-create" }),
});
export const registerAnswer = z.strictObject({ status: z.literal('accepted') });

export const verifyBody = z.strictObject({
  token,
  address: z.string().max(1_024).optional().meta({ description: 'As an identity provider writes it; answered with `address_is_invited`' }),
});
const question = {
  id: z.string(),
  label: z.string().meta({ description: "In the product's own language" }),
  labels: z.record(z.string(), z.string()).optional().meta({ description: 'By language, where there are several' }),
  required: z.boolean(),
  given: z.boolean().meta({ description: 'With the address: the form need not ask again' }),
};

export const verifyAnswer = z.union([
  z.strictObject({
    valid: z.literal(true),
    username: z.string(),
    first_name: z.string().optional(),
    last_name: z.string().optional(),
    locale: z.string(),
    expires_at: epochSeconds,
    address_is_invited: z.boolean().optional(),
    attributes: z.array(z.strictObject({ ...question, max_length: z.int() })).optional(),
    consents: z.array(z.strictObject({ ...question, version: z.string(), url: z.string().optional() })).optional(),
  }),
  z.strictObject({
    valid: z.literal(false),
    reason: z.enum(['unknown', 'expired', 'revoked', 'spent']),
    product: z.string().optional(),
    username: z.string().optional(),
  }),
]);

export const creationBody = z.strictObject({
  token,
  username: line(320).min(1),
  user_id: userId,
  attempt_id: attemptId,
  // The names that were typed: Keycloak keeps them.
  first_name: line(255).optional(),
  last_name: line(255).optional(),
  locale: locale.optional(),
  ...offered,
});
const app = z.strictObject({ id: z.string(), name: z.string(), path: z.string() });
export const creationAnswer = z.strictObject({
  attributes: z.strictObject({ trial_stamp: z.array(z.string()) }),
  roles: z.array(z.string()),
  app,
  trial_ends_at: epochSeconds,
  trial_access_until: epochSeconds,
});

export const programCreationBody = z.strictObject({
  token,
  password: z.string().min(1).max(MAX_PASSWORD_LENGTH).transform(secret).meta({ description: "Judged by the realm's password policy" }),
  attempt_id: attemptId.optional().meta({ description: 'Names this creation: a request that is repeated with it goes on where it stood. Without it a client has one per invitation' }),
  username: line(320).min(1).optional().meta({ description: "When given, it must be the invitation's address" }),
  first_name: line(255).optional().meta({ description: "Default: the invitation's" }),
  last_name: line(255).optional().meta({ description: "Default: the invitation's" }),
  locale: locale.optional(),
  ...offered,
});
export const programCreationAnswer = z.strictObject({
  user_id: userId,
  username: z.string(),
  product: z.string(),
  app,
  trial_ends_at: epochSeconds,
  trial_access_until: epochSeconds,
});

export const outcomeBody = z.strictObject({ attempt_id: attemptId, user_id: userId, outcome: z.enum(['committed', 'rolled_back']) });
const taken = z.enum(['confirmed', 'recorded', 'ignored']);
export const outcomeAnswer = z.strictObject({ result: taken });
export const outcomesBody = z.strictObject({ outcomes: z.array(outcomeBody).min(1).max(50) });
export const outcomesAnswer = z.strictObject({ results: z.array(taken) });

export const infosQuery = z
  .strictObject({ user_id: userId.optional(), username: line(320).min(1).optional(), client_id: line(255).min(1).optional() })
  .refine((query) => (query.user_id === undefined) !== (query.username === undefined), 'give either user_id or username');
export const infosAnswer = z.union([
  z.strictObject({
    trial: z.literal(true),
    state: z.enum(['active', 'grace', 'expired']),
    expired: z.boolean(),
    trial_ends_at: epochSeconds,
    trial_access_until: epochSeconds,
    days_left: z.int(),
  }),
  z.strictObject({ trial: z.literal(true), state: z.literal('converted'), expired: z.literal(false) }),
  z.strictObject({ trial: z.literal(false), expired: z.literal(false) }),
]);

export const changesQuery = z.strictObject({
  follow: z.enum(['true', 'false']).default('true').meta({ description: '`false`: ends with what has changed so far' }),
});
export const changesHeaders = z.object({
  'last-event-id': z.string().regex(/^[0-9]{1,15}$/, 'must be the id of an event').optional().meta({ description: 'The last event that was seen; without it the newest word about every trial' }),
});
export const changeData = z.strictObject({
  user_id: userId,
  product: z.string(),
  trial_ends_at: epochSeconds.nullable(),
  trial_access_until: epochSeconds.nullable().meta({ description: 'Seconds since 1970; null: no end any more' }),
  ready: z.boolean().meta({ description: 'False until the app has made what its person comes for (`provision: wait`)' }),
  forgotten: z.boolean().meta({ description: 'The person was erased: keep this word no longer than it is needed' }),
  version: z.int().meta({ description: 'The later change of a trial has the greater one; also the id of the event' }),
});
/** `change`, or `restarted` with nothing to say. */
export const changesAnswer = z.union([changeData, z.strictObject({})]);

export const notMeBody = z.strictObject({ token });
export const notMeAnswer = z.strictObject({ status: z.literal('accepted') });
