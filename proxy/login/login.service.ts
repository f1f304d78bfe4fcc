import { AppError } from '../../platform/problem.ts';
import { hashToken, matchesToken, newToken } from '../../platform/token.ts';
import { onlyCookie, type Cookies } from '../cookie.ts';
import type { LoginChecks, Provider } from '../provider/provider.ts';
import { openSession, type NewLogin, type Session, type SessionKeeping } from '../session/session.service.ts';
import {
  deleteExpiredLogins,
  deleteLogins,
  findLogins,
  giveBackLogin,
  insertLogin,
  keepOtherPerson,
  settleInvitation,
  takeLogin,
  takeOtherPerson,
  type LoginTransaction,
} from './login.store.ts';

/** A form may be left and come back to for this long. */
export const LOGIN_LIFETIME_SECONDS = 24 * 3600;
const LOGINS_PER_BROWSER = 5;
const ID_LENGTH = 16;
/** Enough for the bridge's 43 characters and for what comes after it; Keycloak drops more than 2,000 (KEYCLOAK.md 2). */
const INVITATION = /^[A-Za-z0-9_-]{20,200}$/;

export interface LoginParts extends SessionKeeping {
  provider: Provider;
  invitationByPar: boolean;
}

export interface LoginWish {
  invitationToken: string | undefined;
  nextPage: string;
  language: string;
  requestId: string;
}

interface Sealed {
  checks: LoginChecks;
  invitationToken: string | undefined;
  nextPage: string;
}

interface OtherPerson {
  login: NewLogin;
  nextPage: string;
}

export interface StartedLogin {
  /** Where the browser goes; an error when the provider is out of reach. The invitation is kept either way. */
  location: URL | AppError;
  id: string;
  binding: string;
  /** Transactions of this browser that gave way. */
  dropped: readonly string[];
}

export function isInvitation(token: string): boolean {
  return INVITATION.test(token);
}

/** A transaction of its own for every login, so that several tabs don't disturb each other. */
export async function startLogin(parts: LoginParts, wish: LoginWish, cookies: Cookies): Promise<StartedLogin> {
  const checks = parts.provider.newChecks();
  const stateHash = hashToken(checks.state);
  const id = stateHash.toString('base64url').slice(0, ID_LENGTH);
  const binding = newToken();
  const invitation = wish.invitationToken === undefined ? undefined : { invitation_token: wish.invitationToken, prompt: 'create' };
  const now = parts.clock.now();
  const dropped = (await loginsOf(parts, cookies)).slice(LOGINS_PER_BROWSER - 1).map((login) => login.id);
  await deleteLogins(parts.db, dropped);
  await insertLogin(parts.db, stateHash, {
    id,
    bindingHash: hashToken(binding),
    sealed: parts.seal.seal('login', { checks, invitationToken: wish.invitationToken, nextPage: wish.nextPage } satisfies Sealed),
    hasInvitation: invitation !== undefined,
    createdAt: now,
    expiresAt: new Date(now.getTime() + LOGIN_LIFETIME_SECONDS * 1000),
    usedAt: null,
    sealedOtherPerson: null,
  });
  const location = await parts.provider
    .authorizationUrl(
      checks,
      { ui_locales: wish.language, request_id: wish.requestId, ...invitation },
      { pushed: invitation !== undefined && parts.invitationByPar },
    )
    .catch((error: unknown) => {
      if (error instanceof AppError) return error;
      throw error;
    });
  return { location, id, binding, dropped };
}

/** The newest invitation that this browser started and that has not led to a sign-in. */
export async function invitationToResume(parts: LoginParts, cookies: Cookies): Promise<{ invitationToken: string; nextPage: string } | undefined> {
  const now = parts.clock.now();
  const login = (await loginsOf(parts, cookies)).find((one) => one.hasInvitation && one.expiresAt > now);
  const sealed = login && parts.seal.open<Sealed>('login', login.sealed);
  return sealed?.invitationToken === undefined ? undefined : { invitationToken: sealed.invitationToken, nextPage: sealed.nextPage };
}

export type FinishedLogin =
  | { outcome: 'signed_in'; sessionId: string; nextPage: string; id: string }
  | { outcome: 'other_person'; id: string }
  /** A second answer to a finished login, of somebody who is signed in. */
  | { outcome: 'lead_on'; nextPage: string | undefined }
  /** Unknown, too old, begun in another browser, or ended at the provider meanwhile. */
  | { outcome: 'stale'; nextPage: string | undefined }
  | { outcome: 'refused'; error: string; description: string; hasInvitation: boolean; nextPage: string }
  | { outcome: 'invalid'; cause: unknown; hasInvitation: boolean; nextPage: string }
  | { outcome: 'trial_over' };

