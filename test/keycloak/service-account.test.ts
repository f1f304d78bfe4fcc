import { beforeAll, describe, expect, test } from '@jest/globals';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { bridgeEnvironment } from '../support/doctor.ts';
import { createPerson, type Person } from '../support/person.ts';
import { stack } from '../support/stack.ts';

/** SECURITY.md 1: what the bridge's own account may do to a member of staff, and to anybody: look. */
let staff: Person;
let token: string;

beforeAll(async () => {
  const admin = keycloakAdmin();
  staff = await createPerson([], 0);
  await admin.post(`/users/${staff.id}/role-mappings/realm`, [await admin.get('/roles/staff')]);
  const answer = await fetch(`${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: 'vestibule-bridge', client_secret: bridgeEnvironment()['BRIDGE_CLIENT_SECRET']! }),
  });
  token = ((await answer.json()) as { access_token: string }).access_token;
});

async function asBridge(method: string, path: string, body?: unknown): Promise<number> {
  const answer = await fetch(`${stack().keycloak}/admin/realms/${stack().realm}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return answer.status;
}

describe('SECURITY 1: the bridge’s service account', () => {
  test('can look', async () => {
    expect(await asBridge('GET', `/users/${staff.id}`)).toBe(200);
  });

  test.each([
    ['set a password', 'PUT', '/reset-password', { type: 'password', value: 'taken over' }],
    ['delete', 'DELETE', '', undefined],
    ['log out', 'POST', '/logout', undefined],
    ['edit', 'PUT', '', { enabled: false }],
    ['impersonate', 'POST', '/impersonation', undefined],
    ['send an action link to', 'PUT', '/execute-actions-email', ['UPDATE_PASSWORD']],
  ])('cannot %s a member of staff', async (_, method, path, body) => {
    expect(await asBridge(method, `/users/${staff.id}${path}`, body)).toBe(403);
  });

  test('cannot give itself a role', async () => {
    const admin = keycloakAdmin();
    const [client] = await admin.get('/clients?clientId=vestibule-bridge');
    const account = await admin.get(`/clients/${client.id}/service-account-user`);
    expect(await asBridge('POST', `/users/${account.id}/role-mappings/realm`, [])).toBe(403);
  });
});
