import type { RealmAdmin } from './admin.ts';
import type { Change } from './change.ts';
import { same, shown } from './same.ts';
import type { Shipped } from './shipped.ts';

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

export async function groupChanges(admin: RealmAdmin, { groups }: Shipped): Promise<Change[]> {
  const missing = await Promise.all(groups.map(async (group) => ((await findGroup(admin, group.name)) === undefined ? [group] : [])));
  return missing.flat().map((group) => ({
    subject: `group ${group.path}`,
    what: 'is made',
    why: 'Every stamped user joins it; the doctor and the bridge find them there',
    make: async () => {
      if ((await findGroup(admin, group.name)) === undefined) await admin.post('/groups', { name: group.name });
    },
  }));
}

export async function findGroup(admin: RealmAdmin, name: string): Promise<Named | undefined> {
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
