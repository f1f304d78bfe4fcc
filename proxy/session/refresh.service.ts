import type { Kysely } from 'kysely';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Tables } from '../db/tables.ts';
import type { Identity, Provider, Tokens } from '../provider/provider.ts';
import type { Seal } from '../seal.ts';
import { sessionKey, type LiveSessions } from './live-sessions.ts';
import { postponeRefresh, saveRefreshed, takeRefresh } from './session-refresh.store.ts';
import { deleteSessions, type StoredSession } from './session.store.ts';
import { asTold, type Telling } from './trial-end.service.ts';

/** From here on a request starts a refresh and does not wait for it. */
const BEFORE_DUE_MILLISECONDS = 30_000;
/** Longer than the provider may take, asked for metadata, token, keys and userinfo, 5 s each: a token that works once must not be sent twice. */
const LEASE_MILLISECONDS = 22_000;
const ASK_AGAIN_MILLISECONDS = 15_000;
const LOOK_AGAIN_MILLISECONDS = 50;
const WAIT_FOR_OTHER_MILLISECONDS = 6_000;

export interface RefreshParts extends Omit<Telling, 'hearNow'> {
  db: Kysely<Tables>;
  clock: Pick<Clock, 'now'>;
  seal: Seal;
  live: LiveSessions;
  provider: Pick<Provider, 'refresh'>;
  log: Log;
}

export interface Refresher {
  /** Whether {@link Refresher.keepFresh} has anything to do. */
  isDue(session: StoredSession, now: Date): boolean;
  /** The session with a refresh behind it where one was due; undefined when the provider has ended it. */
  keepFresh(session: StoredSession, now: Date): Promise<StoredSession | undefined>;
}

export function refreshDueAt({ refreshToken, accessExpiresAt }: Tokens): Date | null {
  return refreshToken === undefined || accessExpiresAt === null ? null : new Date(accessExpiresAt * 1000);
}

/** The nearest of our own end, the trial's, and the provider's (`session_expiry`, IPSIE); and the same without the trial. */
export function sessionEnds(absoluteEndAt: Date, { trial }: Pick<Identity, 'trial'>, { sessionExpiry }: Tokens): { endsAt: Date; endWithoutTrialAt: Date } {
  const endWithoutTrial = Math.min(absoluteEndAt.getTime(), (sessionExpiry ?? Number.POSITIVE_INFINITY) * 1000);
  return { endsAt: new Date(Math.min(endWithoutTrial, trial?.accessUntil?.getTime() ?? Number.POSITIVE_INFINITY)), endWithoutTrialAt: new Date(endWithoutTrial) };
}

/**
 * One refresh at a time per session, over all replicas: a lease in its row, so that no database connection is held while the provider
 * answers. Requests that come before the token ends don't wait; those after it wait for the one that asks. What can't be asked is
 * asked again later: only the provider's `invalid_grant` ends a session.
 */
export function createRefresher(parts: RefreshParts): Refresher {
  const { db, clock, live } = parts;
  const underWay = new Map<string, Promise<StoredSession | undefined>>();

  const once = (session: StoredSession): Promise<StoredSession | undefined> => {
    const key = sessionKey(session.idHash);
    const already = underWay.get(key);
    if (already) return already;
    const refreshing = refreshOrWait(session)
      .catch((error: unknown) => {
        parts.log.warn({ err: error }, 'a session could not be refreshed; it goes on, and the provider is asked again');
        return postpone(session);
      })
      .finally(() => underWay.delete(key));
    underWay.set(key, refreshing);
    return refreshing;
  };

  /** In memory too: Postgres may be what is away. */
  const postpone = async (session: StoredSession): Promise<StoredSession> => {
    const askAgainAt = new Date(clock.now().getTime() + ASK_AGAIN_MILLISECONDS);
    session.refreshDueAt = askAgainAt;
    await postponeRefresh(db, session.idHash, askAgainAt).catch(() => {});
    return session;
  };

  const refreshOrWait = async (session: StoredSession): Promise<StoredSession | undefined> => {
    const now = clock.now();
    const due = new Date(now.getTime() + BEFORE_DUE_MILLISECONDS);
    const sealed = await takeRefresh(db, session.idHash, now, due, new Date(now.getTime() + LEASE_MILLISECONDS));
    return sealed === undefined ? otherReplica(session) : ask(session, sealed);
  };

  const ask = async (session: StoredSession, sealed: string): Promise<StoredSession | undefined> => {
    const held = parts.seal.open<Tokens>('session', sealed);
    if (held?.refreshToken === undefined) return session;
    const answer = await parts.provider.refresh(held, session);
    if (answer.outcome === 'ended') {
      await deleteSessions(db, { sites: [session.site], idHash: session.idHash });
      live.forget(sessionKey(session.idHash));
      return undefined;
    }
    const { tokens } = answer;
    await db.transaction().execute(async (trx) => {
      const identity = await asTold(trx, answer.identity, parts);
      const ends = sessionEnds(session.absoluteEndAt, identity, tokens);
      await saveRefreshed(trx, session.idHash, { identity, sealedTokens: parts.seal.seal('session', tokens), refreshDueAt: refreshDueAt(tokens), ...ends });
    });
    live.forget(sessionKey(session.idHash));
    return live.find(session.idHash);
  };

  /** Reads the row until the other's answer is in it. */
  const otherReplica = async (session: StoredSession): Promise<StoredSession | undefined> => {
    const until = performance.now() + WAIT_FOR_OTHER_MILLISECONDS;
    for (;;) {
      const current = await live.readAgain(session.idHash);
      if (!current || current.refreshDueAt?.getTime() !== session.refreshDueAt?.getTime() || performance.now() > until) return current;
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MILLISECONDS));
    }
  };

  return {
    isDue,
    keepFresh: async (session, now) => {
      if (!isDue(session, now)) return session;
      if (session.refreshDueAt !== null && now < session.refreshDueAt) {
        void once(session);
        return session;
      }
      return once(session);
    },
  };
}

function isDue({ refreshDueAt: dueAt }: StoredSession, now: Date): boolean {
  return dueAt !== null && now.getTime() >= dueAt.getTime() - BEFORE_DUE_MILLISECONDS;
}
