import { KEEPER } from '../keycloak/nodes.ts';
import type { Check, Faults } from './check.ts';
import { closure, type Role } from './role.ts';
import type { Client, View } from './view.ts';

const NEEDED_BY_THE_BRIDGE = ['view-users'];
/** They look, and no more. */
const ALLOWED_FOR_THE_BRIDGE = new Set(['view-users', 'query-users', 'query-groups', 'view-clients', 'query-clients']);
const NEEDED_OF_THE_KEEPER = ['keep-trials'];
const NEEDED_BY_THE_PROXY = ['trial-read', 'trial-manage', 'billing-pages', 'support'];
const HARMLESS_REALM_ROLES = /^(default-roles-.*|offline_access|uma_authorization)$/;

/** SECURITY.md 1 and 15. */
export const serviceAccountChecks: readonly Check[] = [
  {
    name: 'service-account-roles',
    run: async (view) => [...(await bridgeFaults(view)), ...(await proxyFaults(view))],
    advice: 'Clients → that one → Service account roles: assign what is missing, take away what is too much.',
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

interface Held {
  realm: readonly Role[];
  of(client: Client | undefined): readonly string[];
}

/** Composites and groups included: the roles of an account as a token would have them. */
async function rolesHeld(view: View, client: Client): Promise<Held | undefined> {
  if (client.serviceAccountsEnabled !== true) return undefined;
  const account = await view.read<{ id: string }>(`/clients/${client.id}/service-account-user`);
  if (account === undefined) return undefined;
  const [mapped, groups] = await Promise.all([
    view.read<Mappings>(`/users/${account.id}/role-mappings`),
    view.list<{ id: string }>(`/users/${account.id}/groups`),
  ]);
  const ofGroups = await Promise.all(groups.map(({ id }) => view.read<Mappings>(`/groups/${id}/role-mappings`)));
  const direct = [mapped, ...ofGroups].flatMap((one) => [...(one?.realmMappings ?? []), ...Object.values(one?.clientMappings ?? {}).flatMap(({ mappings }) => mappings)]);
  const all = new Map((await Promise.all(direct.map(({ id }) => closure(view, id)))).flat().map((role) => [role.id, role]));
  const roles = [...all.values()];
  return {
    realm: roles.filter(({ clientRole }) => clientRole !== true),
    of: (one) => roles.filter(({ containerId }) => one !== undefined && containerId === one.id).map(({ name }) => name),
  };
}

interface Mappings {
  realmMappings?: readonly Role[];
  clientMappings?: Readonly<Record<string, { mappings: readonly Role[] }>>;
}

async function bridgeFaults(view: View): Promise<readonly string[]> {
  const bridge = view.client(view.config.clientId);
  const held = bridge && (await rolesHeld(view, bridge));
  if (bridge === undefined || held === undefined) return [`${view.config.clientId} has no service account`];
  const admin = held.of(view.client('realm-management'));
  return [
    ...NEEDED_BY_THE_BRIDGE.filter((role) => !admin.includes(role)).map((role) => `${bridge.clientId} lacks the role ${role} of realm-management`),
    ...admin.filter((role) => !ALLOWED_FOR_THE_BRIDGE.has(role)).map((role) => `${bridge.clientId} has the role ${role} of realm-management`),
    ...held.realm.filter(({ name }) => !HARMLESS_REALM_ROLES.test(name)).map(({ name }) => `${bridge.clientId} has the realm role ${name}`),
    ...held.of(bridge).map((role) => `${bridge.clientId} has its own role ${role}`),
    ...NEEDED_OF_THE_KEEPER.filter((role) => !held.of(view.client(KEEPER)).includes(role)).map((role) => `${bridge.clientId} lacks the role ${role} of ${KEEPER}`),
  ];
}

async function proxyFaults(view: View): Promise<readonly string[]> {
  const proxy = view.client(view.config.proxyClientId);
  const held = proxy && (await rolesHeld(view, proxy));
  if (proxy === undefined || held === undefined) return [`${view.config.proxyClientId} has no service account`];
  const ofBridge = held.of(view.client(view.config.clientId));
  return [
    ...NEEDED_BY_THE_PROXY.filter((role) => !ofBridge.includes(role)).map((role) => `${proxy.clientId} lacks the role ${role} of ${view.config.clientId}`),
    ...ofBridge.filter((role) => !NEEDED_BY_THE_PROXY.includes(role)).map((role) => `${proxy.clientId} has the role ${role} of ${view.config.clientId}`),
    ...held.of(view.client('realm-management')).map((role) => `${proxy.clientId} has the role ${role} of realm-management`),
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

/** Held by people or groups, or by everybody; those of the jar's endpoint by anybody but the bridge. */
async function bridgeRoles(view: View): Promise<Faults> {
  const bridge = view.client(view.config.clientId);
  if (bridge === undefined) return [`client ${view.config.clientId} does not exist`];
  const keeper = view.client(KEEPER);
  const ofBridge = await holdersOf(view, bridge, (username) => username.startsWith('service-account-'));
  return [...ofBridge, ...(keeper === undefined ? [] : await holdersOf(view, keeper, (username) => username === `service-account-${bridge.clientId}`))];
}

async function holdersOf(view: View, owner: Client, mayHold: (username: string) => boolean): Promise<readonly string[]> {
  const roles = await view.list<Role>(`/clients/${owner.id}/roles`);
  const everybody = view.realm.defaultRole === undefined ? [] : await closure(view, view.realm.defaultRole.id);
  const found = await Promise.all(
    roles.map(async ({ id, name }) => {
      const path = `/clients/${owner.id}/roles/${encodeURIComponent(name)}`;
      const [users, groups] = await Promise.all([
        view.list<{ username: string }>(`${path}/users?max=1000`),
        view.list<{ path: string }>(`${path}/groups?max=1000`),
      ]);
      return [
        ...users.filter(({ username }) => !mayHold(username)).map(({ username }) => `user ${username} has the role ${name} of ${owner.clientId}`),
        ...groups.map((group) => `group ${group.path} has the role ${name} of ${owner.clientId}`),
        ...(everybody.some((role) => role.id === id) ? [`everybody has the role ${name} of ${owner.clientId}, by the default roles`] : []),
      ];
    }),
  );
  return found.flat();
}
