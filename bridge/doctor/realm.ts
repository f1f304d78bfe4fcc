import type KeycloakAdminClient from '@keycloak/keycloak-admin-client';
import type { Finding } from './finding.ts';

const EXPIRATION_STEP = 'trial-expiration-authenticator';
const TOKEN_STEP = 'trial-token-authenticator';
const FORM_ACTION = 'trial-token-form-action';
const EXPIRATION_EXECUTOR = 'trial-expiration-executor';
const ALLOWED_ADMIN_ROLES = new Set(['view-users', 'query-users', 'query-groups', 'view-clients', 'query-clients']);
const DEVICE_GRANT = 'oauth2.device.authorization.grant.enabled';
const CLIENT_SWITCHES = [
  [DEVICE_GRANT, 'the device grant'],
  ['oidc.ciba.grant.enabled', 'CIBA'],
  ['standard.token.exchange.enabled', 'token exchange'],
  ['oauth2.jwt.authorization.grant.enabled', 'the JWT authorization grant'],
] as const;

export interface RealmCheck {
  name: string;
  /** What is wrong, one sentence each; none when all is well. */
  run(view: RealmView): Promise<readonly string[]> | readonly string[];
  advice: string;
}

type Realm = Awaited<ReturnType<KeycloakAdminClient['realms']['findOne']>>;
type Client = Awaited<ReturnType<KeycloakAdminClient['clients']['find']>>[number];

export interface RealmView {
  admin: KeycloakAdminClient;
  realm: NonNullable<Realm>;
  clients: readonly Client[];
  bridgeClientId: string;
}

/** SECURITY.md 1, 4, 6 and 26, seen from outside. */
export const REALM_CHECKS: readonly RealmCheck[] = [
  {
    name: 'service-account-roles',
    run: serviceAccountRoles,
    advice: 'Take the role away: Clients, the bridge, Service account roles. view-users is enough.',
  },
  {
    name: 'other-service-accounts',
    run: otherServiceAccounts,
    advice: 'Take realm-management roles away from this service account, or know why it has them: it can reach every account of the realm.',
  },
  { name: 'browser-flow', run: flowCheck('browserFlow', EXPIRATION_STEP), advice: 'Authentication, Flows: add the step after the sign-in, REQUIRED, and bind the flow.' },
  { name: 'direct-grant-flow', run: flowCheck('directGrantFlow', EXPIRATION_STEP), advice: 'Add the step at the end, REQUIRED, and bind the flow.' },
  { name: 'reset-credentials-flow', run: flowCheck('resetCredentialsFlow', EXPIRATION_STEP), advice: 'Add the step at the end, REQUIRED: reset-credentials signs in without the browser flow.' },
  { name: 'registration-flow', run: flowCheck('registrationFlow', TOKEN_STEP, FORM_ACTION), advice: 'Bind the registration flow with the token step before the form.' },
  { name: 'first-broker-login-flow', run: firstBrokerFlow, advice: 'Remove the step, or put the token step before it: it makes users without an invitation.' },
  { name: 'post-broker-flow', run: postBrokerFlows, advice: 'Identity providers: choose the post-login flow with the expiration step.' },
  { name: 'client-policy', run: clientPolicy, advice: 'Realm settings, Client policies: a policy for any client with the executor; refresh and code exchange run no flow.' },
  { name: 'client-flow-overrides', run: flowOverrides, advice: 'Clients, Advanced, Authentication flow overrides: take it away, or give its flow the expiration step.' },
  { name: 'client-grants', run: clientGrants, advice: 'Switch it off in the capability config of the client.' },
  { name: 'saml-clients', run: samlClients, advice: 'A SAML client runs the browser flow only: sessions live on after the end. Know that, or remove it.' },
  { name: 'client-addresses', run: clientAddresses, advice: 'List exact redirect addresses and origins.' },
  { name: 'realm-settings', run: realmSettings, advice: 'Realm settings: change it as said.' },
  { name: 'user-profile', run: userProfile, advice: 'Realm settings, User profile: trial_stamp is viewed and edited by admins only; unmanaged attributes are off.' },
];

