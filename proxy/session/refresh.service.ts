import { setTimeout as pause } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Tables } from '../db/tables.ts';
import type { Identity, Provider, RefreshAnswer, Tokens } from '../provider/provider.ts';
import type { Seal } from '../seal.ts';
import { keepTrying } from './keep-trying.ts';
import { sessionKey, type LiveSessions } from './live-sessions.ts';
import { postponeRefresh, saveRefreshed, takeRefresh } from './session-refresh.store.ts';
import { deleteSessions, type StoredSession } from './session.store.ts';
import { asTold, type Telling } from './trial-end.service.ts';
import { withinLimit } from './within-limit.ts';

/** From here on a request starts a refresh and does not wait for it. */
const BEFORE_DUE_MILLISECONDS = 30_000;
/** Longer than the provider may take, asked for metadata, token, keys and userinfo, 5 s each: a token that works once must not be sent twice. */
const LEASE_MILLISECONDS = 22_000;
/** With {@link BEFORE_DUE_MILLISECONDS} off: a provider that fails, or whose tokens are short, is asked for each session every 15 s, and nobody waits for it. */
const ASK_AGAIN_MILLISECONDS = 45_000;
/** A person who is signed in does not wait longer for a database that hangs. */
const LEASE_LIMIT_MILLISECONDS = 1_000;
const SAVE_LIMIT_MILLISECONDS = 1_000;
const LOOK_AGAIN_MILLISECONDS = 50;
const WAIT_FOR_OTHER_MILLISECONDS = 6_000;
/** Longer than the lease: while Postgres is away nobody else can have it, and without these tokens the session is lost. */
const SAVE_FOR_MILLISECONDS = 10 * 60_000;

type Refreshed = Extract<RefreshAnswer, { outcome: 'refreshed' }>;

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
  /** Waits for what is under way, as long as a provider may take, and gives up what can't be saved. To be called before the database is closed. */
  stop(): Promise<void>;
}

/** When the access token ends, but never so soon that each request would begin a refresh: a provider's clock may be minutes behind. */
export function refreshDueAt({ refreshToken, accessExpiresAt }: Tokens, now: Date): Date | null {
  return refreshToken === undefined || accessExpiresAt === null ? null : new Date(Math.max(accessExpiresAt * 1000, now.getTime() + ASK_AGAIN_MILLISECONDS));
}

/** The nearest of our own end, the trial's, and the provider's (`session_expiry`, IPSIE); and the same without the trial. */
export function sessionEnds(absoluteEndAt: Date, { trial }: Pick<Identity, 'trial'>, { sessionExpiry }: Tokens): { endsAt: Date; endWithoutTrialAt: Date } {
  const endWithoutTrial = Math.min(absoluteEndAt.getTime(), (sessionExpiry ?? Number.POSITIVE_INFINITY) * 1000);
  return { endsAt: new Date(Math.min(endWithoutTrial, trial?.accessUntil?.getTime() ?? Number.POSITIVE_INFINITY)), endWithoutTrialAt: new Date(endWithoutTrial) };
}

/**
 * One refresh at a time per session, over all replicas: a lease in its row, so that no database connection is held while the provider
 * answers. Requests that come before the token ends don't wait; those after it wait for the one that asks. What can't be asked is
 * asked again later: only the provider's `invalid_grant` ends a session. What the provider answered is kept until it is saved: a token
 * that works once is used up by then.
 */
