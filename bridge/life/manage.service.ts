import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { AppError } from '../../platform/problem.ts';
import { findProduct, type Products } from '../../platform/products.ts';
import { canonicalAddress } from '../address/address.ts';
import type { AddressHash } from '../address/address-hash.ts';
import type { Db, MailKind, Trx } from '../db/schema.ts';
import type { TrialKeeper } from '../keycloak/trial-keeper.ts';
import { findOfferedAccount, isSuppressed, lockMailbox } from '../mail/mail.store.ts';
import { findNewestRequest } from '../trial/sign-up-request.store.ts';
import { act, goneForGood, keyReused, nothingThere, type ActFrom, type Wish } from './act.service.ts';
import { findEventByKey, recordEvent } from './event.store.ts';
import { keepLife } from './keep.service.ts';
import { findLife, listLivesByAddress, findLifeOfUser, lockLife, type Life } from './life.store.ts';
import type { LifeState } from './transitions.ts';
import { putInOutbox } from '../mail/outbox.ts';

export interface ManageUsing {
  products: Products;
  clock: Clock;
  hash: AddressHash;
  keeper: TrialKeeper;
}

/** Whose trial is meant: one of the first two. */
export interface Whose {
  username?: string | undefined;
  user_id?: string | undefined;
  product?: string | undefined;
}

/**
 * The trial of a person; who has none yet, the one that they are invited to. An address that had an owner before may be
 * the beginning of several: whose is meant is not guessed (SECURITY.md 3).
 */
export async function findLifeOf(db: Db, products: Products, whose: Whose): Promise<Life> {
  const product = findProduct(products, whose.product);
  if (product === undefined) throw new AppError('invalid_request', 'product: there is no such product.', { field: 'product' });
  const address = whose.username === undefined ? undefined : canonicalAddress(whose.username);
  const lives = whose.user_id === undefined ? await listLivesByAddress(db, product.id, address ?? '') : [await findLifeOfUser(db, product.id, whose.user_id)];
  const [life, another] = lives.some(isSomebodys) ? lives.filter(isSomebodys) : lives.slice(0, 1);
  if (life === undefined) throw nothingThere();
  if (another !== undefined) throw new AppError('not_possible', 'Several trials began under this address: name the one that is meant by user_id, as GET /api/trial?search= has it.', { field: 'username' });
  return life;
}

/** An invitation that was withdrawn is nobody's. */
function isSomebodys(life: Life | undefined): boolean {
  return life !== undefined && (life.userId !== null || life.state !== 'revoked');
}

/**
 * An act, and Keycloak told of it at once: the answer says by `keptVersion` whether it holds there. Where Keycloak is away
 * a job goes on trying; logins are judged by the bridge's word meanwhile.
 */
export async function manage(db: Db, using: ManageUsing, lifeId: string, wish: Wish, from: ActFrom, log: Log): Promise<Life> {
  const done = await act(db, using, lifeId, wish, from);
  if (done.userId === null) return done;
  await keepLife(db, { ...using, log }, lifeId, from.requestId).catch((error: unknown) => log.warn({ err: error, life_id: lifeId }, 'Keycloak does not hold a change yet; a job tells it'));
  return (await findLife(db, lifeId)) ?? done;
}

const MAIL_IN: Readonly<Record<LifeState, MailKind | undefined>> = {
  invited: 'invitation',
  active: 'welcome_back',
  ending: 'trial_reminder',
  grace: 'trial_grace',
  expired: 'trial_over',
  converted: 'trial_converted',
  revoked: undefined,
};

/** The mail that fits the state once more; an invitation with a link of its own. Limits for strangers do not hold here, a mailbox that wants no mails does. */
export async function resend(db: Db, using: ManageUsing, lifeId: string, from: ActFrom): Promise<Life> {
  return db.transaction().execute(async (trx) => {
    const found = await findLife(trx, lifeId);
    // In the order of mails and erasures.
    if (found?.address != null) await lockMailbox(trx, using.hash.mailbox(found.address));
    const life = await lockLife(trx, lifeId);
    if (life === undefined) throw nothingThere();
    if (await isResent(trx, lifeId, from)) return life;
    if (life.eraseAskedAt !== null) throw goneForGood();
    const accountId = life.state === 'invited' ? await findOfferedAccount(trx, lifeId) : undefined;
    const kind = accountId === undefined ? MAIL_IN[life.state] : 'welcome_back';
    if (kind === undefined || life.address === null) throw new AppError('impossible_transition', `This trial is ${life.state}: there is no mail to send.`);
    const mailboxHash = using.hash.mailbox(life.address);
    if (await isSuppressed(trx, mailboxHash)) throw new AppError('not_possible', 'The owner of this mailbox asked for no more mails. Write in another way, or lift the suppression first.');
    const now = using.clock.now();
    const signUpRequestId = life.state === 'invited' ? ((await findNewestRequest(trx, { product: life.product, address: life.address })) ?? null) : null;
    await putInOutbox(trx, { signUpRequestId, lifeId, accountId: accountId ?? null, kind, product: life.product, address: life.address, mailboxHash, locale: life.locale, queuedAt: now, requestId: from.requestId });
    await recordEvent(trx, { ...from, lifeId, at: now, kind: 'mail_queued', detail: { mail: kind } });
    return life;
  });
}

async function isResent(trx: Trx, lifeId: string, { idempotencyKey }: ActFrom): Promise<boolean> {
  const before = idempotencyKey === undefined ? undefined : await findEventByKey(trx, lifeId, idempotencyKey);
  if (before !== undefined && before.kind !== 'mail_queued') throw keyReused();
  return before !== undefined;
}
