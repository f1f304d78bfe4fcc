import { randomUUID } from 'node:crypto';
import type { Asking } from '../../bridge/bridge.ts';
import { text } from '../../pages/show.ts';
import type { Trial } from './trial-wire.ts';

export type Input = Readonly<Record<string, unknown>>;

interface Call {
  path: string;
  message: object;
  how?: Asking;
}

interface TrialAct {
  /** Whether its form stands on the page. The bridge decides again. */
  offered(trial: Trial): boolean;
  /** The field that is wrong, by its name. */
  wrong?(input: Input): string | undefined;
  call(trial: Trial, input: Input): Call;
  /** Asked about once more, on a page of its own. */
  twice?: true;
}

const MOST_DAYS = 3_650;
const LONGEST_PLAN = 64;
const LONGEST_REASON = 500;

const at = ({ id }: Trial, more = '') => `/api/trial/${id}${more}`;
const whose = ({ user_id, product }: Trial) => ({ user_id, product });

/** What staff does with a trial, in the order of its page. */
export const TRIAL_ACTS = {
  extend: {
    offered: ({ possible }) => possible.includes('extend'),
    wrong: (input) => (daysIn(input) === undefined ? 'days' : undefined),
    call: (trial, input) => ({ path: '/api/trial/extend', message: { ...whose(trial), days: daysIn(input) } }),
  },
  resend: {
    offered: ({ erasure, state }) => erasure === null && state !== 'revoked',
    call: (trial) => ({ path: at(trial, '/resend'), message: {} }),
  },
  convert: {
    offered: ({ possible }) => possible.includes('convert'),
    wrong: (input) => (line(input, 'plan').length > LONGEST_PLAN ? 'plan' : undefined),
    call: (trial, input) => ({ path: '/api/trial/completion', message: { ...whose(trial), ...(line(input, 'plan') !== '' && { plan: line(input, 'plan') }) } }),
  },
  revoke: {
    offered: ({ possible }) => possible.includes('revoke'),
    call: (trial) => ({ path: at(trial, '/revoke'), message: {} }),
  },
  erase: {
    offered: ({ erasure }) => erasure !== 'done',
    twice: true,
    call: (trial) => ({ path: at(trial), message: {}, how: { method: 'DELETE' } }),
  },
  allow: {
    offered: ({ erasure, second_trial }) => erasure === 'done' && second_trial === 'refused',
    call: (trial) => ({ path: at(trial, '/allow-again'), message: {} }),
  },
} as const satisfies Readonly<Record<string, TrialAct>>;

export type TrialActName = keyof typeof TRIAL_ACTS;

export function isTrialAct(name: unknown): name is TrialActName {
  return typeof name === 'string' && Object.hasOwn(TRIAL_ACTS, name);
}

export function actNamed(name: TrialActName): TrialAct {
  return TRIAL_ACTS[name];
}

/** The first field that can't be sent as it is. */
export function wrongField(name: TrialActName, input: Input): string | undefined {
  const reason = line(input, 'reason');
  return actNamed(name).wrong?.(input) ?? (reason === '' || reason.length > LONGEST_REASON ? 'reason' : undefined);
}

/** A form pressed twice is done once: `once` stands in it. */
export function callOf(name: TrialActName, trial: Trial, input: Input, actor: string): Required<Call> {
  const { path, message, how = {} } = actNamed(name).call(trial, input);
  const once = line(input, 'once');
  return { path, message: { ...message, reason: line(input, 'reason'), actor }, how: { ...how, idempotencyKey: /^[0-9a-f-]{36}$/.test(once) ? once : randomUUID() } };
}

/** One line without control characters. */
export function line(input: Input, name: string): string {
  return (text(input[name]) ?? '').replace(/\p{Cc}+/gu, ' ').trim();
}

function daysIn(input: Input): number | undefined {
  const written = line(input, 'days');
  const days = /^\d{1,4}$/.test(written) ? Number(written) : 0;
  return days >= 1 && days <= MOST_DAYS ? days : undefined;
}
