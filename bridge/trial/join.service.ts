import { randomUUID } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { AppError } from '../../platform/problem.ts';
import type { Product, Products } from '../../platform/products.ts';
import { hashToken } from '../../platform/token.ts';
import { addJob } from '../db/job.ts';
import type { Db, Trx } from '../db/schema.ts';
import type { Accounts } from '../keycloak/accounts.ts';
import { noAnswer } from '../keycloak/no-answer.ts';
import type { TrialKeeper } from '../keycloak/trial-keeper.ts';
import { recordEvent } from '../life/event.store.ts';
import { findLifeOfUser } from '../life/life.store.ts';
import { finishJoin, refuseJoin } from './finish-join.service.ts';
import { completeAnswers, keepAnswers } from './given.service.ts';
import { findJoinOffer, findJoinOfferForUpdate, lockInvitedRegistrant, reserveInvitation, type JoinOffer } from './invitation.store.ts';
import { productOf, provision } from './provision.service.ts';
import type { Offered } from './questions.ts';
import { findPendingRegistration, findRegistrationOfTrial, insertJoin } from './registration.store.ts';
import { changedUnderItsLock, supersede, trialEnd, usableInvitation } from './reserve.service.ts';

/** The call that reserves goes on at once; the job is for when it could not. */
const FINISH_AFTER_SECONDS = 5;
/** The job queue's back-off reaches a day by then, and goes on daily: nothing stays half. */
const FINISH_ATTEMPTS = 100;

export interface JoinRequest extends Offered {
  token: string;
  /** Who is signed in, as the proxy says. */
  user_id: string;
}

interface Using {
  products: Products;
  clock: Clock;
  newAppId: () => string;
  accounts: Pick<Accounts, 'findByAddress'>;
  keeper: Pick<TrialKeeper, 'beginStamp'>;
}

/** `repeated`: they had this trial before. */
export interface Joining {
  product: Product;
  way: 'joined' | 'repeated';
}

/**
 * The trial that was offered to an account begins on it. Reserved here first, then stamped in Keycloak, then confirmed:
 * each may be taken again, by the same link, by another one of the same person, or by the job. Where Keycloak says that
 * it can't be, nothing is left of it.
 *
 * @throws AppError `other_account` for anybody else, `not_possible` where the account may not have one, and the reasons why a link is not good any more
 */
export async function join(db: Db, using: Using, request: JoinRequest, from: { requestId: string; log: Log }): Promise<Joining> {
  const offer = await demandOwn(db, request);
  const product = productOf(using.products, offer.product);
  const holder = await using.accounts.findByAddress(offer.address).catch((error: unknown) => Promise.reject(noAnswer(error)));
  const attemptId = await db.transaction().execute((trx) => reserveJoin(trx, using, request, { holder: holder?.emailVerified === true ? holder.id : undefined, requestId: from.requestId }));
  if (attemptId === undefined) return { product, way: 'repeated' };
  const finished = await finishJoin(db, using, attemptId, from.requestId);
  from.log.info({ attempt_id: attemptId, user_id: request.user_id, result: finished }, 'a trial was to begin on an account that was there');
  if (finished !== 'confirmed') refuseJoin(finished);
  return { product, way: 'joined' };
}

async function demandOwn(db: Db, { token, user_id: userId }: JoinRequest): Promise<JoinOffer> {
  const offer = await findJoinOffer(db, hashToken(token));
  if (offer === undefined) throw new AppError('invitation_unknown', 'Ask for a new link.');
  if (offer.accountId !== userId) throw new AppError('other_account', 'Sign in with the account that the trial was offered to.');
  return offer;
}

/** The attempt to go on with; undefined where there is nothing left to do. */
async function reserveJoin(trx: Trx, using: Using, request: JoinRequest, { holder, requestId }: { holder: string | undefined; requestId: string }): Promise<string | undefined> {
  const tokenHash = hashToken(request.token);
  await lockInvitedRegistrant(trx, tokenHash);
  const offer = await findJoinOfferForUpdate(trx, tokenHash);
  const now = using.clock.now();
  const userId = request.user_id;
  const own = await findRegistrationOfTrial(trx, { product: offer?.product ?? '', userId });
  if (own !== undefined) return own.joins && own.state === 'pending' ? own.attemptId : undefined;
  const usable = usableInvitation(offer, using);
  const { id: invitationId, product: productId, address, locale } = usable;
  if (holder !== userId) refuseJoin('not_eligible');
  const product = productOf(using.products, productId);
  const answers = await completeAnswers(trx, product, usable, request, { step: 'registration_form', at: now });
  // Of somebody else, who would have made an account under this address: it has one.
  await supersede(trx, await findPendingRegistration(trx, { product: productId, address }), now);
  const attemptId = randomUUID();
  const registration = await insertJoin(trx, { attemptId, invitationId, product: productId, address, userId, locale, trialAppId: using.newAppId(), ...trialEnd(product, now), attemptedAt: now, requestId });
  if (!(await reserveInvitation(trx, invitationId, attemptId))) changedUnderItsLock();
  // By the link of another address of theirs, at this moment.
  if (!(await provision(trx, product, registration))) throw new AppError('trial_exists', 'Sign in: this account has its trial.');
  await keepAnswers(trx, product, attemptId, answers);
  const life = await findLifeOfUser(trx, productId, userId);
  if (life !== undefined) await recordEvent(trx, { lifeId: life.id, at: now, kind: 'joined', actor: 'person', requestId });
  await addJob(trx, 'finish_join', { attempt_id: attemptId }, { key: `join:${attemptId}`, inSeconds: FINISH_AFTER_SECONDS, maxAttempts: FINISH_ATTEMPTS });
  return attemptId;
}
