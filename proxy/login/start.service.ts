import { AppError } from '../../platform/problem.ts';
import { hashToken, matchesToken, newToken } from '../../platform/token.ts';
import { onlyCookie, type Cookies } from '../cookie.ts';
import type { LoginChecks, Provider } from '../provider/provider.ts';
import { LOGIN_LIFETIME_SECONDS } from '../session/ended-login.store.ts';
import { isSameClient, type Client } from '../session/own-sessions.ts';
import type { Session, SessionKeeping } from '../session/session.service.ts';
import type { JoinWish } from '../trial/join.service.ts';
import { demandRoom, markOf } from './login-limit.ts';
import { deleteLogins, findLogins, insertLogin, type LoginTransaction } from './login.store.ts';

/** Of one browser, under way at a time; the oldest gives way. */
const LOGINS_PER_BROWSER = 5;
/** As long as a browser may take to hear of the provider's cookie: from then on the provider tells its tabs apart by itself. */
const FIRST_TAB_MILLISECONDS = 10_000;
/** Logins that begin further apart are one person's who changed their mind, not tabs that were opened together. */
const AT_ONCE_MILLISECONDS = 3_000;
const ID_LENGTH = 16;
/** Enough for the bridge's 43 characters and for what comes after it; Keycloak drops more than 2,000 (KEYCLOAK.md 2). */
const INVITATION = /^[A-Za-z0-9_-]{20,200}$/;

export interface LoginParts extends SessionKeeping {
  provider: Provider;
  /** That a client may have begun, and not finished, within ten minutes. */
  loginsPerClient: number;
  invitationByPar: boolean;
}

export interface LoginWish {
  invitationToken: string | undefined;
  nextPage: string;
  /** A trial that whoever signs in begins: the provider never hears of it. */
  join?: JoinWish | undefined;
}

/** What a transaction keeps for its end. */
export interface Sealed extends LoginWish {
  checks: LoginChecks;
  /** By whom it was begun: codes are shown to nobody else. An older release did not say. */
  client?: Client;
}

export interface BegunLogin {
  id: string;
  sealed: Sealed;
  binding: string;
  /** Transactions of this browser that gave way. */
  dropped: readonly string[];
}

export function isInvitation(token: string): boolean {
  return INVITATION.test(token);
}

/** The name of the transaction that an answer with this `state` belongs to. */
export function loginId(state: string): string {
  return hashToken(state).toString('base64url').slice(0, ID_LENGTH);
}

/** A transaction of its own for every login, so that several tabs don't disturb each other. */
export async function beginLogin(parts: LoginParts, wish: LoginWish, { cookies, address }: { cookies: Cookies; address: string }): Promise<BegunLogin> {
  const sealed: Sealed = { checks: parts.provider.newChecks(), client: clientOf(parts), ...wish };
  const { state } = sealed.checks;
  const id = loginId(state);
  const binding = newToken();
  const now = parts.clock.now();
  const dropped = stillToKeep(await loginsOf(parts, cookies)).slice(LOGINS_PER_BROWSER - 1).map((login) => login.id);
  const begunBy = markOf(parts, address);
  // What takes the place of another adds nothing.
  if (dropped.length === 0) await demandRoom(parts, begunBy);
  await deleteLogins(parts.db, dropped);
  await insertLogin(parts.db, hashToken(state), {
    id,
    bindingHash: hashToken(binding),
    sealed: parts.seal.seal('login', sealed),
    hasInvitation: wish.invitationToken !== undefined,
    createdAt: now,
    expiresAt: new Date(now.getTime() + LOGIN_LIFETIME_SECONDS * 1000),
    usedAt: null,
    sealedOtherPerson: null,
    begunBy,
  });
  return { id, sealed, binding, dropped };
}

/** An error when the provider is out of reach. The invitation is kept either way. */
export type Sending = { location: URL | AppError; nextPage: string };

export type TabLogin = { outcome: 'lead_on'; nextPage: string } | { outcome: 'wait'; nextPage: string } | ({ outcome: 'send' } & Sending) | { outcome: 'over'; nextPage: string | undefined };

