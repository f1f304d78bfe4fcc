import { createHash } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { AppError } from '../../platform/problem.ts';
import type { Product, Products } from '../../platform/products.ts';
import type { Secret } from '../../platform/secret.ts';
import { canonicalAddress } from '../address/address.ts';
import type { Db, Trx } from '../db/schema.ts';
import type { MakeAccount } from '../keycloak/account-maker.ts';
import type { Accounts } from '../keycloak/accounts.ts';
import { noAnswer } from '../keycloak/no-answer.ts';
import { confirmSeen, releasePending } from './confirm.service.ts';
import { completeAnswers, keepAnswers } from './given.service.ts';
import { lockRegistrant, type Invitation } from './invitation.store.ts';
import { productOf } from './provision.service.ts';
import type { Offered } from './questions.ts';
import { RELEASE_AFTER_MINUTES } from './reconcile.service.ts';
import { findPendingRegistration, findRegistration, reopenRegistration, type Registration } from './registration.store.ts';
import { changedUnderItsLock, holdInvitation, lockInvitation, lookForIt, reserve, supersede, trialEnd, usableInvitation } from './reserve.service.ts';
import { seenUserId } from './seen.service.ts';
import { stampOf } from './stamp.ts';

export interface ProgramRequest extends Offered {
  token: string;
  password: Secret;
  attempt_id?: string | undefined;
  username?: string | undefined;
  first_name?: string | undefined;
  last_name?: string | undefined;
  locale?: string | undefined;
}

interface Using {
  products: Products;
  clock: Clock;
  newAppId: () => string;
  accounts: Pick<Accounts, 'findById' | 'findByAddress'>;
  makeAccount: MakeAccount;
}

/** One call, on its way through {@link STEPS}. What must outlive it stands in Postgres and in Keycloak. */
interface Underway {
  request: ProgramRequest;
  /** The client that asks. */
  clientId: string;
  requestId: string;
  log: Log;
  held?: { product: Product; registration: Registration; invitation: Invitation };
  userId?: string;
  way?: ProgramCreation['way'];
}

export interface ProgramCreation {
  product: Product;
  registration: Registration;
  userId: string;
  /** `repeated`: it was confirmed before this call. */
  way: 'created' | 'repeated';
}

/** Each may be taken again by a repeated request; the reconcile job takes the last one when nobody repeats it. */
const STEPS = [
  ['reserve', reserveForProgram],
  ['make the account', makeTheAccount],
  ['find the account', findTheAccount],
  ['confirm', confirm],
] as const;

/**
 * An account, its trial and a spent invitation for a caller without a browser. The same attempt again goes on where it
 * stood and gets the same answer; the password lives in this call only.
 */
export async function createByProgram(db: Db, using: Using, request: ProgramRequest, { clientId, requestId, log }: { clientId: string; requestId: string; log: Log }): Promise<ProgramCreation> {
  let underway: Underway = { request, clientId, requestId, log };
  for (const [name, take] of STEPS) {
    if (underway.way !== undefined) break;
    underway = await take(db, using, underway);
    log.debug({ attempt_id: underway.held?.registration.attemptId, step: name }, 'step of a creation by a program');
  }
  const { held, userId, way } = underway;
  if (held === undefined || userId === undefined || way === undefined) throw new Error('The steps ended without an answer');
  log.info({ attempt_id: held.registration.attemptId, user_id: userId, client_id: clientId, way }, 'account made for a program');
  return { product: held.product, registration: held.registration, userId, way };
}

async function reserveForProgram(db: Db, using: Using, underway: Underway): Promise<Underway> {
  return db.transaction().execute(async (trx) => {
    const { request, clientId } = underway;
    const invitation = await lockInvitation(trx, request.token);
    const attemptId = request.attempt_id ?? derivedAttemptId(usableOrSpent(invitation, using), clientId);
    const earlier = await findRegistration(trx, attemptId);
    if (earlier !== undefined && (earlier.invitationId !== invitation?.id || earlier.madeBy !== clientId)) {
      throw new AppError('attempt_conflict', 'This attempt_id belongs to another creation: send one of your own, or none.', { field: 'attempt_id' });
    }
    if (request.username !== undefined && invitation !== undefined && canonicalAddress(request.username) !== invitation.address) {
      throw new AppError('username_mismatch', 'The invitation is for another address: leave username out, or send that address.', { field: 'username' });
    }
    if (invitation !== undefined && earlier?.state === 'confirmed' && earlier.userId !== null) {
      const held = { product: productOf(using.products, earlier.product), registration: earlier, invitation };
      return { ...underway, held, userId: earlier.userId, way: 'repeated' };
    }
    const usable = usableInvitation(invitation, using);
    const product = productOf(using.products, usable.product);
    const answers = await completeAnswers(trx, product, usable, request, { step: 'program', at: using.clock.now() });
    const registration = earlier === undefined ? await reserveAnew(trx, using, usable, underway, attemptId) : await reserveAgain(trx, using, product, earlier);
    await keepAnswers(trx, product, attemptId, answers);
    return { ...underway, held: { product, registration, invitation: usable } };
  });
}

