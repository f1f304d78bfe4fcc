import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { AppError } from '../../platform/problem.ts';
import type { Bridge, Caller } from '../bridge/bridge.ts';

/** A revocation, an extension and a conversion hold within that time; an end is compared with the clock at every request. */
const BELIEVED_MILLISECONDS = 5_000;
/** While the bridge is away. */
const OUTAGE_MILLISECONDS = 60_000;
const MOST_APPS = 10_000;

const answered = z.union([
  z.object({ found: z.literal(false) }),
  z.object({ found: z.literal(true), product: z.string(), generation: z.number(), user_id: z.string(), path: z.string(), trial_ends_at: z.number().nullable(), trial_access_until: z.number().nullable() }),
]);

/** What frames that show an app may do. */
export interface EmbedStanding {
  /** By which the site is chosen behind which its app stands. */
  product: string;
  generation: number;
  userId: string;
  /** Of the app behind the proxy. */
  path: string;
  endsAt: Date | null;
  accessUntil: Date | null;
}

export interface EmbedStandings {
  /** As the bridge said it within the last seconds. Undefined: there is no such app. Throws where nobody knows. */
  of(app: string, caller: Caller): Promise<EmbedStanding | undefined>;
  /** As the bridge says it now. */
  now(app: string, caller: Caller): Promise<EmbedStanding | undefined>;
}

interface Known {
  /** By `performance.now()`: when it was asked for, and when the bridge last answered. */
  askedAt: number;
  answeredAt: number;
  standing: Promise<EmbedStanding | undefined>;
}

export function embedStandings(bridge: Pick<Bridge, 'ask'>): EmbedStandings {
  const known = new LRUCache<string, Known>({ max: MOST_APPS });

  const askAgain = (app: string, caller: Caller, before: Known | undefined): Promise<EmbedStanding | undefined> => {
    const entry: Known = { askedAt: performance.now(), answeredAt: before?.answeredAt ?? Number.NEGATIVE_INFINITY, standing: Promise.resolve(undefined) };
    entry.standing = ask(bridge, app, caller).then(
      (standing) => {
        entry.answeredAt = performance.now();
        return standing;
      },
      (error: unknown) => {
        // Everybody who waits for this one goes on by what was known, for a while.
        if (before && entry.askedAt - before.answeredAt < OUTAGE_MILLISECONDS) return before.standing;
        if (known.get(app) === entry) known.delete(app);
        throw error;
      },
    );
    known.set(app, entry);
    return entry.standing;
  };

  return {
    // A token is not taken by what was known.
    now: (app, caller) => askAgain(app, caller, undefined),
    of: (app, caller) => {
      const before = known.get(app);
      return before && performance.now() - before.askedAt < BELIEVED_MILLISECONDS ? before.standing : askAgain(app, caller, before);
    },
  };
}

async function ask(bridge: Pick<Bridge, 'ask'>, app: string, caller: Caller): Promise<EmbedStanding | undefined> {
  const { status, body } = await bridge.ask('/api/trial/embed-standing', { app }, caller);
  const read = status === 200 ? answered.safeParse(JSON.parse(body.toString('utf8'))) : undefined;
  if (!read?.success) throw new AppError('unavailable', 'Try again in a minute.', { cause: new Error(`embed-standing answered ${status}`) });
  if (!read.data.found) return undefined;
  const { product, generation, user_id: userId, path, trial_ends_at, trial_access_until } = read.data;
  return { product, generation, userId, path, endsAt: instant(trial_ends_at), accessUntil: instant(trial_access_until) };
}

function instant(seconds: number | null): Date | null {
  return seconds === null ? null : new Date(seconds * 1000);
}
