import { randomUUID } from 'node:crypto';
import { keycloakAdmin } from './keycloak-admin.ts';
import { stack } from './stack.ts';

export interface Program {
  clientId: string;
  create(body: unknown): Promise<{ status: number; type: string; body: Record<string, unknown> }>;
  /** Any other call of the bridge; a body makes it a POST. */
  ask(path: string, body?: unknown, method?: string): Promise<{ status: number; body: Record<string, unknown> }>;
  remove(): Promise<void>;
}

/** A client as docs/programs.md has operators make it; `role` undefined leaves the role away. */
export async function openProgram(role: string | undefined = 'trial-create'): Promise<Program> {
  const admin = keycloakAdmin();
  const clientId = `program-${randomUUID().slice(0, 8)}`;
  const id = await admin.create('/clients', {
    clientId,
    serviceAccountsEnabled: true,
    standardFlowEnabled: false,
    fullScopeAllowed: false,
    secret: clientId,
    protocolMappers: [
      {
        name: 'audience of the bridge',
        protocol: 'openid-connect',
        protocolMapper: 'oidc-audience-mapper',
        config: { 'included.client.audience': 'vestibule-bridge', 'access.token.claim': 'true' },
      },
    ],
  });
  if (role !== undefined) {
    const [bridge] = await admin.get('/clients?clientId=vestibule-bridge');
    const roles = [await admin.get(`/clients/${bridge.id}/roles/${role}`)];
    const account = await admin.get(`/clients/${id}/service-account-user`);
    await admin.post(`/users/${account.id}/role-mappings/clients/${bridge.id}`, roles);
    await admin.post(`/clients/${id}/scope-mappings/clients/${bridge.id}`, roles);
  }
  let held: string | undefined;
  const token = async () => {
    if (held !== undefined) return held;
    const answer = await fetch(`${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientId }),
    });
    held = ((await answer.json()) as { access_token: string }).access_token;
    return held;
  };
  // Also while Keycloak is away.
  await token();
  return {
    clientId,
    create: async (body) => {
      const answer = await fetch(`${stack().bridge}/api/trial/creation`, {
        method: 'POST',
        headers: { authorization: `Bearer ${await token()}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: answer.status, type: answer.headers.get('content-type') ?? '', body: (await answer.json()) as Record<string, unknown> };
    },
    ask: async (path, body, method = body === undefined ? 'GET' : 'POST') => {
      const answer = await fetch(stack().bridge + path, {
        method,
        headers: { authorization: `Bearer ${await token()}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    },
    remove: () => admin.delete(`/clients/${id}`),
  };
}