/** A spent one may have been spent by this very program, whose request is then answered again. */
function usableOrSpent(invitation: Invitation | undefined, using: Using): Invitation {
  return invitation?.state === 'spent' ? invitation : usableInvitation(invitation, using);
}

/** Without an attempt_id of its own, a program has one attempt per invitation, so that repeating the request resumes it. */
function derivedAttemptId(invitation: Invitation, clientId: string): string {
  const hash = createHash('sha256').update(`${invitation.id} ${clientId}`).digest('hex');
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}

async function reserveAnew(trx: Trx, using: Using, invitation: Invitation, { request, clientId, requestId }: Underway, attemptId: string): Promise<Registration> {
  await supersede(trx, await findPendingRegistration(trx, invitation), using.clock.now());
  const attempt = { attemptId, userId: null, madeBy: clientId, locale: request.locale, requestId };
  return (await reserve(trx, using, { token: request.token, address: invitation.address, now: null }, attempt)) ?? changedUnderItsLock();
}

async function reserveAgain(trx: Trx, using: Using, product: Product, earlier: Registration): Promise<Registration> {
  const now = using.clock.now();
  if (earlier.state !== 'pending') await supersede(trx, await findPendingRegistration(trx, earlier), now);
  // A try before this one may still reach Keycloak, with its stamp. Once Keycloak's limit has passed it can't.
  const underway = earlier.state === 'pending' || now.getTime() - earlier.attemptedAt.getTime() < RELEASE_AFTER_MINUTES * 60_000;
  const anew = underway ? {} : { trialAppId: using.newAppId(), ...trialEnd(product, now) };
  const registration = await reopenRegistration(trx, earlier.attemptId, { ...earlier, ...anew, attemptedAt: now });
  if (earlier.state === 'pending') await lookForIt(trx, earlier.attemptId);
  else await holdInvitation(trx, registration);
  return registration;
}

async function makeTheAccount(db: Db, using: Using, underway: Underway): Promise<Underway> {
  const { product, registration, invitation } = heldBy(underway);
  const { request } = underway;
  const making = await using.makeAccount({
    address: registration.address,
    firstName: request.first_name ?? invitation.firstName,
    lastName: request.last_name ?? invitation.lastName,
    locale: registration.locale,
    product: product.id,
    roles: product.roles,
    stamp: stampOf(product, registration, using.clock),
    password: request.password,
  });
  if (making.result === 'made' || making.result === 'exists') return underway;
  await release(db, using, registration);
  if (making.result === 'unable') {
    underway.log.error({ attempt_id: registration.attemptId, detail: making.detail }, 'the realm lets no program make accounts');
    throw new AppError('unavailable', making.detail);
  }
  if (making.field === 'password') throw new AppError('password_refused', making.detail, { field: 'password' });
  throw new AppError('invalid_request', making.detail, { field: making.field });
}

/** By what Keycloak shows, not by what it answered: the account may be that of an earlier try, whose answer was lost. */
async function findTheAccount(db: Db, using: Using, underway: Underway): Promise<Underway> {
  const { registration } = heldBy(underway);
  const { userId, holder } = await look(using.accounts, registration).catch((error: unknown) => Promise.reject(noAnswer(error)));
  if (userId !== undefined) return { ...underway, userId };
  if (holder === undefined) throw noAnswer(new Error('Keycloak shows nobody under the address of the account'));
  await release(db, using, registration);
  throw new AppError('account_exists', 'Somebody has an account under this address, which stays as it is: sign in, or open the link of the mail in a browser.');
}

async function look(accounts: Using['accounts'], registration: Registration) {
  const userId = await seenUserId(accounts, registration);
  return { userId, holder: userId ?? (await accounts.findByAddress(registration.address)) };
}

async function confirm(db: Db, using: Using, underway: Underway): Promise<Underway> {
  const { registration: held } = heldBy(underway);
  const { userId = '' } = underway;
  const way = await db.transaction().execute(async (trx) => {
    await lockRegistrant(trx, held);
    const registration = await findRegistration(trx, held.attemptId);
    if (registration === undefined) throw new Error(`Attempt ${held.attemptId} is gone`);
    if (registration.state === 'confirmed') return 'repeated';
    const result = await confirmSeen(trx, using.products, { ...registration, userId }, using.clock.now());
    if (result === 'trial_exists' || result === 'other_attempt_confirmed') throw new AppError('trial_exists', 'Sign in: this account has its trial.');
    return 'created';
  });
  return { ...underway, way };
}

function heldBy({ held }: Underway): NonNullable<Underway['held']> {
  if (held === undefined) throw new Error('Nothing is reserved yet');
  return held;
}

/** Nothing was made: the invitation is good again at once. A try of the same attempt that does get through is confirmed after all. */
async function release(db: Db, using: Using, registration: Registration): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await lockRegistrant(trx, registration);
    await releasePending(trx, registration, using.clock.now());
  });
}