/**
 * The same for one of several tabs. Those that begin at once would each get a cookie of the provider's, of which the browser keeps the
 * last: the provider would then mix up where each of them wanted to go (decision 0022). So the first one goes, and the others wait
 * until somebody is signed in, or until the provider's cookie has surely come. `here`: the person does not want to wait.
 */
export async function sendTab(
  parts: LoginParts,
  { id, here, ...told }: { id: string; here: boolean; language: string; requestId: string },
  cookies: Cookies,
  current: Session | undefined,
): Promise<TabLogin> {
  const logins = await loginsOf(parts, cookies);
  const login = logins.find((one) => one.id === id);
  const sealed = login && openLogin(parts, login);
  if (!sealed) return { outcome: 'over', nextPage: undefined };
  const { nextPage } = sealed;
  if (current && (login.usedAt || current.createdAt >= login.createdAt)) return { outcome: 'lead_on', nextPage };
  if (login.usedAt || login.expiresAt <= parts.clock.now()) return { outcome: 'over', nextPage };
  const since = parts.clock.now().getTime() - FIRST_TAB_MILLISECONDS;
  const together = login.createdAt.getTime() - AT_ONCE_MILLISECONDS;
  const first = logins.some((one) => !one.usedAt && !one.hasInvitation && one.createdAt.getTime() > Math.max(since, together) && isBefore(one, login));
  if (first && !here) return { outcome: 'wait', nextPage };
  return { outcome: 'send', ...(await sendOff(parts, sealed, told)) };
}

/** The newest invitation that this browser started and that has not led to a sign-in. */
export async function invitationToResume(parts: LoginParts, cookies: Cookies): Promise<{ invitationToken: string; nextPage: string } | undefined> {
  const now = parts.clock.now();
  const login = (await loginsOf(parts, cookies)).find((one) => one.hasInvitation && one.expiresAt > now);
  const sealed = login && parts.seal.open<Sealed>('login', login.sealed);
  return sealed?.invitationToken === undefined ? undefined : { invitationToken: sealed.invitationToken, nextPage: sealed.nextPage };
}

/** Transactions whose cookie this browser really holds, newest first. */
export async function loginsOf(parts: LoginParts, cookies: Cookies): Promise<LoginTransaction[]> {
  const logins = await findLogins(parts.db, parts.cookies.loginIds(cookies));
  return logins.filter((login) => matchesToken(onlyCookie(cookies, parts.cookies.login(login.id)), login.bindingHash));
}

/** Undefined for one that another client began, before the configuration changed. */
export function openLogin(parts: LoginParts, login: LoginTransaction): Sealed | undefined {
  const sealed = parts.seal.open<Sealed>('login', login.sealed);
  return sealed && isOfClient(parts, sealed) ? sealed : undefined;
}

export function clientOf({ issuer, clientId }: LoginParts): Client {
  return { issuer, clientId };
}

export function isOfClient(parts: LoginParts, { client }: { client?: Client }): boolean {
  return client === undefined || isSameClient(client, parts);
}

/** Where the browser goes. */
export async function sendOff(parts: LoginParts, { checks, invitationToken, nextPage }: Sealed, { language, requestId }: { language: string; requestId: string }): Promise<Sending> {
  const invitation = invitationToken === undefined ? undefined : { invitation_token: invitationToken, prompt: 'create' };
  const byQuery = invitation !== undefined && !parts.invitationByPar;
  const location = await parts.provider.authorizationUrl(checks, { ui_locales: language, request_id: requestId, ...invitation }, { byQuery }).catch((error: unknown) => {
    if (error instanceof AppError) return error;
    throw error;
  });
  return { location, nextPage };
}

/** Finished ones, which only lead on, give way first. */
function stillToKeep(newestFirst: readonly LoginTransaction[]): LoginTransaction[] {
  return [...newestFirst.filter(({ usedAt }) => !usedAt), ...newestFirst.filter(({ usedAt }) => usedAt)];
}

function isBefore(one: LoginTransaction, other: LoginTransaction): boolean {
  return one.createdAt.getTime() === other.createdAt.getTime() ? one.id < other.id : one.createdAt < other.createdAt;
}