export async function checkRealm(view: RealmView): Promise<{ passed: readonly string[]; findings: readonly Finding[] }> {
  const results = await Promise.all(
    REALM_CHECKS.map(async ({ name, run, advice }) => {
      const faults = await Promise.resolve()
        .then(() => run(view))
        .catch((error: unknown) => [`could not be checked: ${error instanceof Error ? error.message : String(error)}`]);
      return { name, findings: faults.map((detail) => ({ check: name, subject: view.realm.realm ?? '', detail, advice })) };
    }),
  );
  return {
    passed: results.filter(({ findings }) => findings.length === 0).map(({ name }) => name),
    findings: results.flatMap(({ findings }) => findings),
  };
}

async function serviceAccountRoles({ admin, clients, bridgeClientId }: RealmView): Promise<readonly string[]> {
  const bridge = clients.find((client) => client.clientId === bridgeClientId);
  if (bridge?.id === undefined) return [`client ${bridgeClientId} does not exist`];
  const roles = await adminRolesOf(admin, clients, bridge);
  const excessive = roles.filter((role) => !ALLOWED_ADMIN_ROLES.has(role)).map((role) => `${bridgeClientId} has the role ${role}`);
  return roles.includes('view-users') ? excessive : [...excessive, `${bridgeClientId} lacks the role view-users`];
}

async function otherServiceAccounts({ admin, clients, bridgeClientId }: RealmView): Promise<readonly string[]> {
  const others = clients.filter((client) => client.serviceAccountsEnabled && client.clientId !== bridgeClientId);
  const found = await Promise.all(
    others.map(async (client) => (await adminRolesOf(admin, clients, client)).map((role) => `${client.clientId} has the role ${role}`)),
  );
  return found.flat();
}

async function adminRolesOf(admin: KeycloakAdminClient, clients: readonly Client[], of: Client): Promise<readonly string[]> {
  const management = clients.find((client) => client.clientId === 'realm-management');
  if (of.id === undefined || management?.id === undefined) return [];
  const account = await admin.clients.getServiceAccountUser({ id: of.id });
  const roles = await admin.users.listCompositeClientRoleMappings({ id: account.id ?? '', clientUniqueId: management.id });
  return roles.map((role) => role.name ?? '');
}

type BoundFlow = 'browserFlow' | 'directGrantFlow' | 'resetCredentialsFlow' | 'registrationFlow';

function flowCheck(binding: BoundFlow, ...steps: readonly string[]): RealmCheck['run'] {
  return async ({ admin, realm }) => {
    const alias = realm[binding];
    if (alias === undefined) return [`${binding} is not bound`];
    const executions = await admin.authenticationManagement.getExecutions({ flow: alias });
    return steps
      .filter((step) => !executions.some((one) => one.providerId === step && one.requirement === 'REQUIRED'))
      .map((step) => `${binding} "${alias}" has no REQUIRED ${step}`);
  };
}

async function firstBrokerFlow({ admin, realm }: RealmView): Promise<readonly string[]> {
  const { firstBrokerLoginFlow: alias } = realm as { firstBrokerLoginFlow?: string };
  if (alias === undefined) return [];
  const executions = await admin.authenticationManagement.getExecutions({ flow: alias });
  const creates = executions.findIndex((one) => one.providerId === 'idp-create-user-if-unique' && one.requirement !== 'DISABLED');
  const guarded = executions.findIndex((one) => one.providerId === TOKEN_STEP && one.requirement === 'REQUIRED');
  const links = executions.find((one) => one.providerId === 'idp-auto-link' && one.requirement !== 'DISABLED');
  return [
    ...(creates >= 0 && (guarded < 0 || guarded > creates) ? [`"${alias}" creates users without an invitation`] : []),
    ...(links === undefined ? [] : [`"${alias}" links accounts by itself`]),
  ];
}

