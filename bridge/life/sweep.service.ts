import type { Clock } from '../../platform/clock.ts';
import type { Product, Products } from '../../platform/products.ts';
import type { AddressHash } from '../address/address-hash.ts';
import type { Db, MailKind, Trx } from '../db/schema.ts';
import { productOf } from '../trial/provision.service.ts';
import { nextDeadline, reminderDue } from './deadlines.ts';
import { forgetIds } from './erase.store.ts';
import { recordEvent, type LifeEventKind } from './event.store.ts';
import { queueKeeping } from './keep.service.ts';
import { queueLifeMail } from './life-mails.service.ts';
import { changeLife, findLife, lockLifeDue, setDeadline, type Life } from './life.store.ts';
import { next, type Command } from './transitions.ts';

/** In a message. */
const NAMED = 5;

interface Using {
  products: Products;
  clock: Clock;
  hash: AddressHash;
}

interface Step {
  command: Extract<Command, 'remind' | 'end' | 'expire'>;
  kind: LifeEventKind;
  mail: MailKind | undefined;
}

/**
 * What the domain clock has brought to trials: reminders, ends, the end of grace. As often as it runs, and in as many
 * processes: a life is locked, and what is done moves its deadline. Nothing is enforced here: who is refused is decided
 * by `trial_access_until` alone. Trials of a product that this replica does not know wait for one that does; one that
 * fails is left for the next run, and holds up none of the others. Answers how many were due.
 */
export async function sweepLives(db: Db, using: Using): Promise<number> {
  const failed = new Map<string, unknown>();
  let due = 0;
  while (await passNext(db, using, failed)) due += 1;
  if (failed.size > 0) throw new AggregateError([...failed.values()], `${failed.size} of the trials that were due could not be dealt with: ${[...failed.keys()].slice(0, NAMED).join(', ')}`, { cause: [...failed.values()][0] });
  return due;
}

/** False where no other is due. */
async function passNext(db: Db, using: Using, failed: Map<string, unknown>): Promise<boolean> {
  const taken: { id?: string | undefined } = {};
  try {
    await db.transaction().execute(async (trx) => {
      const now = using.clock.now();
      taken.id = await lockLifeDue(trx, now, { products: using.products.map(({ id }) => id), without: [...failed.keys()] });
      const life = taken.id === undefined ? undefined : await findLife(trx, taken.id);
      if (life !== undefined) await pass(trx, using, life, now);
    });
  } catch (error) {
    if (taken.id === undefined) throw error;
    failed.set(taken.id, error);
  }
  return taken.id !== undefined;
}

/** Everything that is due to one trial, in order: a sweep that comes late goes through what it missed. Of one that is erased, the last ids. */
async function pass(trx: Trx, using: Using, life: Life, now: Date): Promise<void> {
  if (life.erasedAt !== null) {
    await forgetIds(trx, life.id);
    return setDeadline(trx, life.id, null);
  }
  const product = productOf(using.products, life.product);
  const later = nextDeadline(product, life, now);
  let { state } = life;
  for (const { command, kind, mail } of stepsDue(product, life, now)) {
    const to = next(command, state);
    if (to === undefined) continue;
    await changeLife(trx, life.id, { state: to, nextDeadline: later, ...(command === 'remind' ? { remindedAt: now } : {}) });
    await recordEvent(trx, { lifeId: life.id, at: now, kind, from: state, to, actor: 'sweep' });
    if (mail !== undefined) await queueLifeMail(trx, using, life, mail, now);
    state = to;
  }
  if (state === life.state) return setDeadline(trx, life.id, later);
  await queueKeeping(trx, life.id);
}

function stepsDue(product: Product, life: Life, now: Date): readonly Step[] {
  const { trialEndsAt, trialAccessUntil } = life;
  if (trialEndsAt === null || trialAccessUntil === null) return [];
  const over = trialAccessUntil <= now;
  if (trialEndsAt > now) return reminderDue(product, life, now) === undefined ? [] : [{ command: 'remind', kind: 'reminded', mail: 'trial_reminder' }];
  const end: Step = { command: 'end', kind: 'ended', mail: over ? undefined : 'trial_grace' };
  return over ? [end, { command: 'expire', kind: 'expired', mail: 'trial_over' }] : [end];
}
