import type { KeycloakAdmin } from '../../support/keycloak-admin.ts';
import type { Undo } from './realm-copy.ts';

/** Each breaks one thing in a realm and answers how to put it right again. */
export type Break = (admin: KeycloakAdmin) => Promise<Undo>;

export function realm(patch: object): Break {
  return async (admin) => {
    const before = await admin.get('');
    await admin.put('', { ...before, ...patch });
    return () => admin.put('', before);
  };
}

export function client(clientId: string, patch: object): Break {
  return async (admin) => {
    const before = await byClientId(admin, clientId);
    const { attributes = {} } = patch as { attributes?: Record<string, string> };
    await admin.put(`/clients/${before.id}`, { ...before, ...patch, attributes: { ...before.attributes, ...attributes } });
    // One that is left out stays.
    const emptied = Object.fromEntries(Object.keys(attributes).map((name) => [name, '']));
    return () => admin.put(`/clients/${before.id}`, { ...before, attributes: { ...emptied, ...before.attributes } });
  };
}

export function newClient(settings: object): Break {
  return async (admin) => {
    const id = await admin.create('/clients', { clientId: 'extra', fullScopeAllowed: false, redirectUris: [], ...settings });
    return () => admin.delete(`/clients/${id}`);
  };
}

export async function byClientId(admin: KeycloakAdmin, clientId: string) {
  const [found] = await admin.get(`/clients?clientId=${clientId}`);
  return found;
}

/** Changes the first step of that provider (or sub-flow of that name) in a flow. */
export function step(flow: string, which: string, patch: { requirement: string }): Break {
  return async (admin) => {
    const before = await stepOf(admin, flow, which);
    await admin.put(at(flow), { ...before, ...patch });
    return () => admin.put(at(flow), before);
  };
}

export async function stepOf(admin: KeycloakAdmin, flow: string, which: string) {
  const all: { providerId?: string; displayName?: string; id: string; authenticationConfig?: string }[] = await admin.get(at(flow));
  const found = all.find((one) => one.providerId === which || one.displayName === which);
  if (found === undefined) throw new Error(`${flow} has no ${which}`);
  return found;
}

/** As the last one of a flow or sub-flow. */
export function addStep(flow: string, provider: string, requirement: string, root = flow): Break {
  return async (admin) => {
    const id = await admin.create(`${at(flow)}/execution`, { provider });
    const all: { id: string }[] = await admin.get(at(root));
    await admin.put(at(root), { ...all.find((one) => one.id === id), requirement });
    return () => admin.delete(`/authentication/executions/${id}`);
  };
}

export function moveUp(flow: string, which: string): Break {
  return async (admin) => {
    const { id } = await stepOf(admin, flow, which);
    await admin.post(`/authentication/executions/${id}/raise-priority`);
    return () => admin.post(`/authentication/executions/${id}/lower-priority`);
  };
}

export function settings(flow: string, which: string, patch: Record<string, string>): Break {
  return async (admin) => {
    const { authenticationConfig } = await stepOf(admin, flow, which);
    const before = await admin.get(`/authentication/config/${authenticationConfig}`);
    await admin.put(`/authentication/config/${authenticationConfig}`, { ...before, config: { ...before.config, ...patch } });
    return () => admin.put(`/authentication/config/${authenticationConfig}`, before);
  };
}

export function identityProvider(patch: object): Break {
  return async (admin) => {
    const config = { clientId: 'x', clientSecret: 'x', authorizationUrl: 'https://idp.example/auth', tokenUrl: 'https://idp.example/token' };
    const good = { alias: 'partner', providerId: 'oidc', enabled: true, config, postBrokerLoginFlowAlias: 'vestibule post broker login' };
    await admin.post('/identity-provider/instances', { ...good, ...patch });
    return () => admin.delete('/identity-provider/instances/partner');
  };
}

/** What anonymous registration of clients asks of the host that it comes from. */
export function trustedHosts(patch: Record<string, readonly string[]>): Break {
  return async (admin) => {
    const before = await trustedHostsPolicy(admin);
    await admin.put(`/components/${before.id}`, { ...before, config: { ...before.config, ...patch } });
    return () => admin.put(`/components/${before.id}`, { ...before, config: { 'trusted-hosts': [], ...before.config } });
  };
}

export async function trustedHostsPolicy(admin: KeycloakAdmin) {
  const policies = await admin.get('/components?type=org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy');
  return policies.find((one: { providerId: string; subType: string }) => one.providerId === 'trusted-hosts' && one.subType === 'anonymous');
}

