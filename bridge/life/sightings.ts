import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Db } from '../db/schema.ts';
import { recordSightings } from './sighting.service.ts';

/** What is seen meanwhile is one write. */
const TOGETHER_MILLISECONDS = 250;
/** Beyond it sightings are lost, not memory; one statement holds as many. */
const MOST_WAITING = 5_000;
/** Tokens that nobody was given have no timeline. */
const NOBODYS = new Set(['unknown', 'invitation_unknown']);

/** Something that was seen of a trial while somebody else was answered. */
export interface Sighting {
  kind: 'link_opened' | 'form_shown' | 'refused' | 'signed_in';
  /** Of an invitation's token, or of a person's trials of some products. */
  of: { tokenHash: Buffer } | { userId: string; products: readonly string[] };
  requestId: string;
  /** Of `refused`: the problem's code, or what verify said. */
  reason?: string;
  /** Of `link_opened`: what speaks for a machine. */
  signs?: readonly ScannerSign[];
}

export const SCANNER_SIGNS = ['head', 'user_agent', 'prefetch', 'no_language', 'no_cookies'] as const;
export type ScannerSign = (typeof SCANNER_SIGNS)[number];

export interface Sightings {
  /** Costs its caller nothing: it is written a moment later, with the others of that moment. */
  saw(sighting: Sighting): void;
  /** Writes what waits. */
  stop(): Promise<void>;
}

export function collectSightings(db: Db, { clock, log }: { clock: Clock; log: Log }): Sightings {
  let waiting = new Map<string, Sighting & { at: Date }>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  const write = async (): Promise<void> => {
    timer = undefined;
    const all = [...waiting.values()];
    waiting = new Map();
    // Told to staff, never decided by: what Postgres does not take now is lost.
    await recordSightings(db, all).catch((error: unknown) => log.warn({ err: error, lost: all.length }, 'a timeline misses what was seen'));
  };

  return {
    saw: (sighting) => {
      if (sighting.reason !== undefined && NOBODYS.has(sighting.reason)) return;
      const key = keyOf(sighting);
      if (waiting.has(key) || waiting.size >= MOST_WAITING) return;
      waiting.set(key, { ...sighting, at: clock.now() });
      timer ??= setTimeout(() => {
        writing = writing.then(write);
      }, TOGETHER_MILLISECONDS).unref();
    },
    stop: async () => {
      clearTimeout(timer);
      await writing;
      await write();
    },
  };
}

function keyOf({ kind, of, reason, signs }: Sighting): string {
  return JSON.stringify([kind, 'tokenHash' in of ? of.tokenHash.toString('base64url') : of.userId, reason, signs]);
}
