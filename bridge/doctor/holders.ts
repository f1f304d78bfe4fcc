import { closure, type Role } from './role.ts';
import type { View } from './view.ts';

const MANY = 10_000;

export interface Carrier {
  role: Role;
  /** Which of the roles in question it is, or has within. */
  holds: readonly Role[];
}

/** Each of these roles, and every composite that has one of them within. */
export async function carriersOf(view: View, roles: readonly Role[], realm?: string): Promise<readonly Carrier[]> {
  const ids = new Set(roles.map(({ id }) => id));
  const clients = realm === undefined ? view.clients : await view.list<{ id: string }>(`/clients?max=${MANY}`, realm);
  const lists = await Promise.all([view.list<Role>(`/roles?max=${MANY}`, realm), ...clients.map(({ id }) => view.list<Role>(`/clients/${id}/roles`, realm))]);
  const others = lists.flat().filter(({ id, composite }) => composite && !ids.has(id));
  const carriers = await Promise.all(
    [...roles, ...others].map(async (role) => ({ role, holds: role.composite ? (await closure(view, role.id, realm)).filter(({ id }) => ids.has(id)) : [role] })),
  );
  return carriers.filter(({ holds }) => holds.length > 0);
}

export interface Holder {
  /** A user name, the client id of a service account, or the path of a group. */
  name: string;
  /** The same in a sentence. */
  who: string;
  /** Of a service account. */
  clientId?: string | undefined;
}

/** To whom a role is given itself. A group gives it to all who are in it, or in one beneath it. */
export async function holdersOf(view: View, role: Role, realm?: string): Promise<readonly Holder[]> {
  const path = pathOf(role);
  const [users, groups] = await Promise.all([
    view.list<{ username: string }>(`${path}/users?max=${MANY}`, realm),
    view.list<{ path: string }>(`${path}/groups?max=${MANY}`, realm),
  ]);
  return [...users.map(({ username }) => userOrProgram(username)), ...groups.map((group) => ({ name: group.path, who: `group ${group.path}` }))];
}

function pathOf({ name, clientRole, containerId }: Role): string {
  return `${clientRole === true ? `/clients/${containerId}` : ''}/roles/${encodeURIComponent(name)}`;
}

function userOrProgram(username: string): Holder {
  const clientId = /^service-account-(.+)$/.exec(username)?.[1];
  return clientId === undefined ? { name: username, who: `user ${username}` } : { name: clientId, who: `the service account of client ${clientId}`, clientId };
}
