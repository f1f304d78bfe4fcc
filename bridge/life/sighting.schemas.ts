import { z } from 'zod';
import { line, userId } from '../trial/trial.schemas.ts';
import { SCANNER_SIGNS } from './sightings.ts';

export const openedBody = z.strictObject({
  token: z.string().min(1).max(200).meta({ description: 'From the link in the mail' }),
  signs: z.array(z.enum(SCANNER_SIGNS)).max(SCANNER_SIGNS.length).meta({ description: 'What about the request is not as a person at a browser sends it' }),
});
export const signedInBody = z.strictObject({ user_id: userId, products: z.array(line(32).min(1)).min(1).max(100).meta({ description: 'Those of the client that was signed in to' }) });
export const sightingAnswer = z.strictObject({ status: z.literal('accepted') });
