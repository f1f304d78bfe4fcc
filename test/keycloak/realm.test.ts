import { expect, test } from '@jest/globals';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { stack } from '../support/stack.ts';

/** The realm as it came out of the import: what the file leaves unsaid, Keycloak fills in. */
const realmUrl = () => `${stack().keycloak}/realms/${stack().realm}`;

test('SECURITY 26: nobody registers a client without a token', async () => {
  const answer = await fetch(`${realmUrl()}/clients-registrations/openid-connect`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: ['https://evil.example/callback'] }),
  });
  expect(answer.status).toBe(403);
});

test.each(['/evil', '/api/callback/', '/api/callback?x=1', '/api/callback#x'])('SECURITY 26: %s of the proxy is no redirect address', async (path) => {
  const query = new URLSearchParams({ client_id: 'vestibule-proxy', response_type: 'code', redirect_uri: `${stack().proxy}${path}` });
  const answer = await fetch(`${realmUrl()}/protocol/openid-connect/auth?${query}`, { redirect: 'manual' });
  expect(answer.status).toBe(400);
});

test('no placeholder is left in the imported realm', async () => {
  const admin = keycloakAdmin();
  const [realm, clients, flows] = await Promise.all([admin.get(''), admin.get('/clients'), admin.get('/authentication/flows')]);
  const ours: { alias: string }[] = flows.filter((flow: { alias: string }) => flow.alias.startsWith('vestibule'));
  const executions = await Promise.all(ours.map(({ alias }) => admin.get(`/authentication/flows/${encodeURIComponent(alias)}/executions`)));
  const ids: string[] = executions.flat().flatMap((one: { authenticationConfig?: string }) => one.authenticationConfig ?? []);
  const configs = await Promise.all(ids.map((id) => admin.get(`/authentication/config/${id}`)));
  expect(configs.map((one) => one.config.bridgeUrl).filter(Boolean).length).toBeGreaterThanOrEqual(6);
  expect(JSON.stringify([realm.smtpServer, configs, clients.filter((client: { clientId: string }) => client.clientId.startsWith('vestibule-'))])).not.toMatch(/\$\{[A-Z]/);
});

test('every step of ours is there, with its settings', async () => {
  const executions = await keycloakAdmin().get('/authentication/flows/vestibule%20registration/executions');
  expect(executions.map((one: { providerId?: string; requirement: string }) => `${one.requirement} ${one.providerId}`)).toEqual([
    'REQUIRED trial-token-authenticator',
    'REQUIRED trial-registration-page',
    'REQUIRED trial-token-form-action',
    'REQUIRED trial-password-action',
  ]);
});
