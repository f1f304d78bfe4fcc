import type { Check, Faults } from './check.ts';
import type { View } from './view.ts';

const CLIENT = 'admin-permissions';
const MANY = 10_000;
const GROUP = '/vestibule-trials';
/** They only look. */
const VIEWING = new Set(['view', 'view-members']);

interface Named {
  id: string;
  name: string;
}

interface Policy extends Named {
  type: string;
}

interface Permission {
  name: string;
  resourceType: string | undefined;
  /** Ids of groups, users, clients or roles; the kind itself (`Groups`) where it is about all of them. */
  resources: readonly string[];
  scopes: readonly string[];
  policies: readonly Policy[];
}

interface Group {
  id: string;
  path: string;
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
  const server = `/clients/${client.id}/authz/resource-server`;
  const listed = await view.list<Named & { resourceType?: string }>(`${server}/permission?first=0&max=${MANY}`);
  const [permissions, ours, bridge] = await Promise.all([
    Promise.all(listed.map((one) => readPermission(view, server, one))),
    trialGroups(view),
    bridgeNames(view),
  ]);
  const wide = permissions.filter((one) => changes(one) && !isOver(one, ours));
  const found = await Promise.all(wide.map(async (permission) => ({ permission, isForBridge: await isAbout(view, server, permission, bridge) })));
  return found
    .filter(({ permission, isForBridge }) => isForBridge || !view.config.knownAdmins.has(permission.name))
    .map(({ permission, isForBridge }) => `permission "${permission.name}" lets ${isForBridge ? view.config.clientId : 'somebody'} ${changing(permission).join(', ')} beyond ${GROUP}`);
}

async function readPermission({ list }: View, server: string, { id, name, resourceType }: Named & { resourceType?: string }): Promise<Permission> {
  const of = <T extends { name: string }>(what: string) => list<T>(`${server}/policy/${id}/${what}`);
  const [resources, scopes, policies] = await Promise.all([of('resources'), of('scopes'), of<Policy>('associatedPolicies')]);
  return { name, resourceType, resources: resources.map((one) => one.name), scopes: scopes.map((one) => one.name), policies };
}

function changing({ scopes }: Permission): readonly string[] {
  return scopes.filter((scope) => !VIEWING.has(scope));
}

function changes(permission: Permission): boolean {
  return changing(permission).length > 0;
}

function isOver({ resourceType, resources }: Permission, groups: ReadonlySet<string>): boolean {
  return resourceType === 'Groups' && resources.length > 0 && resources.every((one) => groups.has(one));
}

/** By a policy that names its service account, or its client. */
async function isAbout({ read }: View, server: string, { policies }: Permission, names: readonly string[]): Promise<boolean> {
  const named = await Promise.all(
    policies
      .filter(({ type }) => type === 'user' || type === 'client')
      .map(({ id, type }) => read<{ users?: readonly string[]; clients?: readonly string[] }>(`${server}/policy/${type}/${id}`)),
  );
  return named.flatMap((policy) => [...(policy?.users ?? []), ...(policy?.clients ?? [])]).some((one) => names.includes(one));
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