async function postBrokerFlows({ admin }: RealmView): Promise<readonly string[]> {
  const providers = await admin.identityProviders.find();
  const found = await Promise.all(
    providers.map(async ({ alias, enabled, postBrokerLoginFlowAlias }) => {
      if (enabled === false) return [];
      if (!postBrokerLoginFlowAlias) return [`identity provider ${alias} has no post-login flow`];
      const executions = await admin.authenticationManagement.getExecutions({ flow: postBrokerLoginFlowAlias });
      const guarded = executions.some((one) => one.providerId === EXPIRATION_STEP && one.requirement === 'REQUIRED');
      return guarded ? [] : [`the post-login flow of ${alias} has no REQUIRED ${EXPIRATION_STEP}`];
    }),
  );
  return found.flat();
}

async function clientPolicy({ admin }: RealmView): Promise<readonly string[]> {
  const [{ profiles = [] }, { policies = [] }] = await Promise.all([
    admin.clientPolicies.listProfiles({ includeGlobalProfiles: false }),
    admin.clientPolicies.listPolicies({ includeGlobalPolicies: false }),
  ]);
  const guarding = new Set(profiles.filter((one) => one.executors?.some(({ executor }) => executor === EXPIRATION_EXECUTOR)).map((one) => one.name));
  const everywhere = policies.some(
    (one) =>
      one.enabled === true &&
      one.profiles?.some((name) => guarding.has(name)) &&
      one.conditions?.some(({ condition }) => condition === 'any-client'),
  );
  return everywhere ? [] : [`no enabled policy for any client runs ${EXPIRATION_EXECUTOR}`];
}

function flowOverrides({ clients }: RealmView): readonly string[] {
  return clients
    .filter((client) => Object.values(client.authenticationFlowBindingOverrides ?? {}).some(Boolean))
    .map((client) => `client ${client.clientId} overrides a flow`);
}

function clientGrants({ clients }: RealmView): readonly string[] {
  return clients.flatMap((client) => [
    ...(client.implicitFlowEnabled ? [`client ${client.clientId} allows the implicit flow`] : []),
    ...(client.directAccessGrantsEnabled && client.clientId !== 'admin-cli' ? [`client ${client.clientId} allows direct access grants`] : []),
    ...CLIENT_SWITCHES.filter(([attribute]) => client.attributes?.[attribute] === 'true').map(([, what]) => `client ${client.clientId} allows ${what}`),
    ...(client.fullScopeAllowed && !isBuiltIn(client) ? [`client ${client.clientId} has full scope`] : []),
  ]);
}

function isBuiltIn({ clientId }: Client): boolean {
  return ['account', 'account-console', 'admin-cli', 'broker', 'realm-management', 'security-admin-console'].includes(clientId ?? '');
}

function samlClients({ clients }: RealmView): readonly string[] {
  return clients.filter((client) => client.protocol === 'saml' && client.enabled).map((client) => `client ${client.clientId} speaks SAML`);
}

function clientAddresses({ clients }: RealmView): readonly string[] {
  return clients
    .filter((client) => !isBuiltIn(client))
    .flatMap((client) => [...(client.redirectUris ?? []), ...(client.webOrigins ?? [])].filter((one) => one.includes('*')).map((one) => `client ${client.clientId} lists ${one}`));
}

function realmSettings({ realm }: RealmView): readonly string[] {
  return [
    realm.registrationAllowed ? '' : 'registration is off: prompt=create does not work; the token step is what closes it',
    realm.editUsernameAllowed ? 'people may change their user name' : '',
    realm.duplicateEmailsAllowed ? 'two people may have one e-mail address' : '',
    realm.bruteForceProtected ? '' : 'brute-force detection is off',
    realm.registrationEmailAsUsername ? '' : 'the e-mail address is not the user name',
  ].filter(Boolean);
}

async function userProfile({ admin }: RealmView): Promise<readonly string[]> {
  const profile = await admin.users.getProfile();
  const stamp = profile.attributes?.find((attribute) => attribute.name === 'trial_stamp');
  const roles = [...(stamp?.permissions?.view ?? []), ...(stamp?.permissions?.edit ?? [])];
  return [
    stamp === undefined ? 'trial_stamp is not declared' : '',
    roles.includes('user') ? 'people may see or change trial_stamp' : '',
    (profile as { unmanagedAttributePolicy?: string }).unmanagedAttributePolicy === 'ENABLED' ? 'unmanaged attributes are on' : '',
  ].filter(Boolean);
}
