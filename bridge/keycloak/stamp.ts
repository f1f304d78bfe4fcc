import { z } from 'zod';

/** Of users, multivalued, for admins only; one entry per product (docs/architecture.md). */
export const STAMP_ATTRIBUTE = 'trial_stamp';

const stampSchema = z.object({ product: z.string(), trial_ends_at: z.number().nullable(), trial_access_until: z.number().nullable(), trial_app: z.string(), clients: z.array(z.string()).default([]) });

/** One entry of the user attribute `trial_stamp`; instants in epoch seconds of real time. */
export type Stamp = z.infer<typeof stampSchema>;

/** None where the entry can't be read. */
export function readStamp(entry: string): readonly Stamp[] {
  try {
    const parsed = stampSchema.safeParse(JSON.parse(entry));
    return parsed.success ? [parsed.data] : [];
  } catch {
    return [];
  }
}
