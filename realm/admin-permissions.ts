import type { RealmAdmin } from './admin.ts';
import type { Change } from './change.ts';
import { findClient } from './clients.ts';
import { findByPath, groupsIn } from './people-and-roles.ts';
import type { Shipped } from './shipped.ts';

/** Keycloak's own client, in which the permissions of a realm stand. */
export const PERMISSIONS_CLIENT = 'admin-permissions';
const SWITCH = 'adminPermissionsEnabled';
const WHY = 'The bridge makes accounts for programs in one group, and has no right over any other account';

interface ShippedPolicy {
  name: string;
  description: string;
  type: string;
  config: Record<string, string>;
}

interface Named {
  id: string;
  name: string;
}

/** Nothing where the release ships none, or Keycloak has none (before 26.2): programs can't make accounts there. */
export async function adminPermissionChanges(admin: RealmAdmin, shipped: Shipped, realm: Readonly<Record<string, unknown>>): Promise<Change[]> {
  const policies = policiesOf(shipped);
  if (policies.length === 0 || !(SWITCH in realm)) return [];
  const live = realm[SWITCH] === true ? await readPolicies(admin) : [];
  const missing = policies.filter(({ name }) => !live.some((one) => one.name === name));
  return [
    ...(realm[SWITCH] === true ? [] : [{ subject: `setting ${SWITCH}`, what: 'is switched on', why: `${WHY}. Admins keep what they may do`, before: 'off', after: 'on', make: () => admin.put('', { [SWITCH]: true }) }]),
    ...missing.map((policy) => ({
      subject: `permission "${policy.name}"`,
      what: 'is made',
      why: WHY,
      make: async () => {
        const known = await readPolicies(admin);
        if (known.some(({ name }) => name === policy.name)) return;
        if (policy.type === 'user') await makeUserPolicy(admin, policy);
        else await makeGroupPermission(admin, shipped, policy, known);
      },
    })),
  ];
}

/** Policies before the permissions that name them. */
function policiesOf({ clients }: Shipped): ShippedPolicy[] {
  const settings = clients.find(({ clientId }) => clientId === PERMISSIONS_CLIENT)?.['authorizationSettings'] as { policies?: ShippedPolicy[] } | undefined;
  return (settings?.policies ?? []).toSorted((a, b) => Number(a.type === 'scope') - Number(b.type === 'scope'));
}

async function makeUserPolicy(admin: RealmAdmin, { name, description, config }: ShippedPolicy): Promise<void> {
  const users = await Promise.all(
    list(config['users']).map(async (username) => {
      const [user] = await admin.get<Named[]>(`/users?${new URLSearchParams({ username, exact: 'true' })}`);
      return user?.id ?? username;
    }),
  );
  await admin.post(`${await resourceServer(admin)}/policy/user`, { name, description, users });
}

/** Keycloak names groups by id: the file's is another one than the realm's. */
async function makeGroupPermission(admin: RealmAdmin, shipped: Shipped, { name, description, config }: ShippedPolicy, known: readonly Named[]): Promise<void> {
  const resources = await Promise.all(
    list(config['resources']).map(async (id) => {
      const path = groupsIn(shipped).find((group) => group.id === id)?.path;
      return (path === undefined ? undefined : (await findByPath(admin, path))?.id) ?? id;
    }),
  );
  const policies = list(config['applyPolicies']).flatMap((wanted) => known.find((one) => one.name === wanted)?.id ?? []);
  await admin.post(`${await resourceServer(admin)}/permission/scope`, { name, description, resourceType: config['defaultResourceType'], resources, scopes: list(config['scopes']), policies });
}

export async function removeAdminPermissions(admin: RealmAdmin, names: readonly string[]): Promise<void> {
  const server = await resourceServer(admin);
  // A permission goes before the policy that it names.
  for (const { id } of (await readPolicies(admin)).filter(({ name }) => names.includes(name)).toSorted((a, b) => Number(b.type === 'scope') - Number(a.type === 'scope'))) {
    await admin.delete(`${server}/policy/${id}`);
  }
}

async function readPolicies(admin: RealmAdmin): Promise<(Named & { type: string })[]> {
  return admin.get<(Named & { type: string })[]>(`${await resourceServer(admin)}/policy?max=10000`);
}

async function resourceServer(admin: RealmAdmin): Promise<string> {
  return `/clients/${(await findClient(admin, PERMISSIONS_CLIENT))?.id ?? ''}/authz/resource-server`;
}

function list(written = '[]'): string[] {
  return JSON.parse(written) as string[];
}
