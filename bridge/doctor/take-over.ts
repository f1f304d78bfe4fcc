import type { Check, Faults } from './check.ts';
import { carriersOf, holdersOf } from './holders.ts';
import { closure, takesOver, type Role } from './role.ts';
import type { View } from './view.ts';

/** SECURITY.md 1: whoever manages users or clients can make himself, or the bridge, anything. */
export const takeOverChecks: readonly Check[] = [
  {
    name: 'take-over',
    run: holders,
    advice: 'Take the role away (Users, Groups or Clients → that one → Role mapping), or, if that is meant, name it in DOCTOR_KNOWN_ADMINS: user names, client ids and paths of groups, comma-separated.',
  },
  {
    name: 'take-over-from-master',
    run: mastersHolders,
    advice: 'In the master realm: Users, Groups or Clients → that one → Role mapping: unassign it; or, if that is meant, name it in DOCTOR_KNOWN_ADMINS.',
  },
];

/** `name` is what DOCTOR_KNOWN_ADMINS would have. */
interface Administrator {
  name: string;
  text: string;
}

async function holders(view: View): Promise<Faults> {
  const management = view.client('realm-management');
  if (management === undefined) return ['client realm-management does not exist'];
  const dangerous = (await view.list<Role>(`/clients/${management.id}/roles`)).filter(takesOver);
  const all = await rolesThatHold(view, dangerous);
  const found = [...(await direct(view, all, view.realm.realm)), ...(await byDefault(view, dangerous)), ...(await byIdentityProviders(view, all))];
  return unknownOnes(view, found);
}

async function mastersHolders(view: View): Promise<Faults> {
  if (view.realm.realm === 'master') return [];
  if (view.config.admin === undefined) return { notLookedAt: 'set DOCTOR_ADMIN_USERNAME and DOCTOR_ADMIN_PASSWORD to those of an admin of the master realm' };
  const realm = 'master';
  const [standIn] = await view.list<{ id: string }>(`/clients?clientId=${encodeURIComponent(`${view.realm.realm}-realm`)}`, realm);
  const roles = standIn === undefined ? [] : (await view.list<Role>(`/clients/${standIn.id}/roles`, realm)).filter(takesOver);
  const admin = await view.read<Role>('/roles/admin', realm);
  const found = await direct(view, await rolesThatHold(view, admin === undefined ? roles : [...roles, admin], realm), realm);
  // He is the one who looks.
  return unknownOnes(view, found.filter(({ name }) => name !== view.config.admin?.username));
}

function unknownOnes({ config }: View, found: readonly Administrator[]): readonly string[] {
  const unknown = found.filter(({ name }) => !config.knownAdmins.has(name));
  return [...Map.groupBy(unknown, ({ name }) => name)].map(([, all]) => all.map(({ text }) => text).join('; '));
}

async function rolesThatHold(view: View, dangerous: readonly Role[], realm?: string): Promise<readonly Role[]> {
  return (await carriersOf(view, dangerous, realm)).map(({ role }) => role);
}

async function direct(view: View, roles: readonly Role[], realm: string): Promise<readonly Administrator[]> {
  const found = await Promise.all(
    roles.map(async (role) => (await holdersOf(view, role, realm)).map(({ name, who }) => ({ name, text: `${who} has the role ${role.name}` }))),
  );
  return found.flat();
}

async function byDefault(view: View, dangerous: readonly Role[]): Promise<readonly Administrator[]> {
  const { defaultRole } = view.realm;
  const held = defaultRole === undefined ? [] : await closure(view, defaultRole.id);
  return held
    .filter(({ id }) => dangerous.some((role) => role.id === id))
    .map(({ name }) => ({ name: 'default roles', text: `everybody has the role ${name}, by the default roles` }));
}

interface ProviderMapper {
  name: string;
  config?: Readonly<Record<string, string>>;
}

/** Hard-coded roles, or roles by a claim: whoever writes the claim makes administrators. */
async function byIdentityProviders(view: View, roles: readonly Role[]): Promise<readonly Administrator[]> {
  const names = new Map(roles.map((role) => [`${clientPrefix(view, role)}${role.name}`, role.name]));
  const found = await Promise.all(
    (await view.identityProviders()).map(async ({ alias }) => {
      const mappers = await view.list<ProviderMapper>(`/identity-provider/instances/${encodeURIComponent(alias)}/mappers`);
      return mappers
        .filter(({ config }) => names.has(config?.['role'] ?? ''))
        .map(({ name, config }) => ({ name: alias, text: `identity provider ${alias} gives the role ${config?.['role']} by the mapper "${name}"` }));
    }),
  );
  return found.flat();
}

function clientPrefix({ clients }: View, { clientRole, containerId }: Role): string {
  return clientRole === true ? `${clients.find(({ id }) => id === containerId)?.clientId}.` : '';
}