/** A flow of somebody's own, with these steps. */
export function flow(alias: string, steps: readonly (readonly [string, string])[]): Break {
  return async (admin) => {
    const id = await admin.create('/authentication/flows', { alias, providerId: 'basic-flow', topLevel: true, builtIn: false });
    for (const [provider, requirement] of steps) await addStep(alias, provider, requirement)(admin);
    return () => admin.delete(`/authentication/flows/${id}`);
  };
}

interface RoleAt {
  client?: string;
  role: string;
}

export async function roleOf(admin: KeycloakAdmin, { client: clientId, role }: RoleAt) {
  return admin.get(clientId === undefined ? `/roles/${role}` : `/clients/${(await byClientId(admin, clientId)).id}/roles/${role}`);
}

/** A user of that name, who gets a role. */
export function userWith(username: string, at: RoleAt): Break {
  return async (admin) => {
    const id = await admin.create('/users', { username: `${username}@example.com`, email: `${username}@example.com`, enabled: true });
    await give(admin, `/users/${id}`, at);
    return () => admin.delete(`/users/${id}`);
  };
}

export function groupWith(name: string, at: RoleAt): Break {
  return async (admin) => {
    const id = await admin.create('/groups', { name });
    await give(admin, `/groups/${id}`, at);
    return () => admin.delete(`/groups/${id}`);
  };
}

/** A client's service account in a group beneath one that gives a role. */
export function serviceAccountBeneath(group: string, clientId: string, at: RoleAt): Break {
  return async (admin) => {
    const undo = await groupWith(group, at)(admin);
    const [above] = await admin.get(`/groups?search=${group}&exact=true`);
    const beneath = await admin.create(`/groups/${above.id}/children`, { name: 'beneath' });
    const { id } = await admin.get(`/clients/${(await byClientId(admin, clientId)).id}/service-account-user`);
    await admin.put(`/users/${id}/groups/${beneath}`);
    return undo;
  };
}

/** A role more, or one less, for a client's service account. */
export function serviceAccount(clientId: string, at: RoleAt, what: 'give' | 'take' = 'give'): Break {
  return async (admin) => {
    const { id } = await admin.get(`/clients/${(await byClientId(admin, clientId)).id}/service-account-user`);
    const [act, undo] = what === 'give' ? [give, take] : [take, give];
    await act(admin, `/users/${id}`, at);
    return () => undo(admin, `/users/${id}`, at);
  };
}

/** Makes a role a part of another. */
export function composite(of: RoleAt, within: RoleAt): Break {
  return async (admin) => {
    const [outer, inner] = [await roleOf(admin, of), await roleOf(admin, within)];
    await admin.post(`/roles-by-id/${outer.id}/composites`, [inner]);
    return () => admin.delete(`/roles-by-id/${outer.id}/composites`, [inner]);
  };
}

export function newRole(name: string): Break {
  return async (admin) => {
    await admin.post('/roles', { name });
    return () => admin.delete(`/roles/${name}`);
  };
}

export function scopeMapping(clientId: string, at: RoleAt): Break {
  return async (admin) => {
    const path = `/clients/${(await byClientId(admin, clientId)).id}/scope-mappings${await kind(admin, at)}`;
    const role = await roleOf(admin, at);
    await admin.delete(path, [role]);
    return () => admin.post(path, [role]);
  };
}

async function give(admin: KeycloakAdmin, holder: string, at: RoleAt): Promise<void> {
  await admin.post(`${holder}/role-mappings${await kind(admin, at)}`, [await roleOf(admin, at)]);
}

async function take(admin: KeycloakAdmin, holder: string, at: RoleAt): Promise<void> {
  await admin.delete(`${holder}/role-mappings${await kind(admin, at)}`, [await roleOf(admin, at)]);
}

async function kind(admin: KeycloakAdmin, at: RoleAt): Promise<string> {
  return at.client === undefined ? '/realm' : `/clients/${(await byClientId(admin, at.client)).id}`;
}

/** One after the other; undone the other way round. */
export function all(...breaks: readonly Break[]): Break {
  return async (admin) => {
    const undo: Undo[] = [];
    const back: Undo = async () => {
      for (const one of undo.splice(0).toReversed()) await one();
    };
    try {
      for (const one of breaks) undo.push(await one(admin));
    } catch (error) {
      await back();
      throw error;
    }
    return back;
  };
}

function at(flowAlias: string): string {
  return `/authentication/flows/${encodeURIComponent(flowAlias)}/executions`;
}
