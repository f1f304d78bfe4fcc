import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Secret } from '../platform/secret.ts';

const FILE = join(import.meta.dirname, '..', 'realm-export.json');
const VARIABLE = /\$\{([A-Z][A-Z0-9_]*)(?::([^}]*))?\}/g;
const PROFILE_KEY = 'kc.user.profile.config';

interface Named {
  name: string;
  description?: string;
}

export interface ShippedClient {
  clientId: string;
  attributes: Record<string, string>;
  protocolMappers?: { name: string; config: Record<string, string> }[];
  [field: string]: unknown;
}

export interface ShippedFlow {
  alias: string;
  description: string;
  topLevel: boolean;
  authenticationExecutions: { authenticator?: string; flowAlias?: string; authenticatorConfig?: string; requirement: string; priority: number }[];
}

/** The parts of realm-export.json that a realm takes up; its other settings (lifetimes, theme, mail server …) stay the realm's own. */
export interface Shipped {
  roles: { realm: Named[]; client: Record<string, Named[]> };
  groups: { name: string; path: string }[];
  clients: ShippedClient[];
  scopeMappings: { client: string; roles: string[] }[];
  clientScopeMappings: Record<string, { client: string; roles: string[] }[]>;
  users: { username: string; serviceAccountClientId: string; clientRoles: Record<string, string[]> }[];
  clientProfiles: { profiles: (Named & { executors: unknown[] })[] };
  clientPolicies: { policies: (Named & { enabled: boolean; conditions: unknown[]; profiles: string[] })[] };
  authenticationFlows: ShippedFlow[];
  authenticatorConfig: { alias: string; config: Record<string, string> }[];
  /** Of the user profile, what it has beyond Keycloak's own. */
  attributes: { name: string; [field: string]: unknown }[];
}

const TAKEN = ['roles', 'groups', 'clients', 'scopeMappings', 'clientScopeMappings', 'users', 'clientProfiles', 'clientPolicies', 'authenticationFlows', 'authenticatorConfig'] as const;
const KEYCLOAKS_ATTRIBUTES = new Set(['username', 'email', 'firstName', 'lastName']);

/** With its `${NAMES}` as they stand. */
export function readShipped(file = FILE): Shipped {
  const realm = JSON.parse(readFileSync(file, 'utf8'));
  const [provider] = realm.components['org.keycloak.userprofile.UserProfileProvider'];
  const profile = JSON.parse(provider.config[PROFILE_KEY][0]) as { attributes: Shipped['attributes'] };
  const taken = Object.fromEntries(TAKEN.map((part) => [part, realm[part]])) as Omit<Shipped, 'attributes'>;
  return { ...taken, attributes: profile.attributes.filter(({ name }) => !KEYCLOAKS_ATTRIBUTES.has(name)) };
}

/** The variables that must be set: those without a default. */
export function variablesOf(shipped: Shipped): string[] {
  const found = [...JSON.stringify(shipped).matchAll(VARIABLE)].flatMap(([, name = '', fallback]) => (fallback === undefined ? [name] : []));
  return [...new Set(found)];
}

export function fillIn(shipped: Shipped, variables: ReadonlyMap<string, string | Secret>): Shipped {
  return JSON.parse(JSON.stringify(shipped), (_, value: unknown) =>
    typeof value === 'string' ? value.replaceAll(VARIABLE, (_, name: string, fallback = '') => reveal(variables.get(name) ?? fallback)) : value,
  ) as Shipped;
}

function reveal(value: string | Secret): string {
  return typeof value === 'string' ? value : value.reveal();
}

export interface StepSettings {
  values: Record<string, string>;
  /** The keys that say where something is: kept equal to the environment. Others are the admin's, once they are there. */
  addresses: readonly string[];
}

/** How a step is set up in the realm file. */
export function settingsOf(authenticator: string, raw: Shipped, filledIn: Shipped): StepSettings {
  const execution = raw.authenticationFlows.flatMap((flow) => flow.authenticationExecutions).find((one) => one.authenticator === authenticator && one.authenticatorConfig);
  const named = ({ alias }: { alias: string }): boolean => alias === execution?.authenticatorConfig;
  const values = filledIn.authenticatorConfig.find(named)?.config ?? {};
  const written = raw.authenticatorConfig.find(named)?.config ?? {};
  return { values, addresses: Object.keys(written).filter((key) => written[key]?.includes('${')) };
}
