import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';

interface Execution {
  authenticator?: string;
  flowAlias?: string;
  requirement: string;
  priority: number;
  authenticatorConfig?: string;
}
interface Flow {
  alias: string;
  topLevel: boolean;
  authenticationExecutions: Execution[];
}
interface Client {
  clientId: string;
  secret: string;
  redirectUris: string[];
  webOrigins: string[];
  fullScopeAllowed: boolean;
  implicitFlowEnabled: boolean;
  directAccessGrantsEnabled: boolean;
  protocolMappers?: { protocolMapper: string }[];
  attributes: Record<string, string>;
}

const source = readFileSync('realm-export.json', 'utf8');
const realm = JSON.parse(source);
const flows: Flow[] = realm.authenticationFlows;
const clients: Client[] = realm.clients;

function steps(alias: string): string[] {
  const flow = flows.find((one) => one.alias === alias);
  return flow!.authenticationExecutions.map((execution) => `${execution.requirement} ${execution.authenticator ?? execution.flowAlias}`);
}

describe('realm-export.json', () => {
  test.each(['browserFlow', 'registrationFlow', 'directGrantFlow', 'resetCredentialsFlow', 'firstBrokerLoginFlow'])('binds its own %s', (binding) => {
    expect(flows.filter((flow) => flow.topLevel).map((flow) => flow.alias)).toContain(realm[binding]);
  });

  test('the registration flow asks for the invitation before the locked form', () => {
    expect(steps('vestibule registration')).toEqual(['REQUIRED trial-token-authenticator', 'REQUIRED trial-registration-page']);
    expect(steps('vestibule registration form')).toEqual(['REQUIRED trial-token-form-action', 'REQUIRED trial-password-action']);
  });

  test.each(['vestibule browser', 'vestibule direct grant', 'vestibule reset credentials', 'vestibule post broker login'])(
    'SECURITY 4: "%s" ends with the expiry step',
    (alias) => {
      expect(steps(alias).at(-1)).toBe('REQUIRED trial-expiration-authenticator');
    },
  );

  test('SECURITY 13: the forms that take a name are those that tell nobody whether it has an account', () => {
    expect(steps('vestibule browser forms')[0]).toBe('REQUIRED vestibule-username-password-form');
    expect(steps('vestibule reset credentials').slice(0, 2)).toEqual(['REQUIRED vestibule-reset-choose-user', 'REQUIRED vestibule-reset-credential-email']);
    expect(['auth-username-password-form', 'reset-credentials-choose-user', 'reset-credential-email'].filter((stock) => source.includes(`"${stock}"`))).toEqual([]);
  });

  test('SECURITY 13: no client may ask by direct grant, whose steps are Keycloak’s own', () => {
    expect(clients.filter((client) => client.directAccessGrantsEnabled)).toEqual([]);
  });

  test('SECURITY 4: every client is under the policy that refuses tokens after the end', () => {
    const [policy] = realm.clientPolicies.policies;
    expect(policy).toMatchObject({ enabled: true, conditions: [{ condition: 'any-client' }], profiles: ['vestibule'] });
    expect(realm.clientProfiles.profiles[0].executors[0].executor).toBe('trial-expiration-executor');
  });

  test('SECURITY 6: an identity provider makes accounts only behind an invitation', () => {
    expect(steps('vestibule first broker login')).toEqual(['REQUIRED trial-token-authenticator', 'REQUIRED vestibule first broker account']);
    expect(steps('vestibule first broker account')).toEqual(['ALTERNATIVE trial-provider-creation', 'ALTERNATIVE vestibule first broker link']);
    expect(source).not.toContain('idp-create-user-if-unique');
    expect(source).not.toContain('idp-auto-link');
  });

  test('every config that a step names exists', () => {
    const named = flows.flatMap((flow) => flow.authenticationExecutions).flatMap((execution) => execution.authenticatorConfig ?? []);
    const existing = realm.authenticatorConfig.map((config: { alias: string }) => config.alias);
    expect(existing).toEqual(expect.arrayContaining(named));
  });

  test('SECURITY 1: nobody but the bridge’s service account has a realm-management role, and that one only looks', () => {
    const holders = realm.users.filter((user: { clientRoles?: Record<string, string[]> }) => user.clientRoles?.['realm-management']);
    expect(holders).toHaveLength(1);
    expect(holders[0]).toMatchObject({ username: 'service-account-vestibule-bridge', clientRoles: { 'realm-management': ['view-users'], 'vestibule-trials': ['keep-trials'] } });
    const [trials, ...otherGroups] = realm.groups;
    expect([trials.name, trials.realmRoles, trials.clientRoles, otherGroups]).toEqual(['vestibule-trials', undefined, undefined, []]);
    expect(trials.subGroups).toEqual([{ id: expect.any(String), name: 'app', path: '/vestibule-trials/app', realmRoles: ['trial-user'] }]);
    expect(realm.clientScopeMappings['realm-management']).toEqual([{ client: 'vestibule-bridge', roles: ['view-users'] }]);
  });

  test('SECURITY 1: the bridge may make accounts in the group of programs, and manage nobody else', () => {
    const [{ id }] = realm.groups[0].subGroups;
    const { resources, policies } = realm.clients.find((client: Client) => client.clientId === 'admin-permissions').authorizationSettings;
    expect(realm.adminPermissionsEnabled).toBe(true);
    expect(resources.map((resource: { name: string }) => resource.name)).toEqual([id]);
    expect(policies.map((policy: { type: string; logic: string; config: object }) => [policy.type, policy.logic, policy.config])).toEqual([
      ['user', 'POSITIVE', { users: '["service-account-vestibule-bridge"]' }],
      ['scope', 'POSITIVE', { defaultResourceType: 'Groups', resources: JSON.stringify([id]), scopes: '["manage-members","manage-membership"]', applyPolicies: '["vestibule bridge"]' }],
    ]);
  });

  test('SECURITY 15: the bridge alone may call the jar, whose audience is a client that nobody signs in with', () => {
    expect(realm.users.filter((user: { clientRoles?: Record<string, string[]> }) => user.clientRoles?.['vestibule-trials']).map(({ username }: { username: string }) => username)).toEqual(['service-account-vestibule-bridge']);
    expect(realm.clientScopeMappings['vestibule-trials']).toEqual([{ client: 'vestibule-bridge', roles: ['keep-trials'] }]);
    expect(clients.find(({ clientId }) => clientId === 'vestibule-trials')).toMatchObject({ bearerOnly: true, standardFlowEnabled: false, serviceAccountsEnabled: false, redirectUris: [] });
  });

  test('no client of the file has trial-create', () => {
    expect(JSON.stringify([realm.clientScopeMappings, realm.users, realm.groups])).not.toContain('trial-create');
  });

  test.each(clients.map((client) => [client.clientId, client] as const))('SECURITY 26: %s has exact addresses and a narrow scope', (_, client) => {
    expect([...client.redirectUris, ...client.webOrigins].join(' ')).not.toMatch(/[*+]/);
    expect(client).toMatchObject({ fullScopeAllowed: false, implicitFlowEnabled: false, directAccessGrantsEnabled: false });
    expect(client.attributes).toMatchObject({
      'oauth2.device.authorization.grant.enabled': 'false',
      'oidc.ciba.grant.enabled': 'false',
      'standard.token.exchange.enabled': 'false',
    });
    // Keycloak's own, which nobody signs in with, has none of ours.
    expect(client.secret ?? '${NONE}').toMatch(/^\$\{[A-Z_]+\}$/);
  });

  test('SECURITY 15: no client has an audience mapper, so people’s tokens never carry the bridge’s audience', () => {
    expect(clients.flatMap((client) => client.protocolMappers ?? []).map((mapper) => mapper.protocolMapper)).not.toContain('oidc-audience-mapper');
  });

  test('SECURITY 26: usernames cannot be edited, unmanaged attributes are off, the stamp is for admins only', () => {
    expect(realm.editUsernameAllowed).toBe(false);
    const [provider] = realm.components['org.keycloak.userprofile.UserProfileProvider'];
    const profile = JSON.parse(provider.config['kc.user.profile.config'][0]);
    expect(profile.unmanagedAttributePolicy).toBeUndefined();
    const stamp = profile.attributes.find((attribute: { name: string }) => attribute.name === 'trial_stamp');
    expect(stamp.permissions).toEqual({ view: ['admin'], edit: ['admin'] });
  });

  test('names addresses and secrets only as variables', () => {
    expect(source).not.toMatch(/https?:\/\//);
    expect(source).not.toContain('localhost');
  });

  test('lifetimes: access token 5 minutes, session idle 30 minutes and at most 10 hours', () => {
    expect(realm).toMatchObject({ accessTokenLifespan: 300, ssoSessionIdleTimeout: 1800, ssoSessionMaxLifespan: 36_000, bruteForceProtected: true });
  });

  test('SECURITY 24: Keycloak’s pages are framed by nobody', () => {
    expect(realm.browserSecurityHeaders.contentSecurityPolicy).toContain("frame-ancestors 'none'");
  });
});
