import type { Products } from '../../platform/products.ts';
import type { Check, Fault, Faults } from './check.ts';
import { liveSteps, type Step } from './flow-tree.ts';
import { EXPIRATION_STEP, FORM_ACTION, TOKEN_STEP } from './provider-ids.ts';
import { adminRolesWithin } from './role.ts';
import type { View } from './view.ts';

const STAMP = 'trial_stamp';
const MOST_MILLISECONDS = 10_000;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);
const GEAR = 'Authentication → the flow → the gear of that step: correct it there; realm-export.json has an example under authenticatorConfig.';
/** Keycloak's, and ours in its place. */
const PASSWORD_ACTIONS: ReadonlySet<string> = new Set(['registration-password-action', 'trial-password-action']);
const ALWAYS_SET_PASSWORD = 'always_set_password_on_register_form';

type Settings = Readonly<Record<string, string>>;

/** What is entered at the gears of our steps: SECURITY.md 2 and 26. */
export const stepSettingChecks: readonly Check[] = [
  { name: 'step-settings', run: stepSettings, advice: GEAR },
  { name: 'allowed-roles', run: allowedRoles, advice: `${GEAR} products.yaml names the roles that trials grant.` },
];

async function stepSettings(view: View): Promise<Faults> {
  const ours = await configuredSteps(view);
  const faults = ours.flatMap(({ step, settings }) => faultsOf(step, settings, view).map((fault) => `${step.providerId} in "${step.name}" ${fault}`));
  const bridges = new Set(ours.flatMap(({ settings }) => settings?.['bridgeUrl'] ?? []));
  return [
    ...new Set(faults),
    ...(bridges.size > 1 ? [`the steps call different bridges: ${[...bridges].join(', ')}`] : []),
    ...(await passwordFaults(view)),
  ];
}

interface Configured {
  step: Step;
  /** Undefined where nothing was entered. */
  settings: Settings | undefined;
}

/** Our steps in the flows that somebody can come through. */
async function configuredSteps(view: View): Promise<readonly Configured[]> {
  const steps = (await usedSteps(view)).filter(({ providerId }) => [TOKEN_STEP, FORM_ACTION, EXPIRATION_STEP].includes(providerId ?? ''));
  return Promise.all(steps.map(async (step) => ({ step, settings: await settingsOf(view, step) })));
}

async function usedSteps({ realm, clients, flows, identityProviders, steps }: View): Promise<readonly Step[]> {
  const brokers = (await identityProviders()).flatMap((one) => [one.firstBrokerLoginFlowAlias, one.postBrokerLoginFlowAlias]);
  const overriding = new Set(clients.flatMap(({ authenticationFlowBindingOverrides: own }) => Object.values(own ?? {})));
  const ofClients = overriding.size === 0 ? [] : (await flows()).filter(({ id }) => overriding.has(id)).map(({ alias }) => alias);
  const bound = [realm.browserFlow, realm.registrationFlow, realm.directGrantFlow, realm.resetCredentialsFlow, realm.firstBrokerLoginFlow];
  const aliases = new Set([...bound, ...brokers, ...ofClients].flatMap((alias) => alias || []));
  const all = await Promise.all([...aliases].map((alias) => steps(alias)));
  return all.flatMap(liveSteps);
}

async function settingsOf({ read }: View, { configId }: Step): Promise<Settings | undefined> {
  return configId === undefined ? undefined : (await read<{ config?: Settings }>(`/authentication/config/${configId}`))?.config;
}

function faultsOf({ providerId }: Step, settings: Settings | undefined, view: View): readonly string[] {
  if (settings === undefined) return ['has no settings'];
  return [
    addressFault(settings['bridgeUrl'], view.config.development),
    ...['connectTimeoutMillis', 'totalTimeoutMillis'].map((key) => limitFault(key, settings[key])),
    ...(providerId === TOKEN_STEP ? invitationFaults(settings, view) : []),
    ...(providerId === EXPIRATION_STEP ? [timeZoneFault(settings['timeZone'])] : []),
  ].filter((fault) => fault !== '');
}

function addressFault(address: string | undefined, development: boolean): string {
  if (!address || !URL.canParse(address)) return `has no address in bridgeUrl: ${address ?? 'nothing'}`;
  const { protocol, hostname } = new URL(address);
  if (protocol === 'https:' || (protocol === 'http:' && (development || LOOPBACK.has(hostname)))) return '';
  return `has a bridgeUrl that is not https: ${address}`;
}

