import { createHash } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/problem.ts';
import { findProduct, type Products } from '../../platform/products.ts';
import type { AddressHash } from '../address/address-hash.ts';
import type { Db, Trx } from '../db/schema.ts';
import { lockRegistrant, revokeInvitationsOf } from '../trial/invitation.store.ts';
import { setTrialEnds } from '../trial/trial.store.ts';
import { endsAfter, isRemindedOf, nextDeadline } from './deadlines.ts';
import { findEventByKey, recordEvent, type LifeEventKind } from './event.store.ts';
import { queueKeeping } from './keep.service.ts';
import { queueLifeMail } from './life-mails.service.ts';
import { changeLife, findLife, lockLife, type Life } from './life.store.ts';
import { next, possible, type Act } from './transitions.ts';

const DAY_MILLISECONDS = 86_400_000;
/** From now. Whoever is to stay for longer gets a full account. */
const LONGEST_DAYS = 20 * 365;

export interface ActUsing {
  products: Products;
  clock: Clock;
  hash: AddressHash;
}

/** What a manager asks for. `until` is an instant of domain time. */
export type Wish = { act: 'extend'; days: number } | { act: 'extend'; until: Date } | { act: 'convert'; plan: string | null } | { act: 'revoke' };

export interface ActFrom {
  /** `staff:<sub>` or `client:<id>`. */
  actor: string;
  reason: string;
  requestId: string;
  /** The same one again, with the same wish: done once, answered again. */
  idempotencyKey: string | undefined;
}

interface Done {
  kind: LifeEventKind;
  ends?: { trialEndsAt: Date | null; trialAccessUntil: Date | null };
  /** `shortly`: to an end whose first reminder would be past. */
  extended?: { shortly: boolean; nextDeadline: Date | null };
  plan?: string | null;
  detail: Readonly<Record<string, unknown>>;
}

/**
 * One act on one trial: state, ends, event, mail and the job that tells Keycloak, in one transaction. Throws
 * `impossible_transition` where the table of transitions has none, and `idempotency_key_reused` for another wish.
 */
export async function act(db: Db, using: ActUsing, lifeId: string, wish: Wish, from: ActFrom): Promise<Life> {
  return db.transaction().execute(async (trx) => {
    const registrant = await findLife(trx, lifeId);
    // Before its row, as registrations do: they hold this lock when their trigger comes to the row.
    if (registrant?.address != null) await lockRegistrant(trx, { product: registrant.product, address: registrant.address });
    const life = await lockLife(trx, lifeId);
    if (life === undefined) throw nothingThere();
    if (await isRepeated(trx, life, wish, from)) return life;
    if (life.eraseAskedAt !== null) throw goneForGood();
    if (next(wish.act, life.state) === undefined) throw impossible(wish.act, life);
    const now = using.clock.now();
    const done = await DOING[wish.act](trx, { products: using.products, life, wish: wish as never, now });
    if (done.ends && life.userId !== null) await setTrialEnds(trx, { userId: life.userId, product: life.product }, done.ends);
    const to = next(done.extended?.shortly ? 'extend_shortly' : wish.act, life.state) ?? life.state;
    await changeLife(trx, life.id, {
      state: to,
      nextDeadline: done.extended?.nextDeadline ?? null,
      ...(done.extended ? { remindedAt: now } : {}),
      ...(done.plan === undefined ? {} : { plan: done.plan }),
    });
    await recordEvent(trx, { ...from, lifeId: life.id, at: now, kind: done.kind, from: life.state, to, detail: { ...done.detail, wish: fingerprint(wish) } });
    if (life.userId !== null) await queueKeeping(trx, life.id);
    if (done.kind === 'extended') await queueLifeMail(trx, using, life, 'trial_extended', now, from);
    if (done.kind === 'converted') await queueLifeMail(trx, using, life, 'trial_converted', now, from);
    return (await findLife(trx, life.id)) ?? life;
  });
}

export function nothingThere(): AppError {
  return new AppError('not_found', 'There is no such trial. Search for it with GET /api/trial.');
}

export function goneForGood(): AppError {
  return new AppError('impossible_transition', 'The person of this trial is erased, or is about to be: nothing else can be done with it.');
}

interface Doing<One extends Wish> {
  products: Products;
  life: Life;
  wish: One;
  now: Date;
}

type DoingOf = { [Name in Act]: (trx: Trx, doing: Doing<Extract<Wish, { act: Name }>>) => Promise<Done> };

const DOING: DoingOf = {
  extend: async (_trx, { products, life, wish, now }) => {
    const product = findProduct(products, life.product);
    if (product === undefined) throw new AppError('not_possible', `Its product, ${life.product}, is not offered any more: put it back into the products file, revoke the trial, or make it a full account.`);
    const { trialEndsAt } = life;
    // Somebody who was over for a month gets the days from today on.
    const from = trialEndsAt === null || trialEndsAt < now ? now : trialEndsAt;
    const ends = endsAfter(product, 'until' in wish ? wish.until : new Date(from.getTime() + wish.days * DAY_MILLISECONDS));
    if (ends.trialEndsAt <= from) throw new AppError('invalid_request', 'until: must be later than now and than the present end. To end a trial, revoke it.', { field: 'until' });
    if (ends.trialEndsAt.getTime() > now.getTime() + LONGEST_DAYS * DAY_MILLISECONDS) {
      throw new AppError('invalid_request', `${'until' in wish ? 'until' : 'days'}: must lead to an end within twenty years. For one without an end, make it a full account.`, { field: 'until' in wish ? 'until' : 'days' });
    }
    const extended = { shortly: isRemindedOf(product, ends, now), nextDeadline: nextDeadline(product, ends, now) };
    return { kind: 'extended', ends, extended, detail: { ends_at: ends.trialEndsAt, ended_at: trialEndsAt } };
  },
  convert: async (_trx, { wish }) => ({ kind: 'converted', ends: { trialEndsAt: null, trialAccessUntil: null }, plan: wish.plan, detail: { plan: wish.plan } }),
  revoke: async (trx, { life, now }) => {
    if (life.address !== null) await revokeInvitationsOf(trx, { product: life.product, address: life.address });
    // Told in whole seconds: the one that has begun is over.
    const at = new Date(Math.floor(now.getTime() / 1000) * 1000);
    const { trialEndsAt, trialAccessUntil } = life;
    if (trialEndsAt === null || trialAccessUntil === null) return { kind: 'revoked', detail: {} };
    return { kind: 'revoked', ends: { trialEndsAt: earlier(trialEndsAt, at), trialAccessUntil: earlier(trialAccessUntil, at) }, detail: {} };
  },
};

function earlier(one: Date, other: Date): Date {
  return one < other ? one : other;
}

async function isRepeated(trx: Trx, life: Life, wish: Wish, { idempotencyKey }: ActFrom): Promise<boolean> {
  const before = idempotencyKey === undefined ? undefined : await findEventByKey(trx, life.id, idempotencyKey);
  if (before === undefined) return false;
  if (before.detail['wish'] === fingerprint(wish)) return true;
  throw keyReused();
}

export function keyReused(): AppError {
  return new AppError('idempotency_key_reused', 'Send another Idempotency-Key: this one was used for something else.', { field: 'Idempotency-Key' });
}

function fingerprint(wish: Wish): string {
  return createHash('sha256').update(JSON.stringify(wish)).digest('base64url');
}

function impossible(act: Act, { state }: Life): AppError {
  return new AppError('impossible_transition', `This trial is ${state}: it cannot ${act}. Possible: ${possible(state).join(', ') || 'nothing'}.`);
}

