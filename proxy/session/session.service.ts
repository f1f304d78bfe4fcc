import type { Kysely } from 'kysely';
import type { Clock } from '../../platform/clock.ts';
import { hashToken, newToken } from '../../platform/token.ts';
import { onlyCookie, readCookies, type CookieJar } from '../cookie.ts';
import type { Tables } from '../db/tables.ts';
import type { Identity, Tokens } from '../provider/provider.ts';
import type { Seal } from '../seal.ts';
import { countSessions, deleteEndedSessions, deleteSessions, findSession, insertSession, shortenSession, touchSession, type StoredSession } from './session.store.ts';

/** `last_seen_at` is written at most this often, so that a busy session costs one write a minute; oftener where the idle limit is short. */
const TOUCH_EVERY_MILLISECONDS = 60_000;
const TOUCHES_PER_IDLE_LIMIT = 10;
/** Requests that left the browser with the old cookie still pass while a new login replaces it. */
const REPLACED_LIVES_MILLISECONDS = 10_000;

export interface Session extends StoredSession {
  /** The nearest of idle end, absolute end and the trial's. */
  expiresAt: Date;
}

export interface SessionKeeping {
  db: Kysely<Tables>;
  clock: Pick<Clock, 'now'>;
  seal: Seal;
  cookies: CookieJar;
  limits: { idleMilliseconds: number; absoluteMilliseconds: number };
}

/** The live session that a Cookie header names. */
export async function currentSession(keeping: SessionKeeping, cookieHeader: string | undefined): Promise<Session | undefined> {
  const id = onlyCookie(readCookies(cookieHeader), keeping.cookies.session);
  if (!id) return undefined;
  const stored = await findSession(keeping.db, hashToken(id));
  if (!stored) return undefined;
  const now = keeping.clock.now();
  if (now >= endOf(stored, stored.lastSeenAt, keeping)) return undefined;
  const stale = now.getTime() - stored.lastSeenAt.getTime() >= Math.min(TOUCH_EVERY_MILLISECONDS, keeping.limits.idleMilliseconds / TOUCHES_PER_IDLE_LIMIT);
  if (stale) await touchSession(keeping.db, stored.idHash, now);
  return { ...stored, expiresAt: endOf(stored, stale ? now : stored.lastSeenAt, keeping) };
}

/** A session of its own id for every login; `undefined` where the trial is over already. Returns what the cookie carries. */
export async function openSession(keeping: SessionKeeping, identity: Identity, tokens: Tokens, replaced: Session | undefined): Promise<string | undefined> {
  const now = keeping.clock.now();
  const absoluteEnd = now.getTime() + keeping.limits.absoluteMilliseconds;
  const endsAt = new Date(Math.min(absoluteEnd, identity.trial?.accessUntil.getTime() ?? absoluteEnd));
  if (endsAt <= now) return undefined;
  const id = newToken();
  await keeping.db.transaction().execute(async (trx) => {
    await insertSession(trx, { ...identity, idHash: hashToken(id), sealedTokens: keeping.seal.seal('session', tokens), createdAt: now, lastSeenAt: now, endsAt });
    if (!replaced) return;
    if (replaced.sub === identity.sub) await shortenSession(trx, replaced.idHash, new Date(now.getTime() + REPLACED_LIVES_MILLISECONDS));
    else await deleteSessions(trx, replaced.idHash, replaced.sid);
  });
  return id;
}

export async function endSession(keeping: Pick<SessionKeeping, 'db'>, session: Session): Promise<void> {
  await deleteSessions(keeping.db, session.idHash, session.sid);
}

export function tokensOf(keeping: Pick<SessionKeeping, 'seal'>, session: Session): Tokens | undefined {
  return keeping.seal.open<Tokens>('session', session.sealedTokens);
}

export async function countLiveSessions(keeping: Pick<SessionKeeping, 'db' | 'clock' | 'limits'>): Promise<number> {
  const now = keeping.clock.now();
  return countSessions(keeping.db, now, new Date(now.getTime() - keeping.limits.idleMilliseconds));
}

export async function sweepSessions(keeping: SessionKeeping): Promise<void> {
  const now = keeping.clock.now();
  await deleteEndedSessions(keeping.db, now, new Date(now.getTime() - keeping.limits.idleMilliseconds));
}

function endOf(session: StoredSession, lastSeenAt: Date, { limits }: SessionKeeping): Date {
  return new Date(Math.min(session.endsAt.getTime(), lastSeenAt.getTime() + limits.idleMilliseconds));
}
