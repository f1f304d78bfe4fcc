import type { Check, Fault, Faults } from './check.ts';
import { liveSteps, whyNotLast, type Step } from './flow-tree.ts';
import { EXPIRATION_EXECUTOR, EXPIRATION_STEP, FORM_ACTION, FORM_PAGE, PROVIDER_CREATION, TOKEN_STEP } from './provider-ids.ts';
import type { View } from './view.ts';

const STOCK_CREATION = 'registration-user-creation';
const STEP_LAST = `Authentication → the flow: put everything that it has into one sub-flow, REQUIRED, and "Trial: end" behind it, REQUIRED, as its last step; then Action → Bind flow.`;

/** The ways to a session or a token, and what stands on each: SECURITY.md 4 and 6. */
export const flowChecks: readonly Check[] = [
  { name: 'browser-flow', run: endsWithStep('browserFlow'), advice: STEP_LAST },
  { name: 'direct-grant-flow', run: endsWithStep('directGrantFlow'), advice: STEP_LAST },
  { name: 'reset-credentials-flow', run: endsWithStep('resetCredentialsFlow'), advice: `${STEP_LAST} A forgotten password signs in without the browser flow.` },
  {
    name: 'registration-flow',
    run: registrationFlow,
    advice:
      'Authentication → the registration flow: "Trial: invitation" REQUIRED before the form; the form "Trial: registration page"; in it "Trial: account creation" REQUIRED in the place of "Registration User Profile Creation". Then Action → Bind flow.',
  },
  {
    name: 'first-broker-login-flow',
    run: firstBrokerFlows,
    advice: 'Authentication → that flow: take the step out, or put "Trial: invitation", REQUIRED, before it (npm run realm -- apply does, in a copy); or choose "vestibule first broker login" as the first login flow.',
  },
  { name: 'post-broker-flow', run: postBrokerFlows, advice: 'Identity providers → that one → Post login flow: "vestibule post broker login".' },
  { name: 'client-flow-overrides', run: flowOverrides, advice: 'Clients → that one → Advanced → Authentication flow overrides: take it away, or give its flow "Trial: end" as the last step, REQUIRED.' },
  {
    name: 'client-policy',
    run: clientPolicy,
    advice: `Realm settings → Client policies: a profile with ${EXPIRATION_EXECUTOR}, and an enabled policy with the condition any-client that has it; refresh and code exchange run no flow.`,
  },
];

type BoundFlow = 'browserFlow' | 'directGrantFlow' | 'resetCredentialsFlow';

function endsWithStep(binding: BoundFlow): Check['run'] {
  return async ({ realm, steps }) => {
    const alias = realm[binding];
    if (alias === undefined) return [`${binding} is not bound`];
    const why = whyNotLast(await steps(alias), EXPIRATION_STEP);
    return why === undefined ? [] : [`${binding} "${alias}" ${why}`];
  };
}

async function registrationFlow({ realm, steps }: View): Promise<Faults> {
  const alias = realm.registrationFlow;
  if (alias === undefined) return ['registrationFlow is not bound'];
  const top = (await steps(alias)).filter(({ requirement }) => requirement !== 'DISABLED');
  const ours = top.findIndex(({ providerId }) => providerId === FORM_PAGE);
  const form = ours >= 0 ? ours : top.findIndex(({ steps: inner }) => inner !== undefined);
  const invitation = top.findIndex(({ providerId, requirement }) => providerId === TOKEN_STEP && requirement === 'REQUIRED');
  const actions = liveSteps(top[form]?.steps ?? []);
  const faults = [
    invitation >= 0 ? '' : `has no REQUIRED ${TOKEN_STEP}`,
    invitation > form && form >= 0 ? `has ${TOKEN_STEP} after the form` : '',
    top.some(({ requirement }) => requirement === 'ALTERNATIVE') ? `has ALTERNATIVE steps beside ${TOKEN_STEP}` : '',
    top[form]?.providerId === FORM_PAGE ? '' : `does not show ${FORM_PAGE}: the invited address is not locked`,
    top[form] === undefined || top[form].requirement === 'REQUIRED' ? '' : 'has a form that is not REQUIRED',
    isRequired(actions, FORM_ACTION) ? '' : `has no REQUIRED ${FORM_ACTION}`,
    actions.some(({ providerId }) => providerId === STOCK_CREATION) ? `has ${STOCK_CREATION}, which makes accounts without asking the bridge` : '',
  ];
  return faults.filter(Boolean).map((fault) => `registrationFlow "${alias}" ${fault}`);
}

function isRequired(steps: readonly Step[], providerId: string): boolean {
  return steps.some((step) => step.providerId === providerId && step.requirement === 'REQUIRED');
}

