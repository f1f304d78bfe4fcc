import type { Check, Faults } from './check.ts';
import type { View } from './view.ts';

const CLIENT = 'admin-permissions';
const MANY = 10_000;
const MAKES_ACCOUNTS = 'manage-members';
const NO_PERMISSION = 'Permissions → Create permission → Groups: the scopes manage-members and manage-membership over the group below /vestibule-trials, for the service account of the bridge, as realm-export.json has it; or take the role away from the program.';
const GROUP = '/vestibule-trials';
/** They only look. */
const VIEWING = new Set(['view', 'view-members']);

interface Named {
  id: string;
  name: string;
}

interface Listed extends Named {
  resourceType?: string;
}

interface Policy extends Named {
  type: string;
}

interface Permission {
  name: string;
  resourceType: string | undefined;
  /** Ids of groups, users, clients or roles; the kind itself (`Groups`) where it is about all of them. */
  resources: readonly string[];
  /** Without those that only look. */
  scopes: readonly string[];
  /** Ids of the users and clients that its policies name. */
  holders: ReadonlySet<string>;
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
  const [permissions, groups, bridge] = await Promise.all([listPermissions(view), trialGroups(view), bridgeNames(view)]);
  const judged = permissions.map((one) => ({ ...one, isForBridge: [...one.holders].some((name) => bridge.includes(name)), isNarrow: isOver(one, groups) }));
  const wide = judged.filter(({ name, isForBridge, isNarrow }) => !isNarrow && (isForBridge || !view.config.knownAdmins.has(name)));
  const makesAccounts = judged.some(({ isForBridge, isNarrow, scopes }) => isForBridge && isNarrow && scopes.includes(MAKES_ACCOUNTS));
  return [
    ...wide.map(({ name, isForBridge, scopes }) => `permission "${name}" lets ${isForBridge ? view.config.clientId : 'somebody'} ${scopes.join(', ')} beyond ${GROUP}`),
    ...(makesAccounts ? [] : (await programs(view)).map((program) => ({ detail: `${program} may ask for accounts (trial-create), and ${view.config.clientId} may not make them`, advice: NO_PERMISSION }))),
  ];
}

/** Those that change something. */
async function listPermissions(view: View): Promise<readonly Permission[]> {
  const client = view.client(CLIENT);
  if (view.realm.adminPermissionsEnabled !== true || client === undefined) return [];
  const server = `/clients/${client.id}/authz/resource-server`;
  const listed = await view.list<Listed>(`${server}/permission?first=0&max=${MANY}`);
  const all = await Promise.all(listed.map((one) => readPermission(view, server, one)));
  return all.filter(({ scopes }) => scopes.length > 0);
}

/** Who holds the role by which programs ask for accounts. */
async function programs({ client, list, config }: View): Promise<readonly string[]> {
  const bridge = client(config.clientId);
  if (bridge === undefined) return [];
  return (await list<{ username: string }>(`/clients/${bridge.id}/roles/trial-create/users?max=${MANY}`)).map(({ username }) => username);
}

async function readPermission(view: View, server: string, { id, name, resourceType }: Listed): Promise<Permission> {
  const of = <T extends Named>(what: string) => view.list<T>(`${server}/policy/${id}/${what}`);
  const [resources, scopes, policies] = await Promise.all([of('resources'), of('scopes'), of<Policy>('associatedPolicies')]);
  return {
    name,
    resourceType,
    resources: resources.map((one) => one.name),
    scopes: scopes.map((one) => one.name).filter((scope) => !VIEWING.has(scope)),
    holders: new Set((await Promise.all(policies.map((policy) => holdersOf(view, server, policy)))).flat()),
  };
}

async function holdersOf({ read }: View, server: string, { id, type }: Policy): Promise<readonly string[]> {
  if (type !== 'user' && type !== 'client') return [];
  const policy = await read<{ users?: readonly string[]; clients?: readonly string[] }>(`${server}/policy/${type}/${id}`);
  return [...(policy?.users ?? []), ...(policy?.clients ?? [])];
}

function isOver({ resourceType, resources }: Permission, groups: ReadonlySet<string>): boolean {
  return resourceType === 'Groups' && resources.length > 0 && resources.every((one) => groups.has(one));
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