export async function finishLogin(parts: LoginParts, callbackUrl: URL, cookies: Cookies, current: Session | undefined): Promise<FinishedLogin> {
  const state = callbackUrl.searchParams.get('state') ?? '';
  const id = hashToken(state).toString('base64url').slice(0, ID_LENGTH);
  const login = (await loginsOf(parts, cookies)).find((one) => one.id === id);
  const sealed = login && parts.seal.open<Sealed>('login', login.sealed);
  const takenAt = login && sealed && (await takeLogin(parts.db, id, parts.clock.now()));
  if (!takenAt) {
    return { outcome: current ? 'lead_on' : 'stale', nextPage: sealed?.nextPage };
  }
  const { nextPage } = sealed;
  const answer = await parts.provider.finishLogin(callbackUrl, sealed.checks).catch(async (error: unknown) => {
    await giveBackLogin(parts.db, id);
    throw error;
  });
  const { hasInvitation } = login;
  if (answer.outcome === 'refused') return { ...answer, hasInvitation, nextPage };
  if (answer.outcome !== 'signed_in') return { outcome: 'invalid', cause: answer.cause, hasInvitation, nextPage };
  await settleInvitation(parts.db, id);
  if (current && current.sub !== answer.identity.sub) {
    await keepOtherPerson(parts.db, id, parts.seal.seal('other-person', { login: { ...answer, takenAt }, nextPage } satisfies OtherPerson));
    return { outcome: 'other_person', id };
  }
  const opened = await openSession(parts, { ...answer, takenAt }, current);
  if (opened.outcome === 'opened') return { outcome: 'signed_in', sessionId: opened.id, nextPage, id };
  return opened.outcome === 'trial_over' ? { outcome: 'trial_over' } : { outcome: 'stale', nextPage };
}

/** Who waits to take the place of the person signed in here. */
export async function otherPerson(parts: LoginParts, id: string, cookies: Cookies): Promise<{ email: string } | undefined> {
  const login = (await loginsOf(parts, cookies)).find((one) => one.id === id);
  const waiting = login?.sealedOtherPerson ? parts.seal.open<OtherPerson>('other-person', login.sealedOtherPerson) : undefined;
  return waiting && { email: waiting.login.identity.email };
}

/** `goOn`: the waiting person takes over, in a session of their own; else the waiting tokens are forgotten. */
export async function answerOtherPerson(
  parts: LoginParts,
  question: { id: string; goOn: boolean },
  cookies: Cookies,
  current: Session | undefined,
): Promise<{ sessionId: string; nextPage: string } | 'stayed' | 'trial_over' | 'ended_meanwhile'> {
  const login = (await loginsOf(parts, cookies)).find((one) => one.id === question.id);
  const sealed = login && (await takeOtherPerson(parts.db, login.id));
  const waiting = sealed === undefined ? undefined : parts.seal.open<OtherPerson>('other-person', sealed);
  if (!waiting || !question.goOn) return 'stayed';
  const opened = await openSession(parts, revived(waiting.login), current);
  return opened.outcome === 'opened' ? { sessionId: opened.id, nextPage: waiting.nextPage } : opened.outcome;
}

export async function sweepLogins(parts: Pick<LoginParts, 'db' | 'clock'>): Promise<void> {
  await deleteExpiredLogins(parts.db, parts.clock.now());
}

/** Transactions whose cookie this browser really holds, newest first. */
async function loginsOf(parts: LoginParts, cookies: Cookies): Promise<LoginTransaction[]> {
  const logins = await findLogins(parts.db, parts.cookies.loginIds(cookies));
  return logins.filter((login) => matchesToken(onlyCookie(cookies, parts.cookies.login(login.id)), login.bindingHash));
}

/** JSON has no dates. */
function revived({ identity, tokens, takenAt }: NewLogin): NewLogin {
  const { trial } = identity;
  return { identity: { ...identity, trial: trial && { app: trial.app, endsAt: new Date(trial.endsAt), accessUntil: new Date(trial.accessUntil) } }, tokens, takenAt: new Date(takenAt) };
}
