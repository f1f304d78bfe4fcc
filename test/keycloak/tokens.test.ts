import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { createPerson, type Person } from '../support/person.ts';
import { bridgeEnvironment } from '../support/doctor.ts';
import { stack } from '../support/stack.ts';

/** SECURITY.md 15: tokens that the realm itself made, each at every door of the bridge that is not its own. */
const CLIENT = 'tokens-of-people';
const admin = keycloakAdmin();
let clientId: string;
let person: Person;
let tokens: Record<string, string>;

beforeAll(async () => {
  clientId = await admin.create('/clients', { clientId: CLIENT, publicClient: true, directAccessGrantsEnabled: true, standardFlowEnabled: false, fullScopeAllowed: true });
  person = await createPerson([], 0);
  const { access_token, id_token, refresh_token } = await signIn();
  const [bridge] = await admin.get('/clients?clientId=vestibule-bridge');
  const roles = await admin.get(`/clients/${bridge.id}/roles`);
  await admin.post(`/users/${person.id}/role-mappings/clients/${bridge.id}`, roles);
  const withRoles = await signIn();
  tokens = {
    'a person’s access token': access_token!,
    'a person’s ID token': id_token!,
    'a person’s refresh token': refresh_token!,
    'the access token of a person who was given every role of the bridge': withRoles['access_token']!,
    'the bridge’s own token for Keycloak': await clientCredentials('vestibule-bridge', bridgeEnvironment()['BRIDGE_CLIENT_SECRET']!),
    'an admin’s access token': await adminToken(),
  };
});

afterAll(async () => {
  await admin.delete(`/clients/${clientId}`);
  await admin.delete(`/users/${person.id}`);
});

const tokenUrl = (realm: string) => `${stack().keycloak}/realms/${realm}/protocol/openid-connect/token`;

async function post(realm: string, parameters: Record<string, string>): Promise<Record<string, string>> {
  const answer = await fetch(tokenUrl(realm), { method: 'POST', body: new URLSearchParams(parameters) });
  return (await answer.json()) as Record<string, string>;
}

const signIn = () => post(stack().realm, { client_id: CLIENT, grant_type: 'password', scope: 'openid', username: person.username, password: person.password });
const clientCredentials = async (client_id: string, client_secret: string) =>
  (await post(stack().realm, { client_id, client_secret, grant_type: 'client_credentials' }))['access_token']!;
const adminToken = async () => (await post('master', { client_id: 'admin-cli', grant_type: 'password', ...stack().admin }))['access_token']!;

const DOORS: readonly (readonly [string, string, unknown])[] = [
  ['POST', '/api/trial/verify', { token: 'A'.repeat(43) }],
  ['POST', '/api/trial/creation', { token: 'A'.repeat(43), username: 'ada@example.com', user_id: 'x', attempt_id: '0b7c6f7e-9d1a-4e55-8f6b-3a2c1d0e9f88' }],
  ['POST', '/api/trial/creation', { token: 'A'.repeat(43), password: 'a long pass phrase' }],
  ['POST', '/api/trial/creation/outcome', { attempt_id: '0b7c6f7e-9d1a-4e55-8f6b-3a2c1d0e9f88', user_id: 'x', outcome: 'committed' }],
  ['POST', '/api/trial/creation/outcomes', { outcomes: [{ attempt_id: '0b7c6f7e-9d1a-4e55-8f6b-3a2c1d0e9f88', user_id: 'x', outcome: 'committed' }] }],
  ['GET', '/api/trial/infos?username=ada@example.com', undefined],
  ['POST', '/api/trial/not-me', { token: 'A'.repeat(43) }],
];

test('SECURITY 15: people’s tokens never carry the bridge’s audience', () => {
  const claims = JSON.parse(Buffer.from(tokens['a person’s access token']!.split('.')[1]!, 'base64url').toString());
  expect([claims.aud].flat()).not.toContain('vestibule-bridge');
});

describe.each(DOORS)('SECURITY 15: %s %s %j', (method, path, body) => {
  test.each([
    'a person’s access token',
    'a person’s ID token',
    'a person’s refresh token',
    'the access token of a person who was given every role of the bridge',
    'the bridge’s own token for Keycloak',
    'an admin’s access token',
  ])('refuses %s', async (name) => {
    const answer = await fetch(`${stack().bridge}${path}`, {
      method,
      headers: { authorization: `Bearer ${tokens[name]}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    expect([401, 403]).toContain(answer.status);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });
});
