import type { Product } from '../../platform/products.ts';
import type { Life } from './life.store.ts';

const DAY_MILLISECONDS = 86_400_000;

/** Instants before the end at which to remind, earliest first. */
function reminders(product: Product, trialEndsAt: Date): readonly Date[] {
  return product.reminder_days.toSorted((one, other) => other - one).map((days) => new Date(trialEndsAt.getTime() - days * DAY_MILLISECONDS));
}

type Ends = Pick<Life, 'trialEndsAt' | 'trialAccessUntil'>;

/** The newest reminder that is due and not dealt with: an older one would say what is no longer true. */
export function reminderDue(product: Product, { trialEndsAt, remindedAt }: Ends & Pick<Life, 'remindedAt'>, now: Date): Date | undefined {
  if (trialEndsAt === null || trialEndsAt <= now) return undefined;
  return reminders(product, trialEndsAt).findLast((at) => at <= now && (remindedAt === null || at > remindedAt));
}

/** Whether the first reminder of this end is past. */
export function isRemindedOf(product: Product, { trialEndsAt }: Ends, now: Date): boolean {
  const [first] = trialEndsAt === null ? [] : reminders(product, trialEndsAt);
  return first !== undefined && first <= now;
}

/** When something happens to it by itself next; null: never. */
export function nextDeadline(product: Product, { trialEndsAt, trialAccessUntil }: Ends, now: Date): Date | null {
  if (trialEndsAt === null || trialAccessUntil === null) return null;
  return [...reminders(product, trialEndsAt), trialEndsAt, trialAccessUntil].find((at) => at > now) ?? null;
}

/** Whole seconds, as what is stored, told and stamped. */
export function endsAfter(product: Product, trialEndsAt: Date): { trialEndsAt: Date; trialAccessUntil: Date } {
  const endsAt = Math.floor(trialEndsAt.getTime() / 1000) * 1000;
  return { trialEndsAt: new Date(endsAt), trialAccessUntil: new Date(endsAt + product.grace_days * DAY_MILLISECONDS) };
}
