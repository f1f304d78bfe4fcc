import { KEEPER } from '../keycloak/nodes.ts';
import type { Check, Fault, Faults } from './check.ts';
import { carriersOf, holdersOf, type Holder } from './holders.ts';
import type { Role } from './role.ts';
import type { Client, View } from './view.ts';

const NEEDED_BY_THE_BRIDGE = ['view-users'];
/** They look, and no more. */
const ALLOWED_FOR_THE_BRIDGE = new Set(['view-users', 'query-users', 'query-groups', 'view-clients', 'query-clients']);
const NEEDED_OF_THE_KEEPER = ['keep-trials'];
const NEEDED_BY_THE_PROXY = ['trial-read', 'trial-manage', 'billing-pages', 'support'];
/** What the bridge lets any client with the role do; the others it asks of the proxy, or of Keycloak's steps, by their names. */
const FOR_PROGRAMS = new Set(['trial-create', 'trial-manage', 'support']);
const HARMLESS_REALM_ROLES = /^(default-roles-.*|offline_access|uma_authorization)$/;

/** SECURITY.md 1 and 15. */
export const serviceAccountChecks: readonly Check[] = [
  {
    name: 'service-account-roles',
    run: async (view) => [...(await bridgeFaults(view)), ...(await proxyFaults(view))],
    advice: 'Clients → that one → Service account roles: assign what is missing, take away what is too much. What a group gives is shown as inherited: the user name on that page → Groups → Leave.',
  },
  {
    name: 'scope-mappings',
    run: scopeMappings,
    advice: 'Clients → that one → Client scopes → its dedicated scope → Scope → Assign role: a role that is not there never reaches a token. Partial import leaves these out.',
  },
  {
    name: 'bridge-roles',
    run: bridgeRoles,
    advice: 'Users, Groups or Clients → that one → Role mapping (Service account roles): unassign it. The roles of the bridge are for service accounts. A person who holds one carries the audience of the bridge in his tokens.',
  },
];

/** Names of roles as a token would have them: by composites, by groups and by the groups above those. */
interface Held {
  realm: readonly string[];
  management: readonly string[];
  bridge: readonly string[];
  keeper: readonly string[];
}

async function rolesHeld(view: View, client: Client): Promise<Held | undefined> {
  if (client.serviceAccountsEnabled !== true) return undefined;
  const account = await view.read<{ id: string }>(`/clients/${client.id}/service-account-user`);
  if (account === undefined) return undefined;
  const names = async (of: string) => (await view.list<Role>(`/users/${account.id}/role-mappings/${of}/composite`)).map(({ name }) => name);
  const ofClient = (clientId: string) => names(`clients/${view.client(clientId)?.id}`);
  const [realm, management, bridge, keeper] = await Promise.all([names('realm'), ofClient('realm-management'), ofClient(view.config.clientId), ofClient(KEEPER)]);
  return { realm: realm.filter((name) => !HARMLESS_REALM_ROLES.test(name)), management, bridge, keeper };
}

async function bridgeFaults(view: View): Promise<readonly string[]> {
  const bridge = view.client(view.config.clientId);
  const held = bridge && (await rolesHeld(view, bridge));
  if (bridge === undefined || held === undefined) return [`${view.config.clientId} has no service account`];
  return [
    ...NEEDED_BY_THE_BRIDGE.filter((role) => !held.management.includes(role)).map((role) => `${bridge.clientId} lacks the role ${role} of realm-management`),
    ...held.management.filter((role) => !ALLOWED_FOR_THE_BRIDGE.has(role)).map((role) => `${bridge.clientId} has the role ${role} of realm-management`),
    ...held.realm.map((role) => `${bridge.clientId} has the realm role ${role}`),
    ...held.bridge.map((role) => `${bridge.clientId} has its own role ${role}`),
    ...NEEDED_OF_THE_KEEPER.filter((role) => !held.keeper.includes(role)).map((role) => `${bridge.clientId} lacks the role ${role} of ${KEEPER}`),
  ];
}

