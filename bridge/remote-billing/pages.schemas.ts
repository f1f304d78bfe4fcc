import { z } from 'zod';

// Spelled out: \p{Cc} says nothing to most readers of a JSON schema.
// oxlint-disable-next-line no-control-regex
const NO_CONTROL_CHARACTERS = /^[^\u0000-\u001f\u007f-\u009f]*$/;
const MAX_TOKEN_LENGTH = 2_048;
/** 32 random bytes, base64url. */
const ATTEMPT_LENGTH = 43;

const line = (max: number) => z.string().max(max).regex(NO_CONTROL_CHARACTERS, 'must not contain control characters');
const token = z.string().min(1).max(MAX_TOKEN_LENGTH).meta({ description: 'From the address, or from an answer before' });
const uuid = z.uuid().transform((id) => id.toLowerCase());
const sessionId = uuid.meta({ description: 'Of the billing session that this browser has' });
const epochSeconds = z.int().meta({ description: 'Seconds since 1970' });
const locale = z.string().regex(/^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$/, 'must be a language tag').max(35);
const page = z.enum(['sponsorship', 'upgrade', 'billing', 'plans', 'deactivate']);
const kind = z.enum(['realm', 'server']);

/** For what somebody signs in. A host that is not verified is what the server says of itself: show it as such. */
const place = z.strictObject({
  kind,
  uuid: z.string(),
  host: z.string(),
  host_verified: z.boolean(),
  name: z.string().meta({ description: "The organization's; a server's host" }),
  server_uuid: z.string(),
});
const person = z.strictObject({ id: z.string(), email: z.string(), full_name: z.string() });

export const refusalReasons = ['unknown', 'expired', 'spent', 'revoked', 'deactivated', 'credentials', 'plan_conflict'] as const;
const refused = z.strictObject({
  result: z.literal('refused'),
  reason: z.enum(refusalReasons),
  login_url: z.string().optional().meta({ description: 'Where the sign-in begins again, where that is known' }),
  support_url: z.string(),
});

export const serverLoginBody = z.strictObject({ zulip_org_id: line(64).min(1), zulip_org_key: line(128).min(1), next_page: page.optional() });
export const serverLoginAnswer = z.discriminatedUnion('result', [z.strictObject({ result: z.literal('email_form'), token: z.string(), place }), refused]);

const terms = z.strictObject({ version: z.string(), url: z.string(), must_accept: z.boolean() });

export const openBody = z.strictObject({ token, session_id: sessionId.optional() });
export const openAnswer = z.discriminatedUnion('result', [
  z.strictObject({
    result: z.literal('confirm_login'),
    place,
    email: z.string(),
    full_name: z.string(),
    terms,
    first_login: z.boolean(),
    major_release_mails: z.boolean(),
    maintenance_release_mails: z.boolean(),
    expires_at: epochSeconds,
    replaces: z.strictObject({ email: z.string(), full_name: z.string(), place }).optional().meta({ description: 'Another person, or another place, that this browser is signed in for' }),
  }),
  z.strictObject({ result: z.literal('email_form'), place, email: z.string().meta({ description: 'What the server said; empty for whole servers' }), expires_at: epochSeconds }),
  refused,
]);

export const mailBody = z.strictObject({ token, email: line(320).min(1), locale: locale.optional() });
export const mailAnswer = z.discriminatedUnion('result', [
  z.strictObject({ result: z.literal('mailed'), email: z.string(), place }),
  z.strictObject({ result: z.literal('known'), email: z.string(), place }).meta({ description: 'That address is confirmed: the token is enough for "Confirm login"' }),
  refused,
]);

export const confirmationBody = z.strictObject({ key: line(64).min(1).meta({ description: 'From the link in the mail' }) });
export const confirmationAnswer = z.discriminatedUnion('result', [z.strictObject({ result: z.literal('proven'), token: z.string(), kind }), refused]);

export const completeBody = z.strictObject({
  token,
  attempt: z.string().length(ATTEMPT_LENGTH).meta({ description: 'A random value of the browser that shows the form, from its cookie' }),
  full_name: line(100).optional().meta({ description: 'Default: as it was' }),
  accepted_terms: line(32).optional().meta({ description: 'The version that was shown, when its box is ticked' }),
  major_release_mails: z.boolean().optional(),
  maintenance_release_mails: z.boolean().optional(),
});
export const completeAnswer = z.discriminatedUnion('result', [
  z.strictObject({
    result: z.literal('signed_in'),
    session_id: z.string(),
    user: person,
    place,
    ends_at: epochSeconds,
    next_page: page,
    next_path: z.string().meta({ description: 'Where to go: /realm/<uuid>/plans/ and such' }),
  }),
  z.strictObject({ result: z.literal('terms_needed'), terms }),
  z.strictObject({ result: z.literal('not_proven') }).meta({ description: 'This token proves no address yet: the e-mail form' }),
  refused,
]);

const live = z.strictObject({ result: z.literal('live'), user: person, place, ends_at: epochSeconds });
const over = z.strictObject({ result: z.literal('over'), login_url: z.string().optional().meta({ description: 'Back to the server, and then to the page; for whole servers there is none: the key again' }) });
const unknown = z.strictObject({ result: z.literal('unknown') });

export const sessionReadBody = z.strictObject({
  session_id: sessionId,
  kind: kind.meta({ description: 'Of the page that was asked for' }),
  uuid,
  page: page.optional(),
});
export const sessionReadAnswer = z.discriminatedUnion('result', [live, over, unknown.meta({ description: 'No session for this realm or server' }), refused]);

export const sessionEndBody = z.strictObject({ session_id: sessionId });
export const sessionEndAnswer = z.strictObject({ result: z.literal('ended') });

export const usersBody = z.strictObject({ session_id: sessionId });
export const usersAnswer = z.discriminatedUnion('result', [
  z.strictObject({
    result: z.literal('users'),
    users: z.array(
      z.strictObject({ ...person.shape, state: z.enum(['confirmed', 'deactivated']), date_joined: epochSeconds, last_login: epochSeconds.nullable(), you: z.boolean() }),
    ),
  }),
  over,
  refused,
]);

export const deactivateUserBody = z.strictObject({ session_id: sessionId, user_id: uuid });
export const deactivateUserAnswer = z.discriminatedUnion('result', [
  z.strictObject({ result: z.literal('deactivated') }),
  z.strictObject({ result: z.literal('last_one') }).meta({ description: 'Nobody else could sign in' }),
  unknown,
  over,
  refused,
]);
