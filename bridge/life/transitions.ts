export const LIFE_STATES = ['invited', 'active', 'ending', 'grace', 'expired', 'converted', 'revoked'] as const;

export type LifeState = (typeof LIFE_STATES)[number];

interface Transition {
  from: readonly LifeState[];
  to: LifeState;
  /** Who may: a person by registering, Keycloak by giving an attempt up, time itself, or whoever has the role `trial-manage`. */
  by: 'person' | 'keycloak' | 'time' | 'manager';
}

/**
 * Every change of a trial's state. What is not here is impossible: a manager gets 409, time and Keycloak change nothing.
 * `register` and `release` are done by the triggers of migration 0015, whichever way a trial row comes or goes. What was revoked
 * or converted before its account was there stays so.
 */
export const TRANSITIONS = {
  register: { by: 'person', from: ['invited'], to: 'active' },
  release: { by: 'keycloak', from: ['active', 'ending', 'grace', 'expired'], to: 'invited' },
  remind: { by: 'time', from: ['active', 'ending'], to: 'ending' },
  end: { by: 'time', from: ['active', 'ending'], to: 'grace' },
  expire: { by: 'time', from: ['grace'], to: 'expired' },
  /** Also brings an expired trial back. */
  extend: { by: 'manager', from: ['active', 'ending', 'grace', 'expired'], to: 'active' },
  /** The same, to an end whose first reminder would be past: nobody is reminded of what they were told just now. */
  extend_shortly: { by: 'manager', from: ['active', 'ending', 'grace', 'expired'], to: 'ending' },
  convert: { by: 'manager', from: ['active', 'ending', 'grace', 'expired'], to: 'converted' },
  revoke: { by: 'manager', from: ['invited', 'active', 'ending', 'grace', 'expired'], to: 'revoked' },
  /** How an erasure begins. What is over stays as it is: nobody is told twice. */
  erase: { by: 'manager', from: ['invited', 'active', 'ending', 'grace', 'converted'], to: 'revoked' },
} as const satisfies Readonly<Record<string, Transition>>;

export type Command = keyof typeof TRANSITIONS;

/** What a manager may ask for, and do again otherwise. */
export const ACTS = ['extend', 'convert', 'revoke'] as const satisfies readonly Command[];
export type Act = (typeof ACTS)[number];

/** Where a command leads from a state; undefined: it is impossible. */
export function next(command: Command, from: LifeState): LifeState | undefined {
  const transition: Transition = TRANSITIONS[command];
  return transition.from.includes(from) ? transition.to : undefined;
}

/** What a manager may ask for in a state. */
export function possible(state: LifeState): readonly Act[] {
  return ACTS.filter((act) => next(act, state) !== undefined);
}
