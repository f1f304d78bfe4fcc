import type { RealmAdmin } from './admin.ts';
import type { Change } from './change.ts';
import { same, shown } from './same.ts';
import type { Shipped, ShippedGroup } from './shipped.ts';

interface Named {
  id: string;
  name: string;
  [field: string]: unknown;
}

export async function realmRoleChanges(admin: RealmAdmin, { roles }: Shipped): Promise<Change[]> {
  const live = await admin.get<Named[]>('/roles?max=10000');
  return roles.realm
    .filter(({ name }) => !live.some((role) => role.name === name))
    .map((role) => ({
      subject: `realm role ${role.name}`,
      what: 'is made',
      why: role.description ?? '',
      make: async () => {
        if ((await admin.find(`/roles/${encodeURIComponent(role.name)}`)) === undefined) await admin.post('/roles', role);
      },
    }));
}

/** Those that others stand in before those. */
export function groupsIn({ groups }: Pick<Shipped, 'groups'>): ShippedGroup[] {
  return groups.flatMap((group) => [group, ...groupsIn({ groups: group.subGroups ?? [] })]);
}

export async function groupChanges(admin: RealmAdmin, shipped: Shipped): Promise<Change[]> {
  const missing = await Promise.all(groupsIn(shipped).map(async (group) => ((await findByPath(admin, group.path)) === undefined ? [group] : [])));
  return missing.flat().map((group) => ({
    subject: `group ${group.path}`,
    what: 'is made',
    why: group.realmRoles === undefined ? 'Every stamped user joins it; the doctor and the bridge find them there' : `Its members have ${group.realmRoles.join(', ')}; programs make accounts in it`,
    make: () => makeGroup(admin, group),
  }));
}

async function makeGroup(admin: RealmAdmin, { name, path, realmRoles = [] }: ShippedGroup): Promise<void> {
  const above = await findByPath(admin, path.slice(0, path.lastIndexOf('/')));
  const id = (await findByPath(admin, path))?.id ?? (await admin.post(above === undefined ? '/groups' : `/groups/${above.id}/children`, { name }));
  const roles = await admin.get<Named[]>('/roles?max=10000');
  if (realmRoles.length > 0) await admin.post(`/groups/${id}/role-mappings/realm`, roles.filter((role) => realmRoles.includes(role.name)));
}

export async function findByPath(admin: RealmAdmin, path: string): Promise<Named | undefined> {
  const [first, ...below] = path.split('/').filter(Boolean);
  let found = first === undefined ? undefined : await findGroup(admin, first);
  for (const name of below) {
    const children: Named[] = found === undefined ? [] : await admin.get<Named[]>(`/groups/${found.id}/children?max=10000`);
    found = children.find((group) => group.name === name);
  }
  return found;
}

async function findGroup(admin: RealmAdmin, name: string): Promise<Named | undefined> {
  const found = await admin.get<Named[]>(`/groups?${new URLSearchParams({ search: name, exact: 'true' })}`);
  return found.find((group) => group.name === name);
}

export interface UserProfile {
  attributes: { name: string; [field: string]: unknown }[];
  unmanagedAttributePolicy?: string;
}

export async function userProfileChanges(admin: RealmAdmin, { attributes }: Shipped): Promise<Change[]> {
  const live = await admin.get<UserProfile>('/users/profile');
  return attributes.flatMap((wanted): Change[] => {
    const found = live.attributes.find(({ name }) => name === wanted.name);
    if (found !== undefined && same(found['permissions'], wanted['permissions'])) return [];
    return [
      {
        subject: `user attribute ${wanted.name}`,
        what: found === undefined ? 'is declared, for admins only' : 'becomes for admins only',
        why: 'Whoever can write it makes a trial without end',
        before: found && shown(found['permissions']),
        after: shown(wanted['permissions']),
        make: async () => {
          const profile = await admin.get<UserProfile>('/users/profile');
          await admin.put('/users/profile', { ...profile, attributes: [...profile.attributes.filter(({ name }) => name !== wanted.name), wanted] });
        },
      },
    ];
  });
}