/** The realm's own, and those that identity providers choose instead. */
async function firstBrokerFlows({ realm, identityProviders, steps }: View): Promise<Faults> {
  const users = new Map<string, string>();
  if (realm.firstBrokerLoginFlow) users.set(realm.firstBrokerLoginFlow, 'the realm');
  for (const { alias, enabled, firstBrokerLoginFlowAlias: chosen } of await identityProviders()) {
    if (enabled !== false && chosen && !users.has(chosen)) users.set(chosen, `identity provider ${alias}`);
  }
  const found = await Promise.all([...users].map(async ([alias, whose]) => firstBrokerFaults(await steps(alias)).map((fault) => `"${alias}" of ${whose} ${fault}`)));
  return found.flat();
}

function firstBrokerFaults(steps: readonly Step[]): readonly string[] {
  const all = liveSteps(steps);
  const creates = all.findIndex(({ providerId }) => providerId === 'idp-create-user-if-unique');
  const signsUp = all.findIndex(({ providerId }) => providerId === PROVIDER_CREATION);
  // Deeper down it may stand in an alternative that nobody takes.
  const guard = steps.find(({ providerId, requirement }) => providerId === TOKEN_STEP && requirement === 'REQUIRED');
  const guarded = guard === undefined ? -1 : all.indexOf(guard);
  const isGuarded = (step: number): boolean => guarded >= 0 && guarded < step;
  return [
    creates >= 0 && !isGuarded(creates) ? 'creates users without an invitation (idp-create-user-if-unique)' : '',
    signsUp >= 0 && !isGuarded(signsUp) ? `has ${PROVIDER_CREATION} without ${TOKEN_STEP} before it: nobody who is new comes through` : '',
    all.some(({ providerId }) => providerId === 'idp-auto-link') ? 'links accounts by itself (idp-auto-link)' : '',
  ].filter(Boolean);
}

async function postBrokerFlows({ identityProviders, steps }: View): Promise<Faults> {
  const enabled = (await identityProviders()).filter((one) => one.enabled !== false);
  const found = await Promise.all(
    enabled.map(async ({ alias, postBrokerLoginFlowAlias: chosen }): Promise<readonly Fault[]> => {
      if (!chosen) return [`identity provider ${alias} has no post-login flow: a later login by it runs no other`];
      const why = whyNotLast(await steps(chosen), EXPIRATION_STEP);
      return why === undefined ? [] : [occupied(alias, chosen, why)];
    }),
  );
  return found.flat();
}

/** It has steps of somebody's, which stay. */
function occupied(alias: string, flow: string, why: string): Fault {
  return {
    detail: `the post-login flow "${flow}" of identity provider ${alias} ${why}`,
    advice: `Keep its own steps: Authentication → "${flow}" → Action → Duplicate; in the copy add "Trial: end" as the last step, REQUIRED; then Identity providers → ${alias} → Post login flow: the copy.`,
  };
}

/** A client's own flow is as good as the realm's when it ends with the step. */
async function flowOverrides({ clients, flows, steps }: View): Promise<Faults> {
  const overrides = clients.flatMap(({ clientId, authenticationFlowBindingOverrides: own }) =>
    Object.entries(own ?? {}).filter(([, flowId]) => Boolean(flowId)).map(([kind, flowId]) => ({ clientId, kind, flowId })),
  );
  const all = overrides.length === 0 ? [] : await flows();
  const found = await Promise.all(
    overrides.map(async ({ clientId, kind, flowId }) => {
      const alias = all.find(({ id }) => id === flowId)?.alias;
      const why = alias === undefined ? 'does not exist' : whyNotLast(await steps(alias), EXPIRATION_STEP);
      return why === undefined ? [] : [`client ${clientId} overrides the ${kind} flow, and "${alias ?? flowId}" ${why}`];
    }),
  );
  return found.flat();
}

interface Profiles {
  profiles?: readonly { name: string; executors?: readonly { executor: string }[] }[];
}

interface Policies {
  policies?: readonly { name: string; enabled?: boolean; conditions?: readonly { condition: string }[]; profiles?: readonly string[] }[];
}

async function clientPolicy({ read }: View): Promise<Faults> {
  const [profiles, policies] = await Promise.all([read<Profiles>('/client-policies/profiles'), read<Policies>('/client-policies/policies')]);
  const guarding = new Set((profiles?.profiles ?? []).filter((one) => one.executors?.some(({ executor }) => executor === EXPIRATION_EXECUTOR)).map(({ name }) => name));
  const everywhere = (policies?.policies ?? []).some(
    ({ enabled, profiles: used = [], conditions = [] }) =>
      enabled === true && used.some((name) => guarding.has(name)) && conditions.length > 0 && conditions.every(({ condition }) => condition === 'any-client'),
  );
  return everywhere ? [] : [`no enabled policy for any client runs ${EXPIRATION_EXECUTOR}`];
}
