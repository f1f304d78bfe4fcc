import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { AppError } from '../../platform/problem.ts';
import type { AddressHash } from '../address/address-hash.ts';
import { addJob } from '../db/job.ts';
import type { Db, Trx } from '../db/schema.ts';
import type { Removal, TrialKeeper } from '../keycloak/trial-keeper.ts';
import { lockMailbox } from '../mail/mail.store.ts';
import { lockRegistrant, revokeInvitationsOf } from '../trial/invitation.store.ts';
import { RELEASE_AFTER_MINUTES } from '../trial/reconcile.service.ts';
import { hasOtherTrial, setTrialEnds } from '../trial/trial.store.ts';
import { nothingThere, type ActFrom } from './act.service.ts';
import { allowSecond, forgetPerson, forgetWords, hasAttemptSince, listLivesOf, markErased, markErasureAsked, markForgotten } from './erase.store.ts';
import { recordEvent } from './event.store.ts';
import { changeLife, findLife, lockLife, type Life } from './life.store.ts';
import { next } from './transitions.ts';

/** Whoever asked tries at once; the job is for when Keycloak was away. */
const FIRST_TRY_SECONDS = 5;
/** The job queue's back-off reaches a day by then, and goes on daily: nobody is forgotten half. */
const ERASE_ATTEMPTS = 100;
/** Whoever has not heard of an erasure by then does so no more: a proxy that was away has no session from before, an app has been given up for weeks. */
const IDS_FORGOTTEN_AFTER_DAYS = 31;
const DAY_MILLISECONDS = 86_400_000;

export interface EraseUsing {
  clock: Clock;
  hash: AddressHash;
  keeper: Pick<TrialKeeper, 'remove'>;
}

/**
 * Erases a person: the trial is over first, which every proxy hears; then Keycloak forgets them, then Postgres. Answers how
 * far it came: where Keycloak is away a job goes on from there. May be repeated.
 *
 * @throws AppError `not_possible` while a registration may still come through
 */
export async function erase(db: Db, using: EraseUsing, lifeId: string, from: ActFrom, log: Log): Promise<Life> {
  const asked = await askErasure(db, using, lifeId, from);
  await goOnErasing(db, using, lifeId, from.requestId).catch((error: unknown) => log.warn({ err: error, life_id: lifeId }, 'an erasure is not done yet; a job goes on'));
  return (await findLife(db, lifeId)) ?? asked;
}

async function askErasure(db: Db, { clock, hash }: EraseUsing, lifeId: string, from: ActFrom): Promise<Life> {
  return db.transaction().execute(async (trx) => {
    const registrant = await findLife(trx, lifeId);
    // In the order of registrations and mails: they hold these when they come to the row.
    if (registrant?.address != null) {
      await lockRegistrant(trx, { product: registrant.product, address: registrant.address });
      await lockMailbox(trx, hash.mailbox(registrant.address));
    }
    const life = await lockLife(trx, lifeId);
    if (life === undefined) throw nothingThere();
    const { address } = life;
    if (life.eraseAskedAt !== null || address === null) return life;
    const now = clock.now();
    if (await hasAttemptSince(trx, { product: life.product, address }, new Date(now.getTime() - RELEASE_AFTER_MINUTES * 60_000))) {
      throw new AppError('not_possible', `A registration of this address is under way: ask again in ${RELEASE_AFTER_MINUTES} minutes.`);
    }
    await revokeInvitationsOf(trx, { product: life.product, address });
    await end(trx, life, now, from);
    await markErasureAsked(trx, lifeId, { at: now, addressHash: hash.address(address) });
    await recordEvent(trx, { ...from, lifeId, at: now, kind: 'erase_asked' });
    await addJob(trx, 'erase_life', { life_id: lifeId, request_id: from.requestId }, { key: `erase:${lifeId}`, inSeconds: FIRST_TRY_SECONDS, maxAttempts: ERASE_ATTEMPTS });
    return (await findLife(trx, lifeId)) ?? life;
  });
}

/** A row that is deleted tells the proxies nothing, one that ends does. */
async function end(trx: Trx, life: Life, now: Date, from: ActFrom): Promise<void> {
  const to = next('erase', life.state);
  await changeLife(trx, life.id, { state: to ?? life.state, nextDeadline: null });
  if (to === undefined) return;
  const at = new Date(Math.floor(now.getTime() / 1000) * 1000);
  if (life.userId !== null) await setTrialEnds(trx, { userId: life.userId, product: life.product }, { trialEndsAt: at, trialAccessUntil: at });
  await recordEvent(trx, { ...from, lifeId: life.id, at: now, kind: 'revoked', from: life.state, to });
}

/** From wherever it stands. Throws where Keycloak does not answer, to be tried again. */
export async function goOnErasing(db: Db, { clock, keeper }: EraseUsing, lifeId: string, requestId?: string): Promise<void> {
  const asked = await findLife(db, lifeId);
  if (asked === undefined || !isUnderWay(asked)) return;
  const account: Removal | 'none' = asked.userId === null ? 'none' : await keeper.remove(asked.userId, asked.product, requestId);
  await db.transaction().execute(async (trx) => {
    await lockRegistrant(trx, { product: asked.product, address: asked.address ?? '' });
    const life = await lockLife(trx, lifeId);
    if (life === undefined || !isUnderWay(life) || life.address === null) return;
    const { product, address, userId } = life;
    const now = clock.now();
    // Whose account stays is no trial's any more: the feed's last word must not keep an ordinary person out.
    if (account === 'kept_account' && userId !== null && !(await hasOtherTrial(trx, { userId, product }))) await setTrialEnds(trx, { userId, product }, { trialEndsAt: null, trialAccessUntil: null });
    const all = await listLivesOf(trx, { product, address, userId });
    const registered = await forgetPerson(trx, { product, address, userId, lifeIds: all.map(({ id }) => id) });
    for (const one of all) {
      const to = next('erase', one.state);
      await forgetWords(trx, one.id);
      // While the row still says whom the app is to forget.
      await recordEvent(trx, { lifeId: one.id, at: now, kind: 'erased', ...(to && { from: one.state, to }), actor: 'bridge', requestId, detail: { account } });
      const lookAgainAt = one.id === lifeId ? new Date(now.getTime() + IDS_FORGOTTEN_AFTER_DAYS * DAY_MILLISECONDS) : null;
      await markErased(trx, one.id, { at: now, addressHashOf: lifeId, state: to ?? one.state, lookAgainAt });
    }
    await markForgotten(trx, { userIds: userId === null ? registered : [userId, ...registered], product }, lifeId);
  });
}

function isUnderWay({ eraseAskedAt, erasedAt }: Life): boolean {
  return eraseAskedAt !== null && erasedAt === null;
}

/** The decision that an erased address may have a trial of this product again: the next register for it invites. */
export async function allowAgain(db: Db, { clock }: Pick<EraseUsing, 'clock'>, lifeId: string, from: ActFrom): Promise<Life> {
  return db.transaction().execute(async (trx) => {
    const life = await lockLife(trx, lifeId);
    if (life === undefined) throw nothingThere();
    if (life.erasedAt === null) throw new AppError('not_possible', 'This trial is not erased: nothing keeps its address from another invitation.');
    if (life.secondAllowedAt !== null) return life;
    await allowSecond(trx, lifeId, clock.now());
    await recordEvent(trx, { ...from, lifeId, at: clock.now(), kind: 'second_allowed' });
    return (await findLife(trx, lifeId)) ?? life;
  });
}
