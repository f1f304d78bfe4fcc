import { text } from '../../pages/show.ts';
import { PERIODS, PRICED_PLANS, type Amount } from '../../remote-billing/account-messages.ts';
import type { PlaceName, Read, SupportAct } from './support-bridge.ts';

export type Input = Readonly<Record<string, unknown>>;

const SEATS = /^\d{1,7}$/;
const TOTAL = /^\d{1,15}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** What a form asks for, without the amount that is agreed to. */
type Wish = Readonly<Record<string, string | number | boolean>>;

/** What will happen, before anybody says yes: a sentence, and the amounts where there are any. */
export interface Outlook {
  /** Behind `staff.will.`. */
  sentence: string;
  values?: Readonly<Record<string, string>>;
  /** Shown as days. */
  days?: Readonly<Record<string, number>>;
  amount?: Amount & { currency: string; tax_percent: number };
  /** Money goes back to them, or is charged. */
  back?: boolean;
  /** Of a running period; taken off the amount already. */
  credit?: number;
  /** Goes into the confirming form. */
  agreed?: Readonly<Record<string, number>>;
}

export interface SupportForm {
  call: SupportAct;
  /** Undefined: not to be read. */
  wish(input: Input, place: PlaceName): Wish | undefined;
  look(read: Read, place: PlaceName, wish: Wish): Promise<Outlook> | Outlook;
  /** What was agreed to, as the call names it; undefined where the form should have it and has not. */
  agreed?(input: Input, wish: Wish): Readonly<Record<string, number>> | undefined;
}

const total = (input: Input): { total: number } | undefined => (TOTAL.test(line(input, 'total')) ? { total: Number(line(input, 'total')) } : undefined);

/** By the value of `act`. */
export const SUPPORT_FORMS: Readonly<Record<string, SupportForm>> = {
  change: {
    call: 'plan/change',
    wish: (input) => {
      const [type, period, seats] = [PRICED_PLANS.find((one) => one === input['type']), PERIODS.find((one) => one === input['period']), seatsIn(input)];
      return type && period && seats !== undefined ? { type, period, seats, when: input['when'] === 'at_end' ? 'at_end' : 'now' } : undefined;
    },
    look: async (read, place, wish) => {
      const quote = await read('plan/quote', { ...place, ...wish } as Parameters<typeof read<'plan/quote'>>[1]);
      const values = { plan: String(wish['type']), seats: String(wish['seats']), period: String(wish['period']) };
      return { sentence: `change.${String(wish['when'])}`, values, days: { date: quote.begins_at }, amount: quote, credit: quote.credit.total, agreed: { total: quote.total } };
    },
    agreed: total,
  },
  give: {
    call: 'plan/give',
    wish: (input) => {
      const written = line(input, 'ends_on');
      const endsAt = DAY.test(written) ? Date.parse(`${written}T23:59:59Z`) / 1000 : Number.NaN;
      if (input['type'] === 'community' && written === '') return { type: 'community' };
      return (input['type'] === 'legacy' || input['type'] === 'community') && Number.isInteger(endsAt) ? { type: input['type'], ends_at: endsAt } : undefined;
    },
    look: (_read, _place, { type, ends_at: endsAt }) =>
      endsAt === undefined ? { sentence: 'give.open', values: { plan: String(type) } } : { sentence: 'give.until', values: { plan: String(type) }, days: { date: Number(endsAt) } },
  },
  seats: {
    call: 'plan/seats',
    wish: (input) => {
      const seats = seatsIn(input);
      return seats === undefined ? undefined : { seats };
    },
    look: async (read, place, wish) => {
      const quote = await read('plan/seats/quote', { ...place, seats: Number(wish['seats']) });
      const more = quote.seats > quote.now;
      return { sentence: more ? 'seats.more' : 'seats.fewer', values: { seats: String(quote.seats), now: String(quote.now) }, days: { date: quote.counts_from }, ...(more && { amount: quote }), agreed: { total: quote.total } };
    },
    agreed: total,
  },
  renewal: {
    call: 'plan/renewal',
    wish: (input) => ({ renews: input['renews'] === 'yes' }),
    look: (_read, _place, { renews }) => ({ sentence: renews === true ? 'renewal.yes' : 'renewal.no' }),
  },
  unschedule: { call: 'plan/unschedule', wish: () => ({}), look: () => ({ sentence: 'unschedule' }) },
  end: {
    call: 'plan/end',
    wish: () => ({}),
    look: async (read, place) => {
      const quote = await read('plan/end/quote', place);
      return { sentence: 'end.keep', values: { plan: quote.plan } };
    },
  },
  end_back: {
    call: 'plan/end',
    wish: () => ({}),
    look: async (read, place) => {
      const quote = await read('plan/end/quote', place);
      return { sentence: 'end.back', values: { plan: quote.plan }, amount: quote, back: true, agreed: { total: quote.total } };
    },
    agreed: (input) => {
      const agreed = total(input);
      return agreed && { give_back: agreed.total };
    },
  },
  approve: { ...decision('approve') },
  decline: { ...decision('decline') },
  standing: {
    call: 'standing',
    wish: (input, place) => standingOf(line(input, 'user_id'), place, input['active'] === 'yes'),
    look: (_read, _place, { kind, active }) => ({ sentence: `standing.${String(kind)}.${active === true ? 'back' : 'off'}` }),
  },
};

function decision(word: 'approve' | 'decline'): SupportForm {
  return {
    call: 'sponsorship/decide',
    wish: (input) => (UUID.test(line(input, 'sponsorship_id')) ? { sponsorship_id: line(input, 'sponsorship_id'), decision: word } : undefined),
    look: () => ({ sentence: word }),
  };
}

/** Of somebody, or of the place itself. */
function standingOf(userId: string, { kind, uuid }: PlaceName, active: boolean): Wish | undefined {
  if (userId === '') return { kind, uuid, active };
  return UUID.test(userId) ? { kind: 'user', uuid: userId, active } : undefined;
}

function seatsIn(input: Input): number | undefined {
  const written = line(input, 'seats');
  return SEATS.test(written) && Number(written) > 0 ? Number(written) : undefined;
}

export function line(input: Input, name: string): string {
  return (text(input[name]) ?? '').trim();
}
