import type { Cookies } from '../cookie.ts';
import { openSession, type NewLogin, type Session } from '../session/session.service.ts';
import type { Identity } from '../provider/provider.ts';
import type { Client } from '../session/own-sessions.ts';
import type { JoinWish } from '../trial/join.service.ts';
import { boundLogins } from './login-limit.ts';
import { deleteExpiredLogins, giveBackLogin, keepOtherPerson, settleInvitation, takeLogin, takeOtherPerson, type LoginTransaction } from './login.store.ts';
import { clientOf, isOfClient, loginId, loginsOf, openLogin, type LoginParts } from './start.service.ts';

/** What a provider says of a login that stood open for long, or that another tab of this browser has finished meanwhile. */
export const TOO_LATE: ReadonlySet<string> = new Set(['temporarily_unavailable', 'login_required', 'interaction_required']);

interface OtherPerson {
  login: NewLogin;
  client?: Client;
  nextPage: string;
  join?: JoinWish | undefined;
}

/** `join`: the trial that the person wants to begin, now that they are signed in. */
export interface SignedIn {
  sessionId: string;
  nextPage: string;
  /** Somebody has a trial whose tokens say so. */
  person: Pick<Identity, 'sub' | 'email' | 'trial'>;
  join: JoinWish | undefined;
}

export type FinishedLogin =
  | { outcome: 'signed_in'; signedIn: SignedIn; id: string }
  | { outcome: 'other_person'; id: string }
  /** A second answer to a finished login, or one that came too late, of somebody who is signed in. */
  | { outcome: 'lead_on'; nextPage: string | undefined }
  /** Unknown, too old, begun in another browser, or ended at the provider meanwhile. */
  | { outcome: 'stale'; nextPage: string | undefined }
  | { outcome: 'refused'; error: string; description: string; hasInvitation: boolean; nextPage: string }
  | { outcome: 'invalid'; cause: unknown; hasInvitation: boolean; nextPage: string }
  | { outcome: 'trial_over' };

export async function finishLogin(parts: LoginParts, callbackUrl: URL, cookies: Cookies, current: Session | undefined): Promise<FinishedLogin> {
  const state = callbackUrl.searchParams.get('state') ?? '';
  const id = loginId(state);
  const login = (await loginsOf(parts, cookies)).find((one) => one.id === id);
  const sealed = login && openLogin(parts, login);
  const takenAt = login && sealed && (await takeLogin(parts.db, id, parts.clock.now()));
  if (!takenAt) {
    return { outcome: current ? 'lead_on' : 'stale', nextPage: sealed?.nextPage };
  }
  const { nextPage, join } = sealed;
  const answer = await parts.provider.finishLogin(callbackUrl, sealed.checks).catch(async (error: unknown) => {
    await giveBackLogin(parts.db, id);
    throw error;
  });
  const { hasInvitation } = login;
  const late = answer.outcome === 'code_refused' || (answer.outcome === 'refused' && TOO_LATE.has(answer.error));
  if (late && current && !isWaitedFor(login, current)) return { outcome: 'lead_on', nextPage };
  if (answer.outcome === 'refused') return { ...answer, hasInvitation, nextPage };
  if (answer.outcome !== 'signed_in') return { outcome: 'invalid', cause: answer.cause, hasInvitation, nextPage };
  await settleInvitation(parts.db, id);
  if (current && current.sub !== answer.identity.sub) {
    await keepOtherPerson(parts.db, id, parts.seal.seal('other-person', { login: { ...answer, takenAt }, client: clientOf(parts), nextPage, join } satisfies OtherPerson));
    return { outcome: 'other_person', id };
  }
  const opened = await openSession(parts, { ...answer, takenAt }, current);
  if (opened.outcome === 'opened') return { outcome: 'signed_in', signedIn: { sessionId: opened.id, nextPage, person: answer.identity, join }, id };
  return opened.outcome === 'trial_over' ? { outcome: 'trial_over' } : { outcome: 'stale', nextPage };
}

/** Somebody was signed in here before this invitation was followed: whose it is has not signed in yet. */
function isWaitedFor({ hasInvitation, createdAt }: LoginTransaction, current: Session): boolean {
  return hasInvitation && current.createdAt < createdAt;
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
): Promise<SignedIn | 'stayed' | 'trial_over' | 'ended_meanwhile'> {
  const login = (await loginsOf(parts, cookies)).find((one) => one.id === question.id);
  const sealed = login && (await takeOtherPerson(parts.db, login.id));
  const waiting = sealed === undefined ? undefined : parts.seal.open<OtherPerson>('other-person', sealed);
  if (!waiting || !question.goOn) return 'stayed';
  if (!isOfClient(parts, waiting)) return 'ended_meanwhile';
  const opened = await openSession(parts, revived(waiting.login), current);
  return opened.outcome === 'opened' ? { sessionId: opened.id, nextPage: waiting.nextPage, person: waiting.login.identity, join: waiting.join } : opened.outcome;
}

export async function sweepLogins(parts: Pick<LoginParts, 'db' | 'clock'>): Promise<void> {
  await deleteExpiredLogins(parts.db, parts.clock.now());
  await boundLogins(parts);
}

/** JSON has no dates. */
function revived({ identity, tokens, takenAt }: NewLogin): NewLogin {
  const { trial } = identity;
  return { identity: { ...identity, trial: trial && { app: trial.app, endsAt: trial.endsAt && new Date(trial.endsAt), accessUntil: trial.accessUntil && new Date(trial.accessUntil) } }, tokens, takenAt: new Date(takenAt) };
}
