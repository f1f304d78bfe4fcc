import { AppError } from '../../platform/problem.ts';
import { text } from '../pages/show.ts';
import { GIFT_PLANS, PERIODS, PRICED_PLANS, type PlanChange, type Quote, type SeatsQuote, type Wanted } from './account-messages.ts';
import type { BillingPage, Over, Refused, Steps } from './billing-bridge.ts';
import { limited } from './sign-in.routes.ts';

const SEATS = /^\d{1,7}$/;
const TOTAL = /^\d{1,15}$/;

/** What a page says after something was done, or was not. */
export const NOTES = ['saved', 'seats', 'renewal', 'unscheduled', 'begun', 'scheduled', 'user', 'asked'] as const;
export const WARNINGS = ['changed', 'last_one', 'pending', 'paid_plan_runs'] as const;
export type Note = (typeof NOTES)[number] | (typeof WARNINGS)[number];

export type Input = Readonly<Record<string, unknown>>;

export type Acted =
  /** Shown by a fresh GET of that page. */
  | { result: 'note'; note: Note; page?: BillingPage }
  /** The same page with what was typed, and the field that is wrong. */
  | { result: 'again'; field?: string | undefined; quote?: { quote: Quote; wanted: Wanted }; seats?: SeatsQuote; warning?: Note }
  | { result: 'gone' }
  | Over
  | Refused;

/** A call of the bridge with this session. */
export type Call = <Step extends keyof Steps>(step: Step, message: Omit<Steps[Step]['message'], 'session_id'>) => Promise<Steps[Step]['answer']>;
type Act = (call: Call, input: Input) => Promise<Acted>;

/** What the forms of a page may ask for, by the value of their button. */
export const ACTS: Readonly<Partial<Record<BillingPage, Readonly<Record<string, Act>>>>> = {
  billing: {
    details: async (call, input) => {
      const details = {
        legal_name: line(input, 'legal_name'),
        postal_address: (text(input['postal_address']) ?? '').replaceAll('\r\n', '\n').trim(),
        vat_id: line(input, 'vat_id'),
        purchase_order: line(input, 'purchase_order'),
        invoice_recipients: line(input, 'invoice_recipients').split(/[\s,;]+/).filter(Boolean),
      };
      return noted(await call('account/save', details), 'saved');
    },
    seats: async (call, input) => (SEATS.test(line(input, 'seats')) ? seatsQuoted(call, Number(line(input, 'seats'))) : { result: 'again', field: 'seats' }),
    agree_seats: async (call, input) => {
      const [seats, total] = [line(input, 'seats'), line(input, 'total')];
      if (!SEATS.test(seats) || !TOTAL.test(total)) return { result: 'again', field: 'seats' };
      const agreed = await call('plan/seats', { seats: Number(seats), total: Number(total) });
      return agreed.result === 'changed' ? seatsQuoted(call, Number(seats), 'changed') : noted(agreed, 'seats');
    },
    renewal: async (call, input) => noted(await call('plan/renewal', { renews: line(input, 'renews') === 'yes' }), 'renewal'),
    unschedule: async (call) => noted(await call('plan/unschedule', {}), 'unscheduled'),
    user: async (call, input) => {
      const done = await call('users/deactivate', { user_id: line(input, 'user_id') });
      if (done.result === 'deactivated') return { result: 'note', note: 'user' };
      if (done.result === 'over' || done.result === 'refused') return done;
      return { result: 'note', note: done.result === 'last_one' ? 'last_one' : 'changed' };
    },
  },
  upgrade: {
    quote: async (call, input) => {
      const wanted = wantedIn(input);
      return wanted ? quoted(call, wanted) : { result: 'again', field: 'seats' };
    },
    agree: async (call, input) => {
      const [wanted, total] = [wantedIn(input), line(input, 'total')];
      if (!wanted || !TOTAL.test(total)) return { result: 'again', field: 'seats' };
      const agreed = await call('plan/agree', { ...wanted, total: Number(total) });
      // Not for the price that was shown: the one of now is shown, and asked about.
      return agreed.result === 'changed' ? quoted(call, wanted, 'changed') : noted(agreed, 'begun', 'billing');
    },
  },
  sponsorship: {
    ask: async (call, input) => {
      const requested = GIFT_PLANS.find((plan) => plan === input['requested_plan']);
      const wish = {
        organization_type: line(input, 'organization_type'),
        website: line(input, 'website'),
        description: (text(input['description']) ?? '').replaceAll('\r\n', '\n').trim(),
        expected_users: line(input, 'expected_users'),
        paid_users: line(input, 'paid_users'),
      };
      const empty = (['organization_type', 'description', 'expected_users'] as const).find((name) => wish[name] === '');
      if (!requested || empty) return { result: 'again', field: empty ?? 'requested_plan' };
      const asked = await call('sponsorship/ask', { ...wish, requested_plan: requested });
      return asked.result === 'over' || asked.result === 'refused' ? asked : { result: 'note', note: asked.result };
    },
  },
  deactivate: {
    deactivate: async (call) => {
      const done = await call('server/deactivate', {}).catch(paidPlanRuns);
      if (done.result === 'deactivated') return { result: 'gone' };
      if (done.result === 'over' || done.result === 'refused') return done;
      return { result: 'note', note: done.result === 'paid_plan_runs' ? 'paid_plan_runs' : 'changed' };
    },
  },
};

async function quoted(call: Call, wanted: Wanted, warning?: Note): Promise<Acted> {
  const quote = await call('plan/quote', wanted);
  if (quote.result === 'quote') return { result: 'again', quote: { quote, wanted }, ...(warning && { warning }) };
  return quote.result === 'changed' ? { result: 'again', warning: 'changed' } : quote;
}

async function seatsQuoted(call: Call, seats: number, warning?: Note): Promise<Acted> {
  const quote = await call('plan/seats/quote', { seats });
  if (quote.result === 'quote') return { result: 'again', seats: quote, ...(warning && { warning }) };
  return quote.result === 'changed' ? { result: 'note', note: 'changed' } : quote;
}

function noted(change: PlanChange, note: Note, page?: BillingPage): Acted {
  if (change.result === 'over' || change.result === 'refused') return change;
  const said = change.result === 'changed' ? 'changed' : change.result === 'scheduled' ? 'scheduled' : note;
  return { result: 'note', note: said, ...(page && { page }) };
}

function wantedIn(input: Input): Wanted | undefined {
  const [type, period, seats] = [PRICED_PLANS.find((one) => one === input['type']), PERIODS.find((one) => one === input['period']), line(input, 'seats')];
  return type && period && SEATS.test(seats) ? { type, period, seats: Number(seats), when: input['when'] === 'at_end' ? 'at_end' : 'now' } : undefined;
}

function line(input: Input, name: string): string {
  return (text(input[name]) ?? '').trim();
}

function paidPlanRuns(error: unknown): { result: 'paid_plan_runs' } {
  if (error instanceof AppError && error.code === 'paid_plan_runs') return { result: 'paid_plan_runs' };
  throw error;
}

/** What the bridge refuses of a form, or asks to wait for. */
export function refusedForm(error: unknown): Extract<Acted, { result: 'again' }> | ReturnType<typeof limited> {
  if (error instanceof AppError && error.code === 'invalid_request') return { result: 'again', field: error.field?.split('.')[0] };
  return limited(error);
}
