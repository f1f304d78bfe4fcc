import { z } from 'zod';
import { epochSeconds, line, userId } from '../trial/trial.schemas.ts';
import { ACTS, LIFE_STATES } from './transitions.ts';

const MOST_DAYS = 3_650;
const MOST_ON_A_PAGE = 200;
/** The end of the year 9999. */
const LATEST_SECONDS = 253_402_300_799;

const product = line(32).min(1);
const username = line(320).min(1).meta({ description: 'An e-mail address' });
const reason = line(500).min(1).meta({ description: 'Why; kept with the act' });
const actor = line(100).min(1).optional().meta({ description: 'The member of staff for whom the proxy asks; nobody else may say' });
const state = z.enum(LIFE_STATES);

export const lifeParams = z.strictObject({ id: z.uuid().transform((written) => written.toLowerCase()) });

/** Whose trial, in the words of the seed. */
const whose = { username: username.optional(), user_id: userId.optional(), product: product.optional().meta({ description: 'Default: the first product' }) };
const oneOfThem = (body: { username?: string | undefined; user_id?: string | undefined }) => (body.username === undefined) !== (body.user_id === undefined);
const ONE_OF_THEM = { message: 'send either username or user_id' };

const days = z.int().min(1).max(MOST_DAYS).meta({ description: 'More days: from the present end, from now where that has passed' });
const until = epochSeconds.min(0).max(LATEST_SECONDS).meta({ description: 'The new end that people are told; grace comes after it. Seconds since 1970' });

export const extendBody = z
  .strictObject({ ...whose, days: days.optional(), until: until.optional(), reason, actor })
  .refine(oneOfThem, ONE_OF_THEM)
  .refine((body) => (body.days === undefined) !== (body.until === undefined), { message: 'send either days or until' });
export const completionBody = z.strictObject({ ...whose, plan: line(64).min(1).optional(), reason, actor }).refine(oneOfThem, ONE_OF_THEM);
export const actBody = z.strictObject({ reason, actor });

export const idempotencyHeaders = z.object({
  'idempotency-key': line(255).min(1).optional().meta({ description: 'The same request again with the same key is done once (draft-ietf-httpapi-idempotency-key-header)' }),
});

const ends = {
  trial_ends_at: epochSeconds.nullable().meta({ description: 'What people are told; null while invited and once converted' }),
  trial_access_until: epochSeconds.nullable().meta({ description: 'What is enforced' }),
};

const trial = {
  id: z.string(),
  product: z.string(),
  state,
  username: z.string().nullable().meta({ description: 'Null once erased' }),
  user_id: z.string().nullable().meta({ description: 'Null while invited' }),
  began_at: epochSeconds,
};

export const trialAnswer = z.strictObject({
  ...trial,
  ...ends,
  plan: z.string().nullable(),
  trial_app: z.string().nullable(),
  erasure: z.enum(['under_way', 'done']).nullable().meta({ description: 'Null: nobody asked for it. Under way: the trial is over, and a job goes on where Keycloak was away' }),
  second_trial: z.enum(['refused', 'allowed']).nullable().meta({ description: 'Of an erased address: whether a register for it invites again' }),
  held_by_keycloak: z.boolean().meta({ description: 'False: Keycloak was away, and a job tells it; sign-ins are judged by the new end already' }),
});

export const listQuery = z.strictObject({
  product: product.optional(),
  state: state.optional(),
  search: line(320).min(1).optional().meta({ description: 'The beginning of an address, @ and the end of one, or the id of a user or a trial' }),
  cursor: line(200).min(1).optional().meta({ description: '`next_cursor` of the page before' }),
  limit: z.coerce.number().int().min(1).max(MOST_ON_A_PAGE).default(50),
});
export const listAnswer = z.strictObject({
  trials: z.array(z.strictObject({ ...trial, trial_ends_at: ends.trial_ends_at })),
  next_cursor: z.string().nullable().meta({ description: 'Null: this was the last page' }),
});

export const timelineAnswer = z.strictObject({
  ...trialAnswer.shape,
  possible: z.array(z.enum(ACTS)).meta({ description: 'What a manager may do now' }),
  timeline: z.array(
    z.strictObject({
      at: epochSeconds,
      kind: z.string(),
      from: state.nullable(),
      to: state.nullable(),
      actor: z.string(),
      reason: z.string().nullable(),
      request_id: z.string().nullable(),
      detail: z.record(z.string(), z.unknown()),
    }),
  ),
});

const { possible: _possible, ...exportedTrial } = timelineAnswer.shape;
const rows = z.array(z.record(z.string(), z.unknown()));
export const exportAnswer = z.strictObject({
  trial: z.strictObject(exportedTrial),
  sign_up_requests: rows,
  mails: rows,
  invitations: rows,
  registrations: rows,
  given_attributes: rows,
  given_consents: rows,
  small_apps: rows,
  no_more_mails_since: z.string().nullable().meta({ description: 'When the owner of the mailbox asked for no more mails' }),
  account: z.strictObject({ id: z.string(), username: z.string(), email_verified: z.boolean(), trial_stamp: z.array(z.string()) }).nullable().meta({ description: 'In Keycloak; null: there is none' }),
});

const MOST_FUNNEL_DAYS = 366;
const day = z.iso.date();
const countedDay = day.refine((written) => written >= '2000-01-01' && written < '9999-01-01', { message: 'must be a day of the years 2000 to 9998' });
export const funnelQuery = z
  .strictObject({ from: countedDay.meta({ description: 'The first day, UTC' }), to: countedDay.meta({ description: 'The last day, UTC' }), product: product.optional() })
  .refine(({ from, to }) => from <= to && daysBetween(from, to) < MOST_FUNNEL_DAYS, { message: `must be the day of from or a later one, ${MOST_FUNNEL_DAYS} days in all at most`, path: ['to'] });
const count = z.int().min(0);
export const funnelAnswer = z.strictObject({
  days: z
    .array(z.strictObject({ day, product: z.string(), invited: count, opened: count, registered: count, active: count, converted: count }))
    .meta({ description: 'Of the trials that began on a day, how many came how far by now. Days without one are left out' }),
});

function daysBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / 86_400_000;
}
