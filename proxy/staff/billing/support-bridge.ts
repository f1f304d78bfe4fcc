import type { Request, Response } from 'express';
import type { Account, Amount, Invoice, Plan, Quote, SeatsQuote, Wanted } from '../../remote-billing/account-messages.ts';
import type { PlaceKind } from '../../remote-billing/billing-bridge.ts';
import { askForStaff } from '../staff-bridge.ts';
import type { Staff, StaffParts } from '../staff-gate.ts';

type PlanType = 'free' | Plan['type'];

export interface PlaceName {
  kind: PlaceKind;
  uuid: string;
}

export interface Hit extends PlaceName {
  server_uuid: string;
  host: string;
  host_verified: boolean;
  name: string;
  deactivated: boolean;
  matched: readonly string[];
}

export interface ShownRealm {
  uuid: string;
  server_uuid: string;
  host: string;
  host_verified: boolean;
  name: string;
  plan_type: PlanType;
  deactivated: boolean;
  deactivated_there: boolean;
}

/** All of a realm or a whole server; instants are epoch seconds. */
export interface ShownPlace extends Pick<Account, 'plan' | 'scheduled' | 'details' | 'ledger' | 'invoices' | 'offers' | 'currency'> {
  kind: PlaceKind;
  server: { uuid: string; host: string; host_verified: boolean; plan_type: PlanType; deactivated: boolean; seats_reported: Account['seats_reported']; contact_email: string; version: string | null; registered_at: number; last_request_at: number };
  realm: (ShownRealm & { url: string; seats_reported: Account['seats_reported'] }) | null;
  realms: readonly ShownRealm[];
  sponsorship: { id: string; state: 'pending' | 'granted' | 'declined'; organization_type: string; website: string; description: string; expected_users: string; paid_users: string; requested_plan: string; requested_at: number } | null;
  users: readonly { id: string; email: string; full_name: string; state: 'pending' | 'confirmed' | 'deactivated'; date_joined: number; last_login: number | null }[];
  confirmations: readonly { email: string; full_name: string; requested_at: number; mail: string; expires_at: number | null }[];
  history: readonly { at: number; act: string; actor_kind: string; actor: string | null; user_id: string | null; reason: string | null }[];
}

export type EndQuote = Amount & { plan: PlanType; currency: string; tax_percent: number };

/** Calls that change nothing. */
export interface SupportReads {
  search: { message: { query: string }; answer: { hits: readonly Hit[]; more: boolean } };
  pending: { message: { limit: number }; answer: { requests: readonly (PlaceName & { host: string; host_verified: boolean; name: string; requested_plan: string; requested_at: number })[]; more: boolean } };
  read: { message: PlaceName; answer: ShownPlace };
  'invoice/read': { message: PlaceName & { number: number }; answer: Invoice };
  'plan/quote': { message: PlaceName & Wanted; answer: Quote };
  'plan/seats/quote': { message: PlaceName & { seats: number }; answer: SeatsQuote };
  'plan/end/quote': { message: PlaceName; answer: EndQuote };
}

/** Calls that do something, kept with actor and reason. */
export type SupportAct = 'plan/change' | 'plan/give' | 'plan/seats' | 'plan/renewal' | 'plan/unschedule' | 'plan/end' | 'sponsorship/decide' | 'standing';

export type Read = <Call extends keyof SupportReads>(call: Call, message: SupportReads[Call]['message']) => Promise<SupportReads[Call]['answer']>;

export function reading(parts: StaffParts, req: Request, res: Response): Read {
  return (call, message) => askForStaff(parts, req, res, `/api/remote-billing/support/${call}`, message);
}

export function performing(parts: StaffParts, req: Request, res: Response, { id }: Staff): (act: SupportAct, reason: string, message: object) => Promise<{ invoice_number: number | null }> {
  return (act, reason, message) => askForStaff(parts, req, res, `/api/remote-billing/support/${act}`, { ...message, actor: id, reason });
}
