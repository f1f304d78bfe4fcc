import type { ColumnType, Generated } from 'kysely';

/** Row types of plans and money. Instants are domain time; amounts whole numbers of the smallest unit, as Postgres sends them. */
export interface BillingPlansSchema {
  'bridge.billing_account': BillingAccountTable;
  'bridge.billing_plan': BillingPlanTable;
  'bridge.billing_counter': { name: string; value: string };
  'bridge.billing_invoice': BillingInvoiceTable;
  'bridge.billing_ledger': BillingLedgerTable;
  'bridge.sponsorship_request': SponsorshipRequestTable;
}

export type PlanKind = 'community' | 'basic' | 'business' | 'legacy';
export type PricedPlan = 'basic' | 'business';
export type LedgerKind = 'period' | 'seats' | 'credit';
type Json<T> = ColumnType<T, string, string>;

export interface BillingAccountTable {
  id: Generated<string>;
  realm_id: string | null;
  server_id: string | null;
  legal_name: Generated<string>;
  postal_address: Generated<string>;
  vat_id: Generated<string>;
  purchase_order: Generated<string>;
  invoice_recipients: ColumnType<readonly string[], string | undefined, string>;
}

export interface BillingPlanTable {
  id: Generated<string>;
  account_id: string;
  type: PlanKind;
  state: 'scheduled' | 'active' | 'ended';
  months: number | null;
  seats: number | null;
  next_seats: number | null;
  unit_price: string | null;
  currency: string;
  tax_basis_points: number;
  anchor: Date | null;
  periods: Generated<number>;
  period_starts_at: Date | null;
  period_ends_at: Date | null;
  renews: Generated<boolean>;
  reminded_for: Date | null;
  agreed_at: Date;
  ended_at: Date | null;
}

export interface InvoiceContent {
  seller: string;
  buyer: { legalName: string; postalAddress: string; vatId: string; purchaseOrder: string; place: string };
  lines: readonly InvoiceLine[];
  taxBasisPoints: number;
}

export interface InvoiceLine {
  kind: LedgerKind;
  plan: PlanKind;
  seats: number;
  unitPrice: number;
  months: number;
  periodStartsAt: string;
  periodEndsAt: string;
  net: number;
  tax: number;
  total: number;
}

export interface BillingInvoiceTable {
  number: string;
  account_id: string;
  issued_at: Date;
  due_at: Date;
  currency: string;
  net: string;
  tax: string;
  total: string;
  content: Json<InvoiceContent>;
}

export interface BillingLedgerTable {
  id: Generated<string>;
  account_id: string;
  plan_id: string;
  invoice_number: string;
  kind: LedgerKind;
  seats: number;
  period_starts_at: Date;
  period_ends_at: Date;
  net: string;
  tax: string;
  total: string;
  at: Date;
}

export interface SponsorshipRequestTable {
  id: Generated<string>;
  account_id: string;
  user_id: string;
  organization_type: string;
  website: string;
  description: string;
  expected_users: string;
  paid_users: string;
  requested_plan: string;
  state: Generated<'pending' | 'granted' | 'declined'>;
  requested_at: Date;
  decided_at: Date | null;
}
