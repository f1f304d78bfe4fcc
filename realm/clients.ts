import type { RealmAdmin } from './admin.ts';
import type { Change } from './change.ts';
import { differing, shown } from './same.ts';
import type { Shipped, ShippedClient } from './shipped.ts';

interface LiveClient {
  id: string;
  clientId: string;
  attributes?: Record<string, string>;
  protocolMappers?: { id: string; name: string; config: Record<string, string> }[];
  [field: string]: unknown;
}

interface Role {
  id: string;
  name: string;
}

/** `extra` are attributes that a client gets when it is made. */
export async function clientChanges(admin: RealmAdmin, { clients }: Shipped, extra: (clientId: string) => Record<string, string>): Promise<Change[]> {
  const changes = await Promise.all(
    clients.map(async (wanted) => {
      const live = await findClient(admin, wanted.clientId);
      return live === undefined ? [newClient(admin, wanted, extra)] : [...fieldChanges(admin, live, wanted), ...mapperChanges(admin, live, wanted)];
    }),
  );
  return changes.flat();
}

export async function findClient(admin: RealmAdmin, clientId: string): Promise<LiveClient | undefined> {
  const [client] = await admin.get<LiveClient[]>(`/clients?${new URLSearchParams({ clientId })}`);
  return client;
}

function newClient(admin: RealmAdmin, wanted: ShippedClient, extra: (clientId: string) => Record<string, string>): Change {
  return {
    subject: `client ${wanted.clientId}`,
    what: 'is made',
    why: String(wanted['description']),
    after: `client secret: set; redirect addresses: ${shown(wanted['redirectUris'])}`,
    make: async () => {
      if ((await findClient(admin, wanted.clientId)) !== undefined) return;
      await admin.post('/clients', { ...wanted, attributes: { ...wanted.attributes, ...extra(wanted.clientId) } });
    },
  };
}

/** A client that is there keeps its secret: bridge and proxy sign in with it meanwhile. */
function fieldChanges(admin: RealmAdmin, live: LiveClient, wanted: ShippedClient): Change[] {
  const { secret: _, attributes, protocolMappers: __, defaultClientScopes: ___, optionalClientScopes: ____, ...fields } = wanted;
  const change = (field: string, before: unknown, after: unknown, put: (now: LiveClient) => LiveClient): Change => ({
    subject: `client ${wanted.clientId}`,
    what: `${field} changes`,
    why: 'This release has it so',
    before: shown(before),
    after: shown(after),
    make: async () => {
      const now = await findClient(admin, wanted.clientId);
      if (now !== undefined) await admin.put(`/clients/${now.id}`, put(now));
    },
  });
  return [
    ...differing(live, fields).map((field) => change(field, live[field], fields[field], (now) => ({ ...now, [field]: fields[field] }))),
    ...differing(live.attributes ?? {}, attributes).map((name) =>
      change(name, live.attributes?.[name], attributes[name], (now) => ({ ...now, attributes: { ...now.attributes, [name]: attributes[name] ?? '' } })),
    ),
  ];
}

function mapperChanges(admin: RealmAdmin, live: LiveClient, { clientId, protocolMappers = [] }: ShippedClient): Change[] {
  return protocolMappers.flatMap((wanted): Change[] => {
    const found = live.protocolMappers?.find(({ name }) => name === wanted.name);
    if (found !== undefined && differing(found.config, wanted.config).length === 0) return [];
    const path = `/clients/${live.id}/protocol-mappers/models`;
    return [
      {
        subject: `client ${clientId}`,
        what: `mapper "${wanted.name}" ${found === undefined ? 'is made' : 'changes'}`,
        why: 'Tokens carry the end of the trial and the roles that the proxy passes on',
        make: async () => {
          if (found === undefined) await admin.post(path, wanted);
          else await admin.put(`${path}/${found.id}`, { ...found, ...wanted, config: { ...found.config, ...wanted.config } });
        },
      },
    ];
  });
}

export async function clientRoleChanges(admin: RealmAdmin, { roles }: Shipped): Promise<Change[]> {
  const changes = await Promise.all(
    Object.entries(roles.client).map(async ([clientId, wanted]) => {
      const live = new Set((await rolesOf(admin, clientId)).map(({ name }) => name));
      return wanted
        .filter(({ name }) => !live.has(name))
        .map((role) => ({
          subject: `client ${clientId}`,
          what: `role ${role.name} is made`,
          why: role.description ?? '',
          make: async () => {
            const client = await findClient(admin, clientId);
            const made = await rolesOf(admin, clientId);
            if (client !== undefined && !made.some(({ name }) => name === role.name)) await admin.post(`/clients/${client.id}/roles`, role);
          },
        }));
    }),
  );
  return changes.flat();
}

async function rolesOf(admin: RealmAdmin, clientId: string): Promise<Role[]> {
  const client = await findClient(admin, clientId);
  return client === undefined ? [] : admin.get<Role[]>(`/clients/${client.id}/roles`);
}

/** What a client's tokens may carry, and what its service account may do: of the realm, and of each client. */
export async function grantChanges(admin: RealmAdmin, shipped: Shipped): Promise<Change[]> {
  const scopes = [
    ...shipped.scopeMappings.map(({ client, roles }) => ({ client, of: undefined, roles })),
    ...Object.entries(shipped.clientScopeMappings).flatMap(([of, mappings]) => mappings.map(({ client, roles }) => ({ client, of, roles }))),
  ];
  const accounts = shipped.users.flatMap(({ serviceAccountClientId: client, clientRoles }) => Object.entries(clientRoles).map(([of, roles]) => ({ client, of, roles })));
  const changes = await Promise.all([
    ...scopes.map(({ client, of, roles }) => grant(admin, { client, of, roles, to: 'scope of its tokens' }, async (id) => `/clients/${id}/scope-mappings`)),
    ...accounts.map(({ client, of, roles }) =>
      grant(admin, { client, of, roles, to: 'service account' }, async (id) => {
        const account = await admin.get<{ id: string }>(`/clients/${id}/service-account-user`);
        return `/users/${account.id}/role-mappings`;
      }),
    ),
  ]);
  return changes.flat();
}

async function grant(
  admin: RealmAdmin,
  { client, of, roles, to }: { client: string; of: string | undefined; roles: readonly string[]; to: string },
  mappings: (clientId: string) => Promise<string>,
): Promise<Change[]> {
  const holder = await findClient(admin, client);
  const path = async (id: string): Promise<string> => {
    const other = of === undefined ? undefined : await findClient(admin, of);
    return `${await mappings(id)}/${of === undefined ? 'realm' : `clients/${other?.id ?? ''}`}`;
  };
  const owner = of === undefined ? undefined : await findClient(admin, of);
  const has = holder === undefined || (of !== undefined && owner === undefined) ? [] : (await admin.get<Role[]>(await path(holder.id))).map(({ name }) => name);
  const missing = roles.filter((name) => !has.includes(name));
  if (missing.length === 0) return [];
  return [
    {
      subject: `client ${client}`,
      what: `${missing.join(', ')}${of === undefined ? '' : ` of ${of}`} added to the ${to}`,
      why: to === 'service account' ? 'What its own calls may do' : 'A token carries no role that is not in its scope',
      make: async () => {
        const now = await findClient(admin, client);
        if (now === undefined) return;
        const all = of === undefined ? await admin.get<Role[]>('/roles?max=10000') : await rolesOf(admin, of);
        await admin.post(await path(now.id), all.filter(({ name }) => missing.includes(name)));
      },
    },
  ];
}
