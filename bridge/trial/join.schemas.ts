import { z } from 'zod';
import { offered, token, userId } from './trial.schemas.ts';

const given = z.strictObject({ attributes: z.array(z.string()), consents: z.array(z.string()) }).meta({ description: 'Of what the product asks, what came with the address' });

export const offerBody = z.strictObject({ token });
export const offerAnswer = z.union([
  z.strictObject({ open: z.literal(true), product: z.string(), username: z.string(), given }),
  z.strictObject({ open: z.literal(false), reason: z.enum(['unknown', 'expired', 'revoked', 'spent']), product: z.string().optional() }),
]);

export const joinBody = z.strictObject({ token, user_id: userId.meta({ description: 'Who is signed in at the proxy: the trial begins if it was offered to that very account' }), ...offered });
export const joinAnswer = z.strictObject({ product: z.string() });
