import type { Kysely } from 'kysely';
import type { Clock } from '../../platform/clock.ts';
import { hashToken, newToken } from '../../platform/token.ts';
import { onlyCookie, readCookies, type CookieJar } from '../cookie.ts';
import type { Tables } from '../db/tables.ts';
import type { Identity, Tokens } from '../provider/provider.ts';
import type { Seal } from '../seal.ts';
import { deleteEndedLogins, lockLogin, wasEnded } from './ended-login.store.ts';
import { sessionKey, type LiveSessions } from './live-sessions.ts';
import { refreshDueAt, sessionEnds, type Refresher } from './refresh.service.ts';
import { countSessions, deleteEndedSessions, deleteSessions, findSealedTokens, insertSession, shortenSession, touchSession, type StoredSession } from './session.store.ts';
import { asTold } from './trial-end.service.ts';
import { deletePastTrialEnds } from './trial-end.store.ts';

/** `last_seen_at` is written at most this often, so that a busy session costs one write a minute; oftener where the idle limit is short. */
const TOUCH_EVERY_MILLISECONDS = 60_000;
const TOUCHES_PER_IDLE_LIMIT = 10;
/** Requests that left the browser with the old cookie still pass while a new login replaces it. */
const REPLACED_LIVES_MILLISECONDS = 10_000;

export interface Session extends StoredSession {
  /** The nearest of idle end, absolute end, the provider's and the trial's. */
  expiresAt: Date;
}

export interface SessionKeeping {
  db: Kysely<Tables>;
  /** Host of the site. */
  site: string;
  clock: Pick<Clock, 'now'>;
  seal: Seal;
  cookies: CookieJar;
  live: LiveSessions;
  refresher: Refresher;
  limits: SessionLimits;
  /** Products of the site's client, whose ends the bridge tells. */
  productIds: readonly string[];
}

export interface SessionLimits {
  idleMilliseconds: number;
  absoluteMilliseconds: number;
}

/** The live session that a Cookie header names. */
export async function currentSession(keeping: SessionKeeping, cookieHeader: string | undefined): Promise<Session | undefined> {
  const id = onlyCookie(readCookies(cookieHeader), keeping.cookies.session);
  if (!id) return undefined;
  return lookAtSession(keeping, hashToken(id), { active: true });
}

/** `active`: its person did something just now. */
export async function lookAtSession(keeping: SessionKeeping, idHash: Buffer, { active }: { active: boolean }): Promise<Session | undefined> {
  const now = keeping.clock.now();
  const known = await keeping.live.find(idHash);
  if (known?.site !== keeping.site) return undefined;
  const session = await notEnded(keeping, known, now);
  const fresh = session && (await keeping.refresher.keepFresh(session, now));
  if (!fresh || now >= endOf(fresh, keeping.limits)) return undefined;
  if (active) touch(keeping, fresh, now);
  return { ...fresh, expiresAt: endOf(fresh, keeping.limits) };
}

/** What memory says is over may go on by what another replica has seen since. */
async function notEnded(keeping: SessionKeeping, session: StoredSession | undefined, now: Date): Promise<StoredSession | undefined> {
  if (!session || now < endOf(session, keeping.limits)) return session;
  const again = now < session.absoluteEndAt ? await keeping.live.readAgain(session.idHash) : undefined;
  return again && now < endOf(again, keeping.limits) ? again : undefined;
}

// Nobody waits for the write: while Postgres is away, memory counts.
function touch({ db, live, limits }: SessionKeeping, session: StoredSession, now: Date): void {
  const everyMilliseconds = Math.min(TOUCH_EVERY_MILLISECONDS, limits.idleMilliseconds / TOUCHES_PER_IDLE_LIMIT);
  if (now.getTime() - session.lastSeenAt.getTime() < everyMilliseconds) return;
  session.lastSeenAt = now;
  live.seen(session.idHash, now, touchSession(db, session.idHash, now));
}

export interface NewLogin {
  identity: Identity;
  tokens: Tokens;
  /** When its code was about to be exchanged, by Postgres' clock. */
  takenAt: Date;
}

export type OpenedSession = { outcome: 'opened'; id: string } | { outcome: 'trial_over' | 'ended_meanwhile' };

/** A session of its own id for every login; the id is what the cookie carries. */
export async function openSession(keeping: SessionKeeping, { identity, tokens, takenAt }: NewLogin, replaced: Session | undefined): Promise<OpenedSession> {
  const now = keeping.clock.now();
  const absoluteEndAt = new Date(now.getTime() + keeping.limits.absoluteMilliseconds);
  const id = newToken();
  const idHash = hashToken(id);
  const gone = await keeping.db.transaction().execute(async (trx) => {
    await lockLogin(trx, identity);
    if (await wasEnded(trx, identity, takenAt)) return 'ended_meanwhile';
    const told = await asTold(trx, identity, keeping.productIds);
    const ends = sessionEnds(absoluteEndAt, told, tokens);
    if (ends.endsAt <= now) return 'trial_over';
    const sealedTokens = keeping.seal.seal('session', tokens);
    await insertSession(trx, { ...told, idHash, site: keeping.site, sealedTokens, createdAt: now, lastSeenAt: now, ...ends, absoluteEndAt, refreshDueAt: refreshDueAt(tokens) });
    if (!replaced) return [];
    if (replaced.sub !== identity.sub) return deleteSessions(trx, { idHash: replaced.idHash, sid: replaced.sid });
    await shortenSession(trx, replaced.idHash, new Date(now.getTime() + REPLACED_LIVES_MILLISECONDS));
    return [replaced.idHash];
  });
  if (typeof gone === 'string') return { outcome: gone };
  forgetAll(keeping, gone);
  return { outcome: 'opened', id };
}

export async function endSession(keeping: Pick<SessionKeeping, 'db' | 'live'>, { idHash, sid }: Session): Promise<void> {
  forgetAll(keeping, await deleteSessions(keeping.db, { idHash, sid }));
}

export async function tokensOf(keeping: Pick<SessionKeeping, 'db' | 'seal'>, session: Session): Promise<Tokens | undefined> {
  const sealed = await findSealedTokens(keeping.db, session.idHash);
  return sealed === undefined ? undefined : keeping.seal.open<Tokens>('session', sealed);
}

export async function countLiveSessions(keeping: Pick<SessionKeeping, 'db' | 'clock' | 'limits'>): Promise<number> {
  const now = keeping.clock.now();
  return countSessions(keeping.db, now, new Date(now.getTime() - keeping.limits.idleMilliseconds));
}

export async function sweepSessions(keeping: Pick<SessionKeeping, 'db' | 'clock' | 'limits'>): Promise<void> {
  const now = keeping.clock.now();
  await deleteEndedSessions(keeping.db, now, new Date(now.getTime() - keeping.limits.idleMilliseconds));
  const longAgo = new Date(now.getTime() - keeping.limits.absoluteMilliseconds);
  await deleteEndedLogins(keeping.db, now, longAgo);
  await deletePastTrialEnds(keeping.db, longAgo);
}

/** This replica does not wait to be told what it did itself. */
export function forgetAll({ live }: Pick<SessionKeeping, 'live'>, idHashes: readonly Buffer[]): void {
  for (const idHash of idHashes) live.forget(sessionKey(idHash));
}

function endOf(session: StoredSession, { idleMilliseconds }: SessionLimits): Date {
  return new Date(Math.min(session.endsAt.getTime(), session.lastSeenAt.getTime() + idleMilliseconds));
}
