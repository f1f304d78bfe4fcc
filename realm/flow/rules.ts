import { allSteps, type Flow, type Step } from './tree.ts';

export type Purpose = 'browser' | 'registration' | 'direct grant' | 'reset credentials' | 'first broker login' | 'post broker login';

export const INVITATION = 'trial-token-authenticator';
export const END = 'trial-expiration-authenticator';
/** When the form asks for a password is the realm's affair: its settings stay. */
export const PASSWORD = 'trial-password-action';
export const SUCCESSION = 'vestibule-flow-succession';
const CREATIONS_FROM_PROVIDER: ReadonlySet<string | undefined> = new Set(['idp-create-user-if-unique', 'trial-provider-creation']);

/** Steps of Keycloak that one of ours takes the place of, where the jar's realm file has it. */
const REPLACED: ReadonlyMap<string, string> = new Map([
  ['registration-page-form', 'trial-registration-page'],
  ['registration-user-creation', 'trial-token-form-action'],
  ['registration-password-action', PASSWORD],
  ['auth-username-password-form', 'vestibule-username-password-form'],
  ['reset-credentials-choose-user', 'vestibule-reset-choose-user'],
  ['reset-credential-email', 'vestibule-reset-credential-email'],
  ['idp-create-user-if-unique', 'trial-provider-creation'],
]);
const REPLACED_IN: Readonly<Record<Purpose, readonly string[]>> = {
  browser: ['auth-username-password-form'],
  registration: ['registration-page-form', 'registration-user-creation', 'registration-password-action'],
  'direct grant': [],
  'reset credentials': ['reset-credentials-choose-user', 'reset-credential-email'],
  'first broker login': ['idp-create-user-if-unique'],
  'post broker login': [],
};
const ENDS: ReadonlySet<Purpose> = new Set(['browser', 'direct grant', 'reset credentials', 'post broker login']);

/** What makes a copy of a flow into ours, in this order. */
export type Edit =
  /** All steps go into a REQUIRED sub-flow: beside a REQUIRED step Keycloak ignores ALTERNATIVE ones (DefaultAuthenticationFlow). */
  | { does: 'wrap' }
  /** At the same place, under the same requirement, with the same settings. */
  | { does: 'replace'; step: Step; by: string }
  /** The same for the page of a form, which keeps its steps. */
  | { does: 'replace page'; step: Step; by: string }
  | { does: 'put first'; provider: string }
  | { does: 'put before'; step: Step; provider: string }
  | { does: 'put last'; provider: string };

/** What a flow lacks for its purpose; nothing for one that is ours already. `has` tells which of our steps there are. */
export function editsFor(purpose: Purpose, { steps }: Pick<Flow, 'steps'>, has: (provider: string) => boolean): Edit[] {
  return [
    ...(ENDS.has(purpose) ? endsWithTheTrial(steps) : []),
    ...replacements(purpose, steps, has),
    ...(purpose === 'registration' && firstOf(steps)?.provider !== INVITATION ? [{ does: 'put first', provider: INVITATION } as const] : []),
    ...(purpose === 'first broker login' ? guardedCreation(steps) : []),
  ];
}

function endsWithTheTrial(steps: readonly Step[]): Edit[] {
  const enabled = steps.filter(isEnabled);
  const last = enabled.at(-1);
  const alternatives = enabled.some(({ requirement }) => requirement === 'ALTERNATIVE');
  if (last?.provider === END && last.requirement === 'REQUIRED' && !alternatives) return [];
  return [...(alternatives ? [{ does: 'wrap' } as const] : []), { does: 'put last', provider: END }];
}

function replacements(purpose: Purpose, steps: readonly Step[], has: (provider: string) => boolean): Edit[] {
  return allSteps(steps).flatMap((step): Edit[] => {
    const by = REPLACED.get(step.provider ?? '');
    if (by === undefined || !REPLACED_IN[purpose].includes(step.provider ?? '') || !isEnabled(step) || !has(by)) return [];
    return [{ does: step.subFlow === undefined ? 'replace' : 'replace page', step, by }];
  });
}

/** An identity provider would make an account for anybody; who is invited to that address, or has one already, passes the step. */
function guardedCreation(steps: readonly Step[]): Edit[] {
  const creating = steps.findIndex((step) => allEnabled([step]).some(({ provider }) => CREATIONS_FROM_PROVIDER.has(provider)));
  const step = steps[creating];
  const guarded = steps.slice(0, Math.max(creating, 0)).some(({ provider, requirement }) => provider === INVITATION && requirement === 'REQUIRED');
  return step === undefined || guarded ? [] : [{ does: 'put before', step, provider: INVITATION }];
}

function allEnabled(steps: readonly Step[]): Step[] {
  return steps.filter(isEnabled).flatMap((step) => [step, ...allEnabled(step.subFlow?.steps ?? [])]);
}

function firstOf(steps: readonly Step[]): Step | undefined {
  return steps.find((step) => isEnabled(step) && step.provider !== SUCCESSION);
}

function isEnabled({ requirement }: Step): boolean {
  return requirement !== 'DISABLED';
}

/** What a person reads in the plan. */
export function describe(edit: Edit): string {
  switch (edit.does) {
    case 'wrap':
      return 'its steps go into a REQUIRED sub-flow';
    case 'replace':
    case 'replace page':
      return `${edit.by} takes the place of ${edit.step.provider}`;
    case 'put before':
      return `${edit.provider} stands before ${edit.step.subFlow?.alias ?? edit.step.provider}`;
    default:
      return `${edit.provider} stands ${edit.does === 'put first' ? 'first' : 'last'}`;
  }
}
