import type { PlanKind, PricedPlan } from '../../db/billing-plans.schema.ts';
import type { Catalog } from '../catalog.ts';
import { withTax, type Amount } from './money.ts';

export type Period = 'month' | 'year';
export const MOST_SEATS = 1_000_000;
const MONTHS: Readonly<Record<Period, number>> = { month: 1, year: 12 };

/** As mails and pages call it. */
export function planName({ plans }: Catalog, type: PlanKind): string {
  return type === 'basic' || type === 'business' ? plans[type].name : type;
}

export interface Wanted {
  type: PricedPlan;
  seats: number;
  period: Period;
}

/** What a whole period costs, by the catalog as it is now. Undefined: fewer seats than the plan begins at. */
export interface Offer extends Wanted, Amount {
  months: number;
  unitPrice: number;
  currency: string;
  taxBasisPoints: number;
}

export function offerFor(catalog: Catalog, wanted: Wanted): Offer | undefined {
  const plan = catalog.plans[wanted.type];
  if (wanted.seats < plan.minimum_seats || wanted.seats > MOST_SEATS) return undefined;
  const [unitPrice, taxBasisPoints] = [plan[wanted.period], Math.round(catalog.tax_percent * 100)];
  return { ...wanted, months: MONTHS[wanted.period], unitPrice, currency: catalog.currency, taxBasisPoints, ...withTax(unitPrice * wanted.seats, taxBasisPoints) };
}
