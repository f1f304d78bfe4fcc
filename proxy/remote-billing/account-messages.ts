import type { Over, Refused } from './billing-bridge.ts';

export const PRICED_PLANS = ['basic', 'business'] as const;
export const PERIODS = ['month', 'year'] as const;
export const GIFT_PLANS = ['community', 'basic', 'business'] as const;

/** All amounts in the currency's smallest unit. */
export interface Amount {
  net: number;
  tax: number;
  total: number;
}

export interface Plan {
  type: string;
  name: string;
  seats: number | null;
  next_seats: number | null;
  unit_price: number | null;
  /** As it was agreed to. */
  currency: string;
  period: 'month' | 'year' | null;
  period_ends_at: number | null;
  renews: boolean;
}

export interface Account {
  result: 'account';
  /** Null: the free plan. */
  plan: Plan | null;
  scheduled: Plan | null;
  seats_reported: { seats: number; at: number } | null;
  details: { legal_name: string; postal_address: string; vat_id: string; purchase_order: string; invoice_recipients: string[] };
  ledger: (Amount & { kind: 'period' | 'seats' | 'credit'; seats: number; period_starts_at: number; period_ends_at: number; at: number; invoice_number: number; currency: string })[];
  invoices: (Amount & { number: number; issued_at: number; due_at: number; currency: string })[];
  sponsorship: { state: 'pending' | 'granted' | 'declined'; requested_plan: string; requested_at: number } | null;
  currency: string;
  tax_percent: number;
  offers: { type: 'basic' | 'business'; name: string; minimum_seats: number; month: number; year: number }[];
}

export interface Wanted {
  type: (typeof PRICED_PLANS)[number];
  period: (typeof PERIODS)[number];
  seats: number;
  when: 'now' | 'at_end';
}

export type Quote = Amount & { result: 'quote'; currency: string; unit_price: number; tax_percent: number; credit: Amount; begins_at: number };

/** What another number of seats costs at once; nothing where they are fewer, which count from the next period on. */
export type SeatsQuote = Amount & { result: 'quote'; currency: string; tax_percent: number; seats: number; now: number; counts_from: number };

export interface Invoice extends Amount {
  result: 'invoice';
  number: number;
  issued_at: number;
  due_at: number;
  currency: string;
  seller: string;
  buyer: { legal_name: string; postal_address: string; vat_id: string; purchase_order: string };
  tax_percent: number;
  lines: (Amount & { kind: 'period' | 'seats' | 'credit'; plan: string; seats: number; unit_price: number; months: number; period_starts_at: string; period_ends_at: string })[];
}

export type PlanChange = { result: 'begun'; invoice_number: number } | { result: 'scheduled' | 'done' | 'changed' } | Over | Refused;

interface Session {
  session_id: string;
}

/** The calls behind the pages of a realm or a server (docs/remote-billing.md). */
export interface AccountSteps {
  'account/read': { message: Session; answer: Account | Over | Refused };
  'account/save': { message: Session & Partial<Account['details']>; answer: { result: 'done' | 'changed' } | Over | Refused };
  'plan/quote': { message: Session & Wanted; answer: Quote | { result: 'changed' } | Over | Refused };
  'plan/agree': { message: Session & Wanted & { total: number }; answer: PlanChange };
  'plan/seats/quote': { message: Session & { seats: number }; answer: SeatsQuote | { result: 'changed' } | Over | Refused };
  'plan/seats': { message: Session & { seats: number; total: number }; answer: PlanChange };
  'plan/renewal': { message: Session & { renews: boolean }; answer: PlanChange };
  'plan/unschedule': { message: Session; answer: PlanChange };
  'sponsorship/ask': {
    message: Session & { organization_type: string; website?: string; description: string; expected_users: string; paid_users?: string; requested_plan: (typeof GIFT_PLANS)[number] };
    answer: { result: 'asked' | 'pending' } | Over | Refused;
  };
  'invoice/read': { message: Session & { number: number }; answer: Invoice | { result: 'unknown' } | Over | Refused };
  'server/deactivate': { message: Session; answer: { result: 'deactivated' | 'unknown' } | Over | Refused };
}
