import type { Kysely } from 'kysely';
import type { Clock } from '../../platform/clock.ts';
import { hashToken, newToken } from '../../platform/token.ts';
import { onlyCookieIn, type CookieJar } from '../cookie.ts';
import type { Tables } from '../db/tables.ts';
import type { Identity, Tokens } from '../provider/provider.ts';
import type { Seal } from '../seal.ts';
import { deleteEndedLogins, LOGIN_LIFETIME_SECONDS, lockLogin, recordEnd, wasEnded } from './ended-login.store.ts';
import { sessionKey, type LiveSessions } from './live-sessions.ts';
import { countSessions, deleteEndedSessions } from './many-sessions.store.ts';
import { refreshDueAt, sessionEnds, type Refresher } from './refresh.service.ts';
import type { Touches } from './touches.ts';
import { deleteSessions, findSealedTokens, insertSession, shortenSession, type StoredSession } from './session.store.ts';
import { asTold, hearOf, type Telling } from './trial-end.service.ts';
import { deletePastTrialEnds } from './trial-end.store.ts';

/** `last_seen_at` is written at most this often, oftener where the idle limit is short: an idle end may come a tenth early. */
const TOUCH_EVERY_MILLISECONDS = 3 * 60_000;
const TOUCHES_PER_IDLE_LIMIT = 10;
/** Requests that left the browser with the old cookie still pass while a new login replaces it. */
const REPLACED_LIVES_MILLISECONDS = 10_000;

export type Session = StoredSession;

export interface SessionKeeping extends Telling {
  db: Kysely<Tables>;
  /** Host of the site. */
  site: string;
  /** By whose client at `issuer` its people are signed in. */
  clientId: string;
  /** Hosts of the sites at which its issuer signs people in. */
  sitesOfIssuer: readonly string[];
  clock: Pick<Clock, 'now'>;
  seal: Seal;
  cookies: CookieJar;
  live: LiveSessions;
  touches: Pick<Touches, 'add'>;
  refresher: Refresher;
  limits: SessionLimits;
}

export interface SessionLimits {
  idleMilliseconds: number;
  absoluteMilliseconds: number;
}

/** The live session that a Cookie header names: at once where nothing has to be asked for it, which is almost always. */
export function currentSession(keeping: SessionKeeping, cookieHeader: string | undefined): Promise<Session | undefined> | Session | undefined {
  const id = onlyCookieIn(cookieHeader, keeping.cookies.session);
  if (!id) return undefined;
  const session = keeping.live.known(id);
  const now = keeping.clock.now();
  const asksNothing = session?.site === keeping.site && now.getTime() < endOf(session, keeping.limits) && !keeping.refresher.isDue(session, now);
  if (!asksNothing) return lookAtSession(keeping, hashToken(id), { active: true });
  touch(keeping, session, now);
  return session;
}

/** `active`: its person did something just now. */
export async function lookAtSession(keeping: SessionKeeping, idHash: Buffer, { active }: { active: boolean }): Promise<Session | undefined> {
  const now = keeping.clock.now();
  const known = await keeping.live.find(idHash);
  if (known?.site !== keeping.site) return undefined;
  const session = await notEnded(keeping, known, now);
  const fresh = session && (await keeping.refresher.keepFresh(session, now));
  if (!fresh || now >= expiryOf(fresh, keeping.limits)) return undefined;
  if (active) touch(keeping, fresh, now);
  return fresh;
}

/** What memory says is over may go on by what another replica has seen since. */
async function notEnded(keeping: SessionKeeping, session: StoredSession | undefined, now: Date): Promise<StoredSession | undefined> {
  if (!session || now < expiryOf(session, keeping.limits)) return session;
  const again = now < session.absoluteEndAt ? await keeping.live.readAgain(session.idHash) : undefined;
  return again && now < expiryOf(again, keeping.limits) ? again : undefined;
}

// Nobody waits for the write: while Postgres is away, memory counts.
function touch({ touches, limits }: SessionKeeping, session: StoredSession, now: Date): void {
  const everyMilliseconds = Math.min(TOUCH_EVERY_MILLISECONDS, limits.idleMilliseconds / TOUCHES_PER_IDLE_LIMIT);
  if (now.getTime() - session.lastSeenAt.getTime() < everyMilliseconds) return;
  session.lastSeenAt = now;
  touches.add(sessionKey(session.idHash), now);
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
  await hearOf(keeping.db, identity, keeping);
  const gone = await keeping.db.transaction().execute(async (trx) => {
    const names = { issuer: keeping.issuer, sid: identity.sid, sub: identity.sub };
    await lockLogin(trx, names);
    if (await wasEnded(trx, names, takenAt)) return 'ended_meanwhile';
    const told = await asTold(trx, identity, keeping);
    const ends = sessionEnds(absoluteEndAt, told, tokens);
    if (ends.endsAt <= now) return 'trial_over';
    const sealedTokens = keeping.seal.seal('session', tokens);
    await insertSession(trx, { ...told, idHash, site: keeping.site, issuer: keeping.issuer, clientId: keeping.clientId, sealedTokens, createdAt: now, lastSeenAt: now, ...ends, absoluteEndAt, refreshDueAt: refreshDueAt(tokens, now) });
    if (!replaced) return [];
    if (replaced.sub !== identity.sub) return deleteSessions(trx, { sites: keeping.sitesOfIssuer, idHash: replaced.idHash, sid: replaced.sid });
    await shortenSession(trx, replaced.idHash, new Date(now.getTime() + REPLACED_LIVES_MILLISECONDS));
    return [replaced.idHash];
  });
  if (typeof gone === 'string') return { outcome: gone };
  forgetAll(keeping, gone);
  return { outcome: 'opened', id };
}

/** A sign-in that is under way with the same session of the provider does not begin (SECURITY.md 23). */
export async function endSession(keeping: Pick<SessionKeeping, 'db' | 'live' | 'issuer' | 'sitesOfIssuer'>, { idHash, sid, sub }: Session): Promise<void> {
  const { issuer, sitesOfIssuer: sites } = keeping;
  const ended = await keeping.db.transaction().execute(async (trx) => {
    await lockLogin(trx, { issuer, sid, sub: sid === null ? sub : null });
    await (sid === null ? recordEnd(trx, 'sub', issuer, sub) : recordEnd(trx, 'sid', issuer, sid));
    return deleteSessions(trx, { sites, idHash, sid });
  });
  forgetAll(keeping, ended);
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
  const { absoluteMilliseconds } = keeping.limits;
  const ago = (milliseconds: number): Date => new Date(now.getTime() - milliseconds);
  // A sign-in that waits for an answer of its person may go on as long as its login lives.
  await deleteEndedLogins(keeping.db, now, ago(Math.max(absoluteMilliseconds, LOGIN_LIFETIME_SECONDS * 1000)));
  await deletePastTrialEnds(keeping.db, ago(absoluteMilliseconds));
}

/** This replica does not wait to be told what it did itself. */
export function forgetAll({ live }: Pick<SessionKeeping, 'live'>, idHashes: readonly Buffer[]): void {
  for (const idHash of idHashes) live.forget(sessionKey(idHash));
}

/** The nearest of idle end, absolute end, the provider's and the trial's. */
export function expiryOf(session: StoredSession, limits: Pick<SessionLimits, 'idleMilliseconds'>): Date {
  return new Date(endOf(session, limits));
}

function endOf({ endsAt, lastSeenAt }: StoredSession, { idleMilliseconds }: Pick<SessionLimits, 'idleMilliseconds'>): number {
  return Math.min(endsAt.getTime(), lastSeenAt.getTime() + idleMilliseconds);
}