export function createRefresher(parts: RefreshParts): Refresher {
  const { db, clock, live } = parts;
  const underWay = new Map<string, Promise<StoredSession | undefined>>();
  /** As many at most as Postgres gave leases for: none begins while it is away. */
  const unsaved = new Map<string, Promise<void>>();
  let stopped = false;

  const once = (session: StoredSession): Promise<StoredSession | undefined> => {
    const key = sessionKey(session.idHash);
    const already = underWay.get(key);
    if (already) return already;
    const refreshing = refreshOrWait(session)
      .catch((error: unknown) => goesOn(session, error))
      .finally(() => underWay.delete(key));
    underWay.set(key, refreshing);
    return refreshing;
  };

  /** In memory, for Postgres may be what is away, and in the row of whose turn it was: nobody waits for that. */
  const goesOn = (session: StoredSession, error: unknown, lease?: Date): StoredSession => {
    const isKept = unsaved.has(sessionKey(session.idHash));
    parts.log.warn({ err: error }, isKept ? 'what a refresh brought is not saved yet; it is kept and tried again, and the session goes on' : 'a session could not be refreshed; it goes on, and the provider is asked again');
    const askAgainAt = new Date(clock.now().getTime() + ASK_AGAIN_MILLISECONDS);
    session.refreshDueAt = askAgainAt;
    if (lease && !isKept) void postponeRefresh(db, session.idHash, { lease, askAgainAt }).catch(() => {});
    return session;
  };

  const refreshOrWait = async (session: StoredSession): Promise<StoredSession | undefined> => {
    const saving = unsaved.get(sessionKey(session.idHash));
    if (saving) return whenSaved(session, saving);
    const due = new Date(clock.now().getTime() + BEFORE_DUE_MILLISECONDS);
    const turn = await withinLimit(takeRefresh(db, session.idHash, due, LEASE_MILLISECONDS), LEASE_LIMIT_MILLISECONDS);
    if (!turn) return otherReplica(session);
    return ask(session, turn.sealed, turn.lease).catch((error: unknown) => goesOn(session, error, turn.lease));
  };

  const end = async (session: StoredSession): Promise<undefined> => {
    await deleteSessions(db, { sites: [session.site], idHash: session.idHash });
    live.forget(sessionKey(session.idHash));
    return undefined;
  };

  const ask = async (session: StoredSession, sealed: string, lease: Date): Promise<StoredSession | undefined> => {
    const held = parts.seal.open<Tokens>('session', sealed);
    if (held?.refreshToken === undefined) {
      // Unrefreshed it would go on for hours with what its person was allowed at the login.
      parts.log.warn('a session is over: its tokens can not be read, SESSION_ENCRYPTION_KEY and _PREVIOUS are of other keys');
      return end(session);
    }
    const answer = await parts.provider.refresh(held, session);
    if (answer.outcome === 'ended') return end(session);
    return whenSaved(session, keep(session, answer, lease));
  };

  const keep = (session: StoredSession, answer: Refreshed, lease: Date): Promise<void> => {
    const key = sessionKey(session.idHash);
    const giveUpAt = performance.now() + SAVE_FOR_MILLISECONDS;
    const saving = keepTrying(() => save(session, answer, lease), () => !stopped && performance.now() < giveUpAt)
      .catch((error: unknown) => parts.log.error({ err: error }, 'what a refresh brought could not be saved: its person may have to sign in again'))
      .finally(() => {
        unsaved.delete(key);
        live.forget(key);
      });
    unsaved.set(key, saving);
    return saving;
  };

  const save = ({ idHash, absoluteEndAt }: StoredSession, answer: Refreshed, lease: Date): Promise<void> =>
    db.transaction().execute(async (trx) => {
      const { tokens } = answer;
      const identity = await asTold(trx, answer.identity, parts);
      const ends = sessionEnds(absoluteEndAt, identity, tokens);
      await saveRefreshed(trx, idHash, lease, { identity, sealedTokens: parts.seal.seal('session', tokens), refreshDueAt: refreshDueAt(tokens, clock.now()), ...ends });
    });

  const whenSaved = async (session: StoredSession, saving: Promise<void>): Promise<StoredSession | undefined> => {
    await withinLimit(saving, SAVE_LIMIT_MILLISECONDS);
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

  const allSettled = async (): Promise<void> => {
    while (underWay.size + unsaved.size > 0) await Promise.allSettled([...underWay.values(), ...unsaved.values()]);
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
    stop: async () => {
      await Promise.race([allSettled(), pause(LEASE_MILLISECONDS, undefined, { ref: false })]);
      stopped = true;
    },
  };
}

function isDue({ refreshDueAt: dueAt }: StoredSession, now: Date): boolean {
  return dueAt !== null && now.getTime() >= dueAt.getTime() - BEFORE_DUE_MILLISECONDS;
}
