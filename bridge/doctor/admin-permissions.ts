import type { Check, Faults } from './check.ts';
import type { View } from './view.ts';

const CLIENT = 'admin-permissions';
const GROUP = '/vestibule-trials';
/** They only look. */
const VIEWING = new Set(['view', 'view-members']);

interface Policy {
  name: string;
  type: string;
  config?: Readonly<Record<string, string>>;
}

interface Group {
  id: string;
  path: string;
  subGroupCount?: number;
}

/** Fine-grained admin permissions of 26.2 and later: they reach where no role of realm-management does. */
export const adminPermissionChecks: readonly Check[] = [
  {
    name: 'admin-permissions',
    run: adminPermissions,
    advice: `Permissions → that one: limit it to ${GROUP} and the groups beneath, or delete it. One of your own staff, over other things, may be named in DOCTOR_KNOWN_ADMINS.`,
  },
];

async function adminPermissions(view: View): Promise<Faults> {
  const client = view.client(CLIENT);
  if (view.realm.adminPermissionsEnabled !== true || client === undefined) return [];
  const { policies = [] } = (await view.read<{ policies?: readonly Policy[] }>(`/clients/${client.id}/authz/resource-server/settings`)) ?? {};
  const [ours, bridge] = await Promise.all([trialGroups(view), bridgeNames(view)]);
  const forBridge = new Set(policies.filter(({ config }) => isAbout(config, bridge)).map(({ name }) => name));
  return policies
    .filter(({ type }) => type === 'scope' || type === 'resource')
    .filter((permission) => changes(permission) && !isOver(permission, ours))
    .map((permission) => ({ permission, isForBridge: listed(permission, 'applyPolicies').some((name) => forBridge.has(name)) }))
    .filter(({ permission, isForBridge }) => isForBridge || !view.config.knownAdmins.has(permission.name))
    .map(({ permission, isForBridge }) => `permission "${permission.name}" lets ${isForBridge ? view.config.clientId : 'somebody'} ${listed(permission, 'scopes').filter((scope) => !VIEWING.has(scope)).join(', ') || 'do anything'} beyond ${GROUP}`);
}

function changes(permission: Policy): boolean {
  const scopes = listed(permission, 'scopes');
  return scopes.length === 0 || scopes.some((scope) => !VIEWING.has(scope));
}

/** One without resources is about all of a kind. */
function isOver(permission: Policy, groups: ReadonlySet<string>): boolean {
  const resources = listed(permission, 'resources');
  return resources.length > 0 && permission.config?.['defaultResourceType'] === 'Groups' && resources.every((one) => groups.has(one));
}

/** Ids of the group and of all beneath it. */
async function trialGroups({ read, list }: View): Promise<ReadonlySet<string>> {
  const top = await read<Group>(`/group-by-path${GROUP}`);
  const found = new Set<string>();
  let next = top === undefined ? [] : [top];
  while (next.length > 0) {
    for (const { id } of next) found.add(id);
    const below = await Promise.all(next.map(({ id }) => list<Group>(`/groups/${id}/children?max=1000`)));
    next = below.flat().filter(({ id }) => !found.has(id));
  }
  return found;
}

async function bridgeNames({ read, client, config }: View): Promise<readonly string[]> {
  const bridge = client(config.clientId);
  const account = bridge?.serviceAccountsEnabled ? await read<{ id: string; username: string }>(`/clients/${bridge.id}/service-account-user`) : undefined;
  return [bridge?.id, bridge?.clientId, account?.id, account?.username].filter((name) => name !== undefined);
}

function isAbout(config: Policy['config'], names: readonly string[]): boolean {
  return ['users', 'clients'].some((key) => parse(config?.[key]).some((one) => names.includes(one)));
}

function listed({ config }: Policy, key: string): readonly string[] {
  return parse(config?.[key]);
}

/** Keycloak keeps lists as JSON in a text. */
function parse(list: string | undefined): readonly string[] {
  return list === undefined || list === '' ? [] : (JSON.parse(list) as string[]);
}
