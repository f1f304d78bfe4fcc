import { setTimeout as pause } from 'node:timers/promises';
import { epochSeconds, type Clock } from '../../platform/clock.ts';
import type { Product, Products } from '../../platform/products.ts';
import { addJob } from '../db/job.ts';
import type { Db, MailKind } from '../db/schema.ts';
import type { Accounts } from '../keycloak/accounts.ts';
import type { TrialKeeper } from '../keycloak/trial-keeper.ts';
import { listEvents } from '../life/event.store.ts';
import { keepLife, queueKeeping } from '../life/keep.service.ts';
import { findLife, lockLife, type Life } from '../life/life.store.ts';
import type { LinksIn } from '../mail/links.ts';
import type { Log } from '../../platform/log.ts';
import { lockRegistrant } from '../trial/invitation.store.ts';
import type { RehearsalConfig } from './config.ts';
import { passTime } from './rehearsal.store.ts';
import type { Visitor } from './visit.ts';

const LOOK_EVERY_MILLISECONDS = 150;

/** One rehearsal on its way, with all that its steps need. */
export interface Walk {
  db: Db;
  config: RehearsalConfig;
  products: Products;
  product: Product;
  clock: Clock;
  accounts: Accounts;
  keeper: TrialKeeper;
  links: LinksIn;
  log: Log;
  /** Of the marked trial. */
  lifeId: string;
  address: string;
  visitor: Visitor;
  /** Somebody wants it to end. */
  stopping: AbortSignal;
}

/** A step did not hold: what was seen, and what to do. */
export class NotHeld extends Error {
  readonly advice: string;
  constructor(seen: string, advice: string) {
    super(seen);
    this.name = 'NotHeld';
    this.advice = advice;
  }
}

/** The first value that is not undefined, within so many seconds. `otherwise` says what to throw where none comes. */
export async function until<Value>({ stopping }: Pick<Walk, 'stopping'>, seconds: number, look: () => Promise<Value | undefined>, otherwise: () => NotHeld | Promise<NotHeld>): Promise<Value> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    stopping.throwIfAborted();
    const value = await look();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw await otherwise();
    await pause(LOOK_EVERY_MILLISECONDS);
  }
}

export async function lifeOf({ db, lifeId }: Walk): Promise<Life> {
  const life = await findLife(db, lifeId);
  if (life === undefined) throw new NotHeld('somebody took the trial away meanwhile', 'Run the rehearsal again.');
  return life;
}

export async function endsOf(walk: Walk): Promise<{ endsAt: Date; accessUntil: Date }> {
  const { trialEndsAt, trialAccessUntil } = await lifeOf(walk);
  if (trialEndsAt === null || trialAccessUntil === null) throw new NotHeld('the trial has no end', 'Somebody changed it meanwhile. Run the rehearsal again.');
  return { endsAt: trialEndsAt, accessUntil: trialAccessUntil };
}

/** The `count`-th mail of a kind, in the hands of the mail server. */
export async function mailIsSent(walk: Walk, kind: MailKind, count = 1): Promise<void> {
  const told = async () => (await listEvents(walk.db, walk.lifeId)).filter(({ detail }) => detail['mail'] === kind);
  await until(
    walk,
    30,
    async () => {
      const all = await told();
      const failed = all.find((event) => event.kind === 'mail_failed');
      if (failed !== undefined) throw new NotHeld(`the mail was not sent: ${String(failed.detail['failure'])}`, 'See that the mail server takes mails to REHEARSAL_ADDRESS: npm run doctor -- bridge-smtp.');
      return all.filter((event) => event.kind === 'mail_sent').length >= count ? true : undefined;
    },
    async () =>
      (await told()).filter((event) => event.kind === 'mail_queued').length >= count
        ? new NotHeld('the mail waits, and the mail server does not take it', 'npm run doctor -- bridge-smtp says whether it answers; the bridge logs why it does not take mails.')
        : new NotHeld('no mail was queued', 'See that the bridge runs and that its /readyz shows its worker up.'),
  );
}

/** Time goes by until an instant, for this trial alone; then Keycloak is told, and the bridge's sweep asked to look. */
export async function passTo(walk: Walk, at: Date): Promise<void> {
  const { db, lifeId, product, address, clock } = walk;
  const seconds = Math.ceil((at.getTime() - clock.now().getTime()) / 1000);
  if (seconds > 0) {
    await db.transaction().execute(async (trx) => {
      await lockRegistrant(trx, { product: product.id, address });
      await lockLife(trx, lifeId);
      if (!(await passTime(trx, lifeId, seconds))) throw new Error(`Trial ${lifeId} is no rehearsal any more`);
      await queueKeeping(trx, lifeId);
      await addJob(trx, 'sweep_lives', {}, { key: 'sweep_lives' });
    });
  }
  await keepLife(db, walk, lifeId).catch((error: unknown) => {
    throw new NotHeld(`Keycloak did not take the end (${error instanceof Error ? error.message : String(error)})`, 'npm run doctor -- bridge-roles, and our-clients: the bridge must be allowed to keep trials.');
  });
}

export function seconds(instant: Date, clock: Clock): number {
  return epochSeconds(clock.toReal(instant));
}

export async function waitUntil({ stopping }: Walk, epoch: number): Promise<void> {
  await pause(Math.max(0, epoch * 1000 - Date.now()), undefined, { signal: stopping });
}
