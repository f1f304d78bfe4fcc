import type { AdminReader } from './admin-reader.ts';
import type { View } from './view.ts';

/** With any of these somebody can make himself, or anybody, an administrator of the realm. */
const TAKE_OVER = new Set([
  'realm-admin',
  'manage-realm',
  'manage-users',
  'manage-clients',
  'create-client',
  'manage-identity-providers',
  'manage-authorization',
  'impersonation',
]);

export interface Role {
  id: string;
  name: string;
  composite?: boolean;
  clientRole?: boolean;
  /** The realm's, or the client's, by its internal id. */
  containerId?: string;
}

/** Names of the roles within this one, itself included, by which the realm could be taken over. */
export async function adminRolesWithin(view: View, roleId: string): Promise<readonly string[]> {
  const management = view.client('realm-management')?.id;
  const all = await closure(view, roleId);
  return all.filter(({ name, containerId }) => containerId === management && TAKE_OVER.has(name)).map(({ name }) => name);
}

/** Whether this role of `realm-management` (or, in the master realm, of the client that stands for the realm) takes it over. */
export function takesOver({ name }: { name: string }): boolean {
  return TAKE_OVER.has(name);
}

/** A role and all that it is made of, each once. */
export async function closure({ read, list }: AdminReader, roleId: string, realm?: string): Promise<readonly Role[]> {
  const seen = new Map<string, Role>();
  const first = await read<Role>(`/roles-by-id/${roleId}`, realm);
  let next = first === undefined ? [] : [first];
  while (next.length > 0) {
    for (const role of next) seen.set(role.id, role);
    const children = await Promise.all(next.filter(({ composite }) => composite).map(({ id }) => list<Role>(`/roles-by-id/${id}/composites`, realm)));
    next = children.flat().filter(({ id }) => !seen.has(id));
  }
  return [...seen.values()];
}