/** Unset is the default. */
function limitFault(key: string, value: string | undefined): string {
  if (value === undefined || value === '') return '';
  const milliseconds = Number(value);
  if (!Number.isInteger(milliseconds) || milliseconds <= 0) return `has ${key} ${value}, which is no number of milliseconds`;
  return milliseconds <= MOST_MILLISECONDS ? '' : `waits up to ${milliseconds} ms (${key}): every sign-in of a person with a trial would, each holding a database connection`;
}

function invitationFaults(settings: Settings, view: View): readonly string[] {
  const rule = settings['withoutInvitation'] ?? '';
  const exceptions = values(settings['withoutInvitationExceptions']).map((entry) => /^(.+)=(allow|deny)$/.exec(entry) ?? [entry]);
  return [
    ['', 'deny', 'allow'].includes(rule) ? '' : `has withoutInvitation ${rule}: it knows allow and deny`,
    ...exceptions.map(([entry, clientId]) => {
      if (clientId === undefined) return `has the exception ${entry}: write client-id=allow or client-id=deny`;
      return view.client(clientId) === undefined ? `has an exception for the client ${clientId}, which does not exist` : '';
    }),
    ...view.products.flatMap(({ id, clients }) => clients.filter((clientId) => isOpen(clientId, rule, exceptions)).map((clientId) => `lets people register at ${clientId}, a client of product ${id}, without an invitation`)),
  ];
}

function isOpen(clientId: string, rule: string, exceptions: readonly (readonly string[])[]): boolean {
  const own = exceptions.find(([, one]) => one === clientId)?.[2];
  return (own ?? rule) === 'allow';
}

function timeZoneFault(zone: string | undefined): string {
  if (zone === undefined || zone === '') return '';
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone }).format();
    return '';
  } catch {
    return `has timeZone ${zone}, which is no IANA time zone`;
  }
}

/** Where addresses are verified, 26.7 leaves the password out of the form unless told otherwise. */
async function passwordFaults(view: View): Promise<readonly string[]> {
  if (view.realm['verifyEmail'] !== true || view.realm.registrationFlow === undefined) return [];
  const action = liveSteps(await view.steps(view.realm.registrationFlow)).find(({ providerId }) => PASSWORD_ACTIONS.has(providerId ?? ''));
  if (action === undefined) return [];
  const settings = await settingsOf(view, action);
  return settings?.[ALWAYS_SET_PASSWORD] === 'true' ? [] : [`${action.providerId} needs ${ALWAYS_SET_PASSWORD}: the realm verifies addresses, and the form would have no password`];
}

/** What the jar may grant on the bridge's word: what products.yaml asks for, and nothing that administers the realm. */
async function allowedRoles(view: View): Promise<Faults> {
  const actions = (await configuredSteps(view)).filter(({ step }) => step.providerId === FORM_ACTION);
  const found = await Promise.all(actions.map(({ settings }) => grantFaults(view, settings ?? {})));
  return found.flat();
}

async function grantFaults(view: View, settings: Settings): Promise<readonly Fault[]> {
  const [roles, attributes] = [values(settings['allowedRoles']), values(settings['allowedAttributes'])];
  const wanted = rolesOf(view.products);
  const admin = await Promise.all(
    roles.map(async (name) => {
      const role = await view.read<{ id: string }>(`/roles/${encodeURIComponent(name)}`);
      if (role === undefined) return [`allows the role ${name}, which does not exist`];
      const within = await adminRolesWithin(view, role.id);
      return within.length === 0 ? [] : [`allows the role ${name}, which holds ${within.join(', ')}`];
    }),
  );
  const group = settings['group'];
  return [
    ...admin.flat(),
    ...wanted.filter((role) => !roles.includes(role)).map((role) => `does not allow the role ${role}, which a product grants: its people get no account`),
    ...roles.filter((role) => !wanted.includes(role)).map((role) => `allows the role ${role}, which no product grants`),
    ...(attributes.includes(STAMP) ? [] : [`does not allow the attribute ${STAMP}: nobody gets an account`]),
    ...attributes.filter((name) => name !== STAMP).map((name) => `allows the attribute ${name}, which the bridge does not set`),
    ...(group && (await view.read(`/group-by-path${group}`)) === undefined ? [`names the group ${group}, which does not exist`] : []),
  ].map((fault) => `${FORM_ACTION} ${fault}`);
}

function rolesOf(products: Products): readonly string[] {
  return [...new Set(products.flatMap(({ roles, converted_roles }) => [...roles, ...converted_roles]))];
}

/** As Keycloak stores a setting of many values. */
function values(setting: string | undefined): readonly string[] {
  return (setting ?? '').split('##').map((one) => one.trim()).filter(Boolean);
}
