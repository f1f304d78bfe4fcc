import { Counter, type Registry } from 'prom-client';
import { durations } from '../../platform/metrics.ts';
import type { Jobs } from '../db/job.ts';
import { EVENT_TYPES, type TrialEventType } from '../webhooks/event-types.ts';
import { BILLING_MAIL_KINDS, type BillingMailKind } from '../db/remote-billing.schema.ts';
import { MAIL_KINDS, type MailKind } from '../db/schema.ts';

/** The way of a sign-up: what a person or Keycloak asked for, and what jobs found out. */
export type Step = 'register' | 'invitation' | 'verify' | 'creation' | 'program_creation' | 'outcome' | 'reconcile' | 'join';
export type MailOutcome = (typeof MAIL_OUTCOMES)[number];
export type WebhookOutcome = (typeof WEBHOOK_OUTCOMES)[number];

const INVITATION_RESULTS: readonly MailKind[] = ['invitation', 'welcome_back', 'trial_ended'];
const MAIL_OUTCOMES = ['sent', 'postponed', 'refused', 'given_up', 'suppressed', 'overtaken', 'not_offered'] as const;
const WEBHOOK_OUTCOMES = ['delivered', 'failed', 'dead'] as const;
/** Besides the codes of problems, and `aborted` where the caller did not wait. */
const STEP_OUTCOMES: Readonly<Record<Step, readonly string[]>> = {
  register: ['accepted'],
  invitation: [...INVITATION_RESULTS, 'blocked', 'suppressed', 'limited', 'erased', 'not_offered'],
  verify: ['valid', 'unknown', 'expired', 'revoked', 'spent'],
  creation: ['reserved', 'superseding', 'repeated'],
  program_creation: ['created', 'repeated'],
  outcome: ['confirmed', 'recorded', 'ignored'],
  reconcile: ['confirmed', 'confirmed_after_all', 'released', 'absent', 'other_attempt_confirmed', 'trial_exists', 'given_up_before'],
  join: ['joined', 'repeated'],
};

/** What is counted while it happens. Labels come from lists of ours: never an address, a token or an id (SECURITY.md 14). */
export interface Meter {
  step(step: Step, outcome: string): void;
  mail(kind: MailKind | BillingMailKind, outcome: MailOutcome): void;
  webhook(type: TrialEventType, outcome: WebhookOutcome): void;
  job(task: keyof Jobs, outcome: 'done' | 'failed', seconds: number): void;
  request(method: string, route: string, status: number): void;
  refusal(route: string, reason: string): void;
  keycloakCall(route: string, outcome: string, seconds: number): void;
}

export function createMeter(registry: Registry): Meter {
  const registers = [registry];
  const steps = new Counter({ name: 'vestibule_sign_up_steps_total', help: 'Steps of sign-ups, by what came of each.', labelNames: ['step', 'outcome'], registers });
  const mails = new Counter({ name: 'vestibule_bridge_mails_total', help: 'Mails handed to the mail server, by kind and by what it said.', labelNames: ['kind', 'outcome'], registers });
  const webhooks = new Counter({ name: 'vestibule_bridge_webhooks_total', help: 'Tries of webhooks, by type of event and by what the app answered; "dead" ones are not tried again.', labelNames: ['type', 'outcome'], registers });
  const requests = new Counter({ name: 'vestibule_bridge_http_requests_total', help: 'HTTP requests by route pattern.', labelNames: ['method', 'route', 'status'], registers });
  const refusals = new Counter({ name: 'vestibule_bridge_refusals_total', help: 'Requests answered with a problem, by its code.', labelNames: ['route', 'reason'], registers });
  const jobs = durations(registry, 'vestibule_bridge_job_duration_seconds', 'Runs of jobs.', ['task', 'outcome']);
  const calls = durations(registry, 'vestibule_bridge_keycloak_call_duration_seconds', "Calls of Keycloak's steps, which people wait for.", ['route', 'outcome']);
  // Prometheus sees no increase in a series that begins at 1.
  for (const [step, outcomes] of Object.entries(STEP_OUTCOMES)) for (const outcome of outcomes) steps.inc({ step, outcome }, 0);
  for (const kind of [...MAIL_KINDS, ...BILLING_MAIL_KINDS]) for (const outcome of MAIL_OUTCOMES) mails.inc({ kind, outcome }, 0);
  for (const type of Object.values(EVENT_TYPES)) for (const outcome of WEBHOOK_OUTCOMES) webhooks.inc({ type, outcome }, 0);
  return {
    step: (step, outcome) => steps.inc({ step, outcome }),
    mail: (kind, outcome) => mails.inc({ kind, outcome }),
    webhook: (type, outcome) => webhooks.inc({ type, outcome }),
    job: (task, outcome, seconds) => jobs.observe({ task, outcome }, seconds),
    request: (method, route, status) => requests.inc({ method, route, status }),
    refusal: (route, reason) => refusals.inc({ route, reason }),
    keycloakCall: (route, outcome, seconds) => calls.observe({ route, outcome }, seconds),
  };
}
