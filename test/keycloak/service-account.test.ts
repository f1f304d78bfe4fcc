import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { bridgeEnvironment } from '../support/doctor.ts';
import { createPerson, freshAddress, type Person } from '../support/person.ts';
import { stack } from '../support/stack.ts';
import { invite, signUp } from '../support/visitor.ts';

/** SECURITY.md 1: what the bridge's own account may do to people: look, and make accounts for programs. */
const OTHERS = ['a member of staff', 'an admin of the realm', 'an ordinary person', 'somebody who signed up in a browser', 'its own account'] as const;
const admin = keycloakAdmin();
const ids = new Map<string, string>();
let token: string;
let groups: Record<'trials' | 'app' | 'other', string>;
let trialUser: unknown;

beforeAll(async () => {
  const [staff, chief, ordinary] = (await Promise.all([createPerson([], 0), createPerson([], 0), createPerson([], 0)])) as [Person, Person, Person];
  await admin.post(`/users/${staff.id}/role-mappings/realm`, [await admin.get('/roles/staff')]);
  const [management] = await admin.get('/clients?clientId=realm-management');
  await admin.post(`/users/${chief.id}/role-mappings/clients/${management.id}`, [await admin.get(`/clients/${management.id}/roles/realm-admin`)]);
  const address = freshAddress('ada');
  await signUp(await invite(address));
  const [person] = await admin.get(`/users?${new URLSearchParams({ username: address, exact: 'true' })}`);
  const [client] = await admin.get('/clients?clientId=vestibule-bridge');
  const account = await admin.get(`/clients/${client.id}/service-account-user`);
  for (const [index, id] of [staff.id, chief.id, ordinary.id, person.id, account.id].entries()) ids.set(OTHERS[index]!, id);
  const [trials] = await admin.get('/groups?search=vestibule-trials&exact=true');
  const [app] = await admin.get(`/groups/${trials.id}/children`);
  groups = { trials: trials.id, app: app.id, other: await admin.create('/groups', { name: `admins-${randomUUID().slice(0, 8)}` }) };
  trialUser = await admin.get('/roles/trial-user');
  const answer = await fetch(`${stack().keycloak}/realms/${stack().realm}/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: 'vestibule-bridge', client_secret: bridgeEnvironment()['BRIDGE_CLIENT_SECRET']! }),
  });
  token = ((await answer.json()) as { access_token: string }).access_token;
});

/** The doctor names whoever may administer the realm. */
afterAll(async () => {
  await admin.delete(`/users/${ids.get('an admin of the realm')}`);
});

async function asBridge(method: string, path: string, body?: unknown): Promise<number> {
  const answer = await fetch(`${stack().keycloak}/admin/realms/${stack().realm}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return answer.status;
}

const account = (given: object) => {
  const address = freshAddress('made');
  return { username: address, email: address, enabled: true, emailVerified: true, credentials: [{ type: 'password', value: 'a long pass phrase' }], ...given };
};

describe.each(OTHERS)('SECURITY 1: to %s the bridge’s service account', (who) => {
  const user = () => `/users/${ids.get(who)}`;

  test('can look', async () => {
    expect(await asBridge('GET', user())).toBe(200);
  });

  test.each<[string, string, () => string, () => unknown]>([
    ['set a password', 'PUT', () => '/reset-password', () => ({ type: 'password', value: 'a pass phrase of its own' })],
    ['log out', 'POST', () => '/logout', () => undefined],
    ['edit', 'PUT', () => '', () => ({ enabled: false })],
    ['stamp', 'PUT', () => '', () => ({ attributes: { trial_stamp: ['{}'] } })],
    ['impersonate', 'POST', () => '/impersonation', () => undefined],
    ['send an action link', 'PUT', () => '/execute-actions-email', () => ['UPDATE_PASSWORD']],
    ['give a role', 'POST', () => '/role-mappings/realm', () => [trialUser]],
    ['pull into the group of its accounts', 'PUT', () => `/groups/${groups.app}`, () => undefined],
    ['pull into the group of stamped people', 'PUT', () => `/groups/${groups.trials}`, () => undefined],
    ['throw out of the group of stamped people', 'DELETE', () => `/groups/${groups.trials}`, () => undefined],
    ['link an identity', 'POST', () => '/federated-identity/none', () => ({ identityProvider: 'none', userId: 'x', userName: 'x' })],
    ['delete', 'DELETE', () => '', () => undefined],
  ])('cannot %s', async (_, method, path, body) => {
    expect(await asBridge(method, `${user()}${path()}`, body())).toBe(403);
  });
});

describe('SECURITY 1: the bridge’s service account', () => {
  test.each<[string, number, () => object]>([
    ['in the group of programs', 201, () => ({ groups: ['/vestibule-trials/app'] })],
    ['in no group', 403, () => ({})],
    ['in the group of stamped people', 403, () => ({ groups: ['/vestibule-trials'] })],
    ['in both', 403, () => ({ groups: ['/vestibule-trials/app', '/vestibule-trials'] })],
    ['in another group', 403, () => ({ groups: ['/admins'] })],
  ])('makes an account %s: %i', async (_, status, given) => {
    expect(await asBridge('POST', '/users', account(given()))).toBe(status);
  });

  test('makes no account with a role, although it names one', async () => {
    const made = account({ groups: ['/vestibule-trials/app'], realmRoles: ['staff'], clientRoles: { 'realm-management': ['realm-admin'] } });
    expect(await asBridge('POST', '/users', made)).toBe(201);
    const [user] = await admin.get(`/users?${new URLSearchParams({ username: made.username, exact: 'true' })}`);
    const { realmMappings, clientMappings } = await admin.get(`/users/${user.id}/role-mappings`);
    expect([(realmMappings ?? []).map((role: { name: string }) => role.name), clientMappings]).toEqual([['default-roles-vestibule'], undefined]);
  });

  test('cannot move an account it made into another group, nor change its group', async () => {
    const made = account({ groups: ['/vestibule-trials/app'] });
    expect(await asBridge('POST', '/users', made)).toBe(201);
    const [user] = await admin.get(`/users?${new URLSearchParams({ username: made.username, exact: 'true' })}`);
    expect(await asBridge('PUT', `/users/${user.id}/groups/${groups.other}`)).toBe(403);
    expect(await asBridge('POST', `/users/${user.id}/role-mappings/realm`, [trialUser])).toBe(403);
    expect(await asBridge('PUT', `/groups/${groups.app}`, { name: 'app', realmRoles: ['staff'] })).toBe(403);
    expect(await asBridge('POST', `/groups/${groups.app}/role-mappings/realm`, [trialUser])).toBe(403);
  });
});