async function proxyFaults(view: View): Promise<readonly string[]> {
  const proxy = view.client(view.config.proxyClientId);
  const held = proxy && (await rolesHeld(view, proxy));
  if (proxy === undefined || held === undefined) return [`${view.config.proxyClientId} has no service account`];
  return [
    ...NEEDED_BY_THE_PROXY.filter((role) => !held.bridge.includes(role)).map((role) => `${proxy.clientId} lacks the role ${role} of ${view.config.clientId}`),
    ...held.bridge.filter((role) => !NEEDED_BY_THE_PROXY.includes(role)).map((role) => `${proxy.clientId} has the role ${role} of ${view.config.clientId}`),
    ...held.management.map((role) => `${proxy.clientId} has the role ${role} of realm-management`),
    ...held.realm.map((role) => `${proxy.clientId} has the realm role ${role}`),
  ];
}

/** What a client may carry into its tokens. */
async function scopeMappings(view: View): Promise<Faults> {
  const { config, products } = view;
  const [proxy, bridge, management] = [view.client(config.proxyClientId), view.client(config.clientId), view.client('realm-management')];
  const wanted = products.flatMap(({ clients, roles, converted_roles }) => (clients.includes(config.proxyClientId) ? [...roles, ...converted_roles] : []));
  const [realmRoles, ofBridge, ofManagement, ofKeeper] = await Promise.all([
    scopeOf(view, proxy, '/realm/composite'),
    scopeOf(view, proxy, `/clients/${bridge?.id}/composite`),
    scopeOf(view, bridge, `/clients/${management?.id}/composite`),
    scopeOf(view, bridge, `/clients/${view.client(KEEPER)?.id}/composite`),
  ]);
  return [
    ...missing(['staff', ...wanted], realmRoles, config.proxyClientId, 'realm role'),
    ...missing(NEEDED_BY_THE_PROXY, ofBridge, config.proxyClientId, `${config.clientId} role`),
    ...missing(NEEDED_BY_THE_BRIDGE, ofManagement, config.clientId, 'realm-management role'),
    ...missing(NEEDED_OF_THE_KEEPER, ofKeeper, config.clientId, `${KEEPER} role`),
  ];
}

async function scopeOf(view: View, client: Client | undefined, path: string): Promise<readonly string[] | undefined> {
  if (client === undefined) return undefined;
  return (await view.list<Role>(`/clients/${client.id}/scope-mappings${path}`)).map(({ name }) => name);
}

function missing(needed: readonly string[], found: readonly string[] | undefined, clientId: string, what: string): readonly string[] {
  return [...new Set(needed)].filter((role) => found?.includes(role) !== true).map((role) => `the scope of ${clientId} lacks the ${what} ${role}`);
}

/** Held by people or groups, by everybody, or by programs that nobody named; those of the jar's endpoint by anybody but the bridge. */
async function bridgeRoles(view: View): Promise<Faults> {
  const { clientId, proxyClientId } = view.config;
  const [bridge, keeper] = [view.client(clientId), view.client(KEEPER)];
  if (bridge === undefined) return [`client ${clientId} does not exist`];
  // The roles of these two are another check's.
  const isOurs = ({ clientId: held }: Holder) => held === clientId || held === proxyClientId;
  return [
    ...(await holdings(view, bridge)).flatMap(({ holder, role, detail }): readonly Fault[] => {
      if (isOurs(holder)) return [];
      if (holder.clientId === undefined || !FOR_PROGRAMS.has(role)) return [detail];
      const named = `${holder.clientId}=${role}`;
      return view.config.knownPrograms.has(named) ? [] : [{ detail, advice: `Clients → ${holder.clientId} → Service account roles: unassign it; or, if that is meant, add ${named} to DOCTOR_KNOWN_PROGRAMS.` }];
    }),
    ...(keeper === undefined ? [] : (await holdings(view, keeper)).filter(({ holder }) => holder.clientId !== clientId).map(({ detail }) => detail)),
  ];
}

interface Holding {
  holder: Holder;
  role: string;
  detail: string;
}

/** Who has which role of a client. */
async function holdings(view: View, owner: Client): Promise<readonly Holding[]> {
  const carriers = await carriersOf(view, await view.list<Role>(`/clients/${owner.id}/roles`));
  const found = await Promise.all(
    carriers.map(async ({ role, holds }) => {
      const holders = role.id === view.realm.defaultRole?.id ? [{ name: role.name, who: 'everybody' }] : await holdersOf(view, role);
      return holders.flatMap((holder) =>
        holds.map(({ id, name }) => ({ holder, role: name, detail: `${holder.who} has the role ${name} of ${owner.clientId}${id === role.id ? '' : `, by the role ${role.name}`}` })),
      );
    }),
  );
  return found.flat();
}
