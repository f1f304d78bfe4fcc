import { AppError, type Problem } from '../../platform/problem.ts';
import type { AccountSteps } from './account-messages.ts';
import type { Answer, Bridge, Caller } from '../bridge/bridge.ts';

export type PlaceKind = 'realm' | 'server';
export const BILLING_PAGES = ['sponsorship', 'upgrade', 'billing', 'plans', 'deactivate'] as const;
export type BillingPage = (typeof BILLING_PAGES)[number];

/** For what somebody signs in. A host that is not verified is what a server says of itself. */
export interface Place {
  kind: PlaceKind;
  uuid: string;
  host: string;
  host_verified: boolean;
  name: string;
}

export interface Person {
  id: string;
  email: string;
  full_name: string;
}

export type RefusalReason = 'unknown' | 'expired' | 'spent' | 'revoked' | 'deactivated' | 'credentials' | 'plan_conflict';

export interface Refused {
  result: 'refused';
  reason: RefusalReason;
  login_url?: string;
  support_url: string;
}

export interface Terms {
  version: string;
  url: string;
  must_accept: boolean;
}

export interface ConfirmLogin {
  result: 'confirm_login';
  place: Place;
  email: string;
  full_name: string;
  terms: Terms;
  major_release_mails: boolean;
  maintenance_release_mails: boolean;
  replaces?: { email: string; full_name: string; place: Place };
}

export type EmailForm = { result: 'email_form'; place: Place; email: string };
export type SignedIn = { result: 'signed_in'; session_id: string; user: Person; place: Place; ends_at: number; next_path: string };
export type Live = { result: 'live'; user: Person; place: Place; ends_at: number };
export type Over = { result: 'over'; login_url?: string };
export type ListedUser = Person & { state: 'confirmed' | 'deactivated'; last_login: number | null; you: boolean };

/** One call per step (docs/remote-billing.md, "Messages between proxy and bridge"). */
export interface Steps extends AccountSteps {
  'server-login/open': { message: { zulip_org_id: string; zulip_org_key: string; next_page?: BillingPage }; answer: { result: 'email_form'; token: string; place: Place } | Refused };
  'login/open': { message: { token: string; session_id?: string }; answer: ConfirmLogin | EmailForm | Refused };
  'login/mail': { message: { token: string; email: string; locale: string }; answer: { result: 'mailed' | 'known'; email: string; place: Place } | Refused };
  'login/confirmation': { message: { key: string }; answer: { result: 'proven'; token: string; kind: PlaceKind } | Refused };
  'login/complete': {
    message: { token: string; attempt: string; full_name?: string; accepted_terms?: string; major_release_mails: boolean; maintenance_release_mails: boolean };
    answer: SignedIn | { result: 'terms_needed' } | { result: 'not_proven' } | Refused;
  };
  'session/read': { message: { session_id: string; kind: PlaceKind; uuid: string; page?: BillingPage }; answer: Live | Over | { result: 'unknown' } | Refused };
  'session/end': { message: { session_id: string }; answer: { result: 'ended' } };
  'users/list': { message: { session_id: string }; answer: { result: 'users'; users: ListedUser[] } | Over | Refused };
  'users/deactivate': { message: { session_id: string; user_id: string }; answer: { result: 'deactivated' | 'last_one' | 'unknown' } | Over | Refused };
}

/** Throws `invalid_request` with its field and `rate_limited` with its wait as the bridge says them; what the bridge can't do is `bad_gateway`. */
export async function ask<Step extends keyof Steps>(bridge: Pick<Bridge, 'ask'>, step: Step, message: Steps[Step]['message'], caller: Caller): Promise<Steps[Step]['answer']> {
  const answer = await bridge.ask(`/api/remote-billing/${step}`, message, caller);
  if (answer.status === 200) return JSON.parse(answer.body.toString('utf8')) as Steps[Step]['answer'];
  const problem = problemIn(answer);
  if (problem?.code === 'invalid_request') throw new AppError('invalid_request', problem.detail, { field: problem.field });
  if (problem?.code === 'paid_plan_runs') throw new AppError('paid_plan_runs', problem.detail);
  if (answer.status === 429) throw new AppError('rate_limited', 'Try again later.', { retryAfterSeconds: Math.max(1, Number(answer.headers['retry-after']) || 60) });
  throw new AppError('bad_gateway', 'Try again in a minute.', { cause: new Error(`${step} answered ${answer.status}`) });
}

function problemIn({ body }: Answer): Problem | undefined {
  try {
    return JSON.parse(body.toString('utf8')) as Problem;
  } catch {
    return undefined;
  }
}
