import { z } from 'zod';
import { epochSeconds, line } from '../trial/trial.schemas.ts';

const app = z
  .uuid()
  .transform((written) => written.toLowerCase())
  .meta({ description: 'The id of the small app (`trial_app`)' });

export const embedTokenBody = z.strictObject({
  app,
  origin: line(300).min(1).meta({ description: 'Of the page that frames it, as its Origin header says it', example: 'https://www.example.com' }),
  username: line(320).min(1).optional().meta({ description: 'When given, the app must be that person’s' }),
  ttl: z.int().min(10).max(300).optional().meta({ description: 'Seconds until which the token must be posted; default 300' }),
});
export const embedTokenAnswer = z.strictObject({
  token: z.string().meta({ description: 'To be posted once, as form field `token`, to `url` into the frame' }),
  url: z.string(),
  expires_at: epochSeconds,
});

export const embedRevokeBody = z.strictObject({ app, reason: line(500).min(1), actor: line(100).min(1).optional().meta({ description: 'The member of staff for whom the proxy asks; nobody else may say' }) });
export const embedRevokeAnswer = z.strictObject({ status: z.literal('revoked') });

export const embedStandingBody = z.strictObject({ app });
export const embedStandingAnswer = z.union([
  z.strictObject({
    found: z.literal(true),
    product: z.string().meta({ description: 'Whose app it is: of the site that its clients open' }),
    generation: z.int(),
    user_id: z.string(),
    path: z.string(),
    trial_state: z.enum(['active', 'grace', 'expired', 'converted']),
    trial_ends_at: epochSeconds.nullable(),
    trial_access_until: epochSeconds.nullable(),
  }),
  z.strictObject({ found: z.literal(false) }),
]);
