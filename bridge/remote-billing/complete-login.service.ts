import { hashToken } from '../../platform/token.ts';
import type { BillingPage } from '../db/remote-billing.schema.ts';
import type { Db, Trx } from '../db/schema.ts';
import type { Access } from './access-token.ts';
import { recordAct } from './audit.store.ts';
import { findBillingSession, insertBillingSession, type BillingSession } from './billing-session.store.ts';
import { confirmLogin, findBillingUserById, findBillingUserForUpdate, insertConsent, insertPendingUser, type BillingUser } from './billing-user.store.ts';
import type { From } from './caller.ts';
import { mustAccept, type Catalog } from './catalog.ts';
import { judgeAccess, judgeToken, recordRefusal, type Judged } from './judge-access.service.ts';
import { landingPage } from './landing.ts';
import { completeLoginRequest } from './login-request.store.ts';
import { findPlace, idsOf, lockPlace, type Place } from './place.ts';
import { settlePlans } from './plans/move-plan.service.ts';
import { refusal, wayBack, type Refusal } from './standing.ts';

/** From `authenticated_at`, and never prolonged: a role withdrawn on the server must stop working soon. */
export const SESSION_SECONDS = 2 * 60 * 60;

export interface LoginForm {
  token: string;
  /** A random value of the browser that shows the form. */
  attempt: string;
  fullName: string | undefined;
  acceptedTerms: string | undefined;
  majorReleaseMails: boolean | undefined;
  maintenanceReleaseMails: boolean | undefined;
}

export interface SignedIn {
  result: 'signed_in';
  sessionId: string;
  user: BillingUser;
  place: Place;
  endsAt: Date;
  nextPage: BillingPage;
}

export type CompletedLogin = SignedIn | { result: 'terms_needed' } | { result: 'not_proven' } | Refusal;

type Using = Parameters<typeof judgeToken>[1] & { catalog: Catalog };

/** Step 9, one transaction: the person is confirmed, the token and the link are spent, a session begins. The same form again gets the same session. */
export async function completeLogin(db: Db, using: Using, form: LoginForm, from: From): Promise<CompletedLogin> {
  const read = await using.tokens.read(form.token);
  if (read.result === 'good') {
    const repeated = await sameSession(db, read.access, form.attempt);
    if (repeated !== undefined) return repeated;
    const completed = await db.transaction().execute((trx) => complete(trx, using, read.access, form, from));
    // Another post of this form was under way: it has the session now.
    if (completed.result === 'refused' && completed.reason === 'spent') {
      const overtaken = await sameSession(db, read.access, form.attempt);
      if (overtaken !== undefined) return overtaken;
    }
    if (completed.result === 'refused' || completed.result === 'not_proven') {
      await recordRefusal(db, using, read.access, completed.result === 'refused' ? completed.reason : 'not proven', 'complete', from);
    }
    return completed;
  }
  const judged = await judgeToken(db, using, form.token, 'complete', from);
  return judged.result === 'refused' ? judged : refusal('expired');
}

async function complete(trx: Trx, using: Using, access: Access, form: LoginForm, from: From): Promise<CompletedLogin> {
  const judged = await judgeAccess(trx, access, lockPlace);
  if (judged.result === 'refused') return judged;
  const { place, request, person } = judged;
  if (person === undefined) return { result: 'not_proven' };
  const at = using.clock.now();
  // The row of who opened the link; gone or not, the proof is the same.
  if (request !== undefined) await insertPendingUser(trx, person, { email: request.email, fullName: request.fullName, joinedAt: at });
  const user = await findBillingUserForUpdate(trx, person);
  if (user === undefined || (user.state === 'pending' && request === undefined)) return { result: 'not_proven' };
  if (user.state === 'deactivated') return refusal('deactivated');
  const { version } = using.catalog.terms;
  const asked = mustAccept(version, user.tosVersion);
  if (asked && form.acceptedTerms !== version) return { result: 'terms_needed' };
  if (!(await settlePlans(trx, using, place, from, access.nextPage))) return refusal('plan_conflict');
  const spent = refusal('spent', wayBack(place, access.uriScheme, access.nextPage));
  if (request !== undefined && !(await completeLoginRequest(trx, request.id, at))) return spent;
  const endsAt = new Date(access.authenticatedAt.getTime() + SESSION_SECONDS * 1000);
  const sessionId = await insertBillingSession(trx, {
    ...idsOf(place),
    tokenId: access.tokenId,
    attemptHash: hashToken(form.attempt),
    userId: user.id,
    uriScheme: access.uriScheme,
    nextPage: access.nextPage,
    authenticatedAt: access.authenticatedAt,
    endsAt,
  });
  if (sessionId === undefined) return spent;
  const signedIn = await admit(trx, { ...judged, user }, { form, version, asked, at, from });
  return { result: 'signed_in', sessionId, user: signedIn, place, endsAt, nextPage: await landingPage(trx, access.nextPage, place) };
}

/** Writes who this is now, with what was ticked. */
async function admit(
  trx: Trx,
  { access, place, request, user }: Judged & { user: BillingUser },
  { form, version, asked, at, from }: { form: LoginForm; version: string; asked: boolean; at: Date; from: From },
): Promise<BillingUser> {
  const now: BillingUser = {
    ...user,
    state: 'confirmed',
    email: request?.email ?? user.email,
    fullName: form.fullName?.trim() || user.fullName,
    majorReleaseMails: form.majorReleaseMails ?? user.majorReleaseMails,
    maintenanceReleaseMails: form.maintenanceReleaseMails ?? user.maintenanceReleaseMails,
    tosVersion: version,
    lastLogin: at,
  };
  await confirmLogin(trx, user.id, { ...now, tosVersion: version, at });
  if (asked) await insertConsent(trx, { userId: user.id, version, email: now.email, clientAddress: from.clientAddress, tickedAt: at });
  const entry = { at, actor: { kind: 'user', id: user.id } as const, serverId: place.server.id, realmId: place.realm?.id, userId: user.id, ...from };
  if (user.state === 'pending') await recordAct(trx, { ...entry, act: 'user_confirmed', details: { email: now.email } });
  else if (now.email !== user.email) await recordAct(trx, { ...entry, act: 'address_changed', details: { from: user.email, to: now.email } });
  await recordAct(trx, { ...entry, act: 'login', details: { terms: version, asked, token_id: access.tokenId } });
  return now;
}

/** What this very form of this browser has got before, as long as it is open. */
async function sameSession(db: Db, access: Access, attempt: string): Promise<SignedIn | undefined> {
  const session = await findBillingSession(db, { tokenId: access.tokenId });
  if (session === undefined || !isOpen(session) || !hashToken(attempt).equals(session.attemptHash)) return undefined;
  const [user, place] = [await findBillingUserById(db, session.userId), await findPlace(db, session)];
  if (user?.state !== 'confirmed' || place === undefined) return undefined;
  return { result: 'signed_in', sessionId: session.id, user, place, endsAt: session.endsAt, nextPage: await landingPage(db, session.nextPage, place) };
}

function isOpen(session: BillingSession): boolean {
  return !session.ended && session.endsAt > new Date();
}
