import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { adminReader, type AdminReader } from '../../bridge/doctor/admin-reader.ts';
import { runChecks, type Diagnosis } from '../../bridge/doctor/check.ts';
import { loadDoctorConfig } from '../../bridge/doctor/config.ts';
import { REALM_CHECKS } from '../../bridge/doctor/realm.ts';
import { openView } from '../../bridge/doctor/view.ts';
import {
  addStep,
  all,
  byClientId,
  client,
  composite,
  flow,
  groupWith,
  identityProvider,
  moveUp,
  newClient,
  newRole,
  realm,
  scopeMapping,
  serviceAccount,
  serviceAccountBeneath,
  settings,
  step,
  trustedHosts,
  trustedHostsPolicy,
  userWith,
  type Break,
} from './support/breaking.ts';
import { adminOfRealm } from '../support/keycloak-admin.ts';
import { SAYS_WHERE } from './support/advice.ts';
import { copyRealm, doctorEnvironment, type RealmCopy } from './support/realm-copy.ts';
import { keycloakWith, keycloakWithout, shutPort, type Edit } from './support/edited-keycloak.ts';

const EXPIRY = 'trial-expiration-authenticator';
const TOKEN = 'trial-token-authenticator';
const ACTION = 'trial-token-form-action';
const CLAIMS = 'vestibule-trial-claims';
const BRIDGE = 'vestibule-bridge';
const PROXY = 'vestibule-proxy';
const MANAGEMENT = 'realm-management';
const PRODUCTION = { VESTIBULE_MODE: 'production', KEYCLOAK_PUBLIC_URL: 'https://id.example.com', PROXY_PUBLIC_URL: 'https://app.example.com', MOVABLE_CLOCK: 'false', BILLING_TOKEN_KEY: '', EMBED_SIGNING_KEY: '', BILLING_CHALLENGE_LOOPBACK: 'false' };
const DAY = 86_400;
/** A copy has an issuer of its own, whom the bridge does not know. */
const NOT_OF_A_COPY = 'extra-parameters';

let copy: RealmCopy;

beforeAll(async () => {
  copy = await copyRealm('doctor-table');
});
afterAll(() => copy.remove());

/** One sign-in for all rows. */
let reader: AdminReader | undefined;

async function diagnose(names: readonly string[], env?: Readonly<Record<string, string | undefined>>): Promise<Diagnosis> {
  const checks = REALM_CHECKS.filter(({ name }) => names.includes(name));
  const config = loadDoctorConfig(doctorEnvironment(copy.name, env));
  reader ??= adminReader(loadDoctorConfig(doctorEnvironment(copy.name)));
  return runChecks(checks, await openView(config, env === undefined ? reader : adminReader(config)));
}

const ALL = REALM_CHECKS.map(({ name }) => name).filter((name) => name !== NOT_OF_A_COPY);

type Row = readonly [check: string, rule: string, how: Break, see: string];

/** SECURITY 1, 2, 4, 6, 15 and 26: what would let somebody around the end of a trial, or into the realm. */
const REALM_ROWS: readonly Row[] = [
  ['browser-flow', 'the stock flow is bound', realm({ browserFlow: 'browser' }), `has no ${EXPIRY}`],
  ['browser-flow', 'the step is switched off', step('vestibule browser', EXPIRY, { requirement: 'DISABLED' }), `has no ${EXPIRY}`],
  ['browser-flow', 'the sign-in beside it is ALTERNATIVE', step('vestibule browser', 'vestibule browser sign-in', { requirement: 'ALTERNATIVE' }), 'beside ALTERNATIVE steps (vestibule browser sign-in)'],
  ['browser-flow', 'the step comes before the sign-in', moveUp('vestibule browser', EXPIRY), 'goes on with vestibule browser sign-in after'],
  ['browser-flow', 'something comes after the step', addStep('vestibule browser', 'auth-otp-form', 'REQUIRED'), 'goes on with OTP Form'],
  [
    'browser-flow',
    'the step stands in one alternative only',
    all(step('vestibule browser', EXPIRY, { requirement: 'DISABLED' }), addStep('vestibule browser forms', EXPIRY, 'REQUIRED', 'vestibule browser')),
    'lets people in by Cookie',
  ],
  ['direct-grant-flow', 'the stock flow is bound', realm({ directGrantFlow: 'direct grant' }), `has no ${EXPIRY}`],
  ['direct-grant-flow', 'the step stands in a CONDITIONAL sub-flow only', all(step('vestibule direct grant', EXPIRY, { requirement: 'DISABLED' }), addStep('vestibule direct grant second factor', EXPIRY, 'REQUIRED', 'vestibule direct grant')), 'which is CONDITIONAL'],
  ['reset-credentials-flow', 'the stock flow is bound', realm({ resetCredentialsFlow: 'reset credentials' }), `has no ${EXPIRY}`],
  ['registration-flow', 'the stock flow is bound', realm({ registrationFlow: 'registration' }), `has no REQUIRED ${TOKEN}`],
  ['registration-flow', 'the invitation comes after the form', moveUp('vestibule registration', 'vestibule registration form'), 'after the form'],
  ['registration-flow', 'the action is switched off', step('vestibule registration', ACTION, { requirement: 'DISABLED' }), `has no REQUIRED ${ACTION}`],
  ['registration-flow', 'the stock creation stands beside ours', addStep('vestibule registration form', 'registration-user-creation', 'REQUIRED', 'vestibule registration'), 'makes accounts without asking the bridge'],
  ['registration-flow', 'the form is a stock one', realm({ registrationFlow: 'registration' }), 'the invited address is not locked'],
  ['registration-flow', 'the invitation is one of several ways', step('vestibule registration', TOKEN, { requirement: 'ALTERNATIVE' }), 'has ALTERNATIVE steps beside'],
  ['registration-flow', 'the form may be left out', step('vestibule registration', 'vestibule registration form', { requirement: 'ALTERNATIVE' }), 'has a form that is not REQUIRED'],
  ['first-broker-login-flow', 'the stock flow is bound', realm({ firstBrokerLoginFlow: 'first broker login' }), 'creates users without an invitation'],
  ['first-broker-login-flow', 'an identity provider chooses the stock one', identityProvider({ firstBrokerLoginFlowAlias: 'first broker login' }), 'of identity provider partner creates users'],
  ['first-broker-login-flow', 'accounts are linked by themselves', addStep('vestibule first broker login', 'idp-auto-link', 'REQUIRED'), 'links accounts by itself'],
  ['first-broker-login-flow', 'nothing stands before our own step', step('vestibule first broker login', TOKEN, { requirement: 'DISABLED' }), `has trial-provider-creation without ${TOKEN} before it`],
  ['post-broker-flow', 'an identity provider has none', identityProvider({ postBrokerLoginFlowAlias: '' }), 'identity provider partner has no post-login flow'],
  ['post-broker-flow', 'it is occupied by another', all(flow('their terms', [['auth-otp-form', 'REQUIRED']]), identityProvider({ postBrokerLoginFlowAlias: 'their terms' })), `"their terms" of identity provider partner has no ${EXPIRY}`],
  ['client-flow-overrides', 'a client has the stock flow', async (admin) => {
    const stock = (await admin.get('/authentication/flows')).find((one: { alias: string }) => one.alias === 'browser');
    return newClient({ authenticationFlowBindingOverrides: { browser: stock.id } })(admin);
  }, 'client extra overrides the browser flow, and "browser" has no'],
  ['client-policy', 'the policy is off', async (admin) => {
    const before = await admin.get('/client-policies/policies');
    await admin.put('/client-policies/policies', { policies: before.policies.map((one: object) => ({ ...one, enabled: false })) });
    return () => admin.put('/client-policies/policies', before);
  }, 'no enabled policy for any client'],

  ['step-settings', 'a variable was not set', settings('vestibule registration', TOKEN, { bridgeUrl: '${BRIDGE_INTERNAL_URL}' }), 'has no address in bridgeUrl: ${BRIDGE_INTERNAL_URL}'],
  ['step-settings', 'the steps call different bridges', settings('vestibule registration', TOKEN, { bridgeUrl: 'http://127.0.0.1:1' }), 'the steps call different bridges'],
  ['step-settings', 'a limit is no number', settings('vestibule registration', ACTION, { totalTimeoutMillis: 'soon' }), 'no number of milliseconds'],
  ['step-settings', 'a limit is very long', settings('vestibule registration', ACTION, { totalTimeoutMillis: '120000' }), 'waits up to 120000 ms'],
  ['step-settings', 'the rule is no rule', settings('vestibule registration', TOKEN, { withoutInvitation: 'maybe' }), 'withoutInvitation maybe'],
  ['step-settings', 'registration is open', settings('vestibule registration', TOKEN, { withoutInvitation: 'allow' }), 'lets people register at vestibule-proxy'],
  ['step-settings', 'an exception is for nobody', settings('vestibule registration', TOKEN, { withoutInvitationExceptions: 'gone=allow' }), 'an exception for the client gone'],
  ['step-settings', 'an exception says neither', settings('vestibule registration', TOKEN, { withoutInvitationExceptions: 'vestibule-proxy' }), 'write client-id=allow or client-id=deny'],
  ['step-settings', 'in a flow of a client’s own', all(flow('their own flow', [[EXPIRY, 'REQUIRED']]), async (admin) => {
    const own = (await admin.get('/authentication/flows')).find((one: { alias: string }) => one.alias === 'their own flow');
    return newClient({ authenticationFlowBindingOverrides: { browser: own.id } })(admin);
  }), `${EXPIRY} in "Trial: end" has no settings`],
  ['step-settings', 'the zone is none', settings('vestibule browser', EXPIRY, { timeZone: 'Mars/Olympus' }), 'timeZone Mars/Olympus'],
  ['step-settings', 'the form would have no password', settings('vestibule registration', 'trial-password-action', { always_set_password_on_register_form: 'false' }), 'the form would have no password'],
  ['allowed-roles', 'a role too many', settings('vestibule registration', ACTION, { allowedRoles: 'trial-user##staff' }), 'allows the role staff, which no product grants'],
  ['allowed-roles', 'one too few', settings('vestibule registration', ACTION, { allowedRoles: '' }), 'does not allow the role trial-user'],
  ['allowed-roles', 'one that nobody has', settings('vestibule registration', ACTION, { allowedRoles: 'trial-user##gone' }), 'allows the role gone, which does not exist'],
  ['allowed-roles', 'it holds an admin role', composite({ role: 'trial-user' }, { client: MANAGEMENT, role: 'manage-users' }), 'allows the role trial-user, which holds manage-users'],
  ['allowed-roles', 'the stamp may not be set', settings('vestibule registration', ACTION, { allowedAttributes: '' }), 'does not allow the attribute trial_stamp'],
  ['allowed-roles', 'an attribute too many', settings('vestibule registration', ACTION, { allowedAttributes: 'trial_stamp##locale' }), 'allows the attribute locale'],
  ['allowed-roles', 'the group is none', settings('vestibule registration', ACTION, { group: '/gone' }), 'names the group /gone'],

  ['our-clients', 'the proxy’s is disabled', client(PROXY, { enabled: false }), 'client vestibule-proxy is disabled'],
  ['our-clients', 'the proxy’s is public', client(PROXY, { publicClient: true }), 'client vestibule-proxy is public: anybody may speak as it'],
  ['our-clients', 'the bridge’s is public', client(BRIDGE, { publicClient: true }), 'client vestibule-bridge is public: anybody may speak as it'],
  ['our-clients', 'the proxy’s needs no PKCE', client(PROXY, { attributes: { 'pkce.code.challenge.method': '' } }), 'does not ask for PKCE'],
  ['our-clients', 'nobody can sign in to the proxy’s', client(PROXY, { standardFlowEnabled: false }), 'has no standard flow: nobody can sign in'],
  ['our-clients', 'people sign in to the bridge’s', client(BRIDGE, { standardFlowEnabled: true }), 'client vestibule-bridge has the standard flow'],
  ['our-clients', 'people sign in to the jar’s', client('vestibule-trials', { bearerOnly: false, standardFlowEnabled: true }), 'client vestibule-trials can be signed in with'],
  ['client-grants', 'implicit flow', newClient({ implicitFlowEnabled: true }), 'client extra allows the implicit flow'],
  ['client-grants', 'direct grant', newClient({ directAccessGrantsEnabled: true }), 'client extra allows direct access grants'],
  ['client-grants', 'device grant', newClient({ attributes: { 'oauth2.device.authorization.grant.enabled': 'true' } }), 'client extra allows the device grant'],
  ['client-grants', 'CIBA', newClient({ attributes: { 'oidc.ciba.grant.enabled': 'true' } }), 'client extra allows CIBA'],
  ['client-grants', 'token exchange', newClient({ attributes: { 'standard.token.exchange.enabled': 'true' } }), 'client extra allows token exchange'],
  ['client-grants', 'the JWT grant', newClient({ attributes: { 'oauth2.jwt.authorization.grant.enabled': 'true' } }), 'client extra allows the JWT authorization grant'],
  ['client-grants', 'full scope', newClient({ fullScopeAllowed: true }), 'client extra has full scope'],
  ['saml-clients', 'one', newClient({ protocol: 'saml' }), 'client extra speaks SAML'],
  ['redirect-addresses', 'a wildcard', newClient({ redirectUris: ['https://app.example.com/*'] }), 'client extra lists https://app.example.com/*'],
  ['redirect-addresses', 'any origin', newClient({ webOrigins: ['*'] }), 'client extra lists *'],
  ['redirect-addresses', 'ours is missing', client(PROXY, { redirectUris: [] }), 'lacks the redirect address'],
  ['redirect-addresses', 'the one after logout is missing', client(PROXY, { attributes: { 'post.logout.redirect.uris': 'https://elsewhere.example' } }), 'lacks the post-logout redirect address'],
  ['trial-claims', 'the mapper is gone', async (admin) => {
    const proxy = await byClientId(admin, PROXY);
    const mapper = proxy.protocolMappers.find((one: { protocolMapper: string }) => one.protocolMapper === CLAIMS);
    await admin.delete(`/clients/${proxy.id}/protocol-mappers/models/${mapper.id}`);
    return () => admin.post(`/clients/${proxy.id}/protocol-mappers/models`, mapper);
  }, `has no ${CLAIMS}`],
  ['bridge-audience', 'a mapper on a client for people', newClient({ standardFlowEnabled: true, protocolMappers: [{ name: 'aud', protocol: 'openid-connect', protocolMapper: 'oidc-audience-mapper', config: { 'included.client.audience': BRIDGE, 'access.token.claim': 'true' } }] }), 'people\'s tokens of client extra carry the audience'],
  ['bridge-audience', 'a mapper writes it out', newClient({ standardFlowEnabled: true, protocolMappers: [{ name: 'aud', protocol: 'openid-connect', protocolMapper: 'oidc-audience-mapper', config: { 'included.custom.audience': BRIDGE, 'access.token.claim': 'true' } }] }), 'people\'s tokens of client extra carry the audience'],

  ['service-account-roles', 'the bridge may do more', serviceAccount(BRIDGE, { client: MANAGEMENT, role: 'manage-users' }), 'vestibule-bridge has the role manage-users'],
  ['service-account-roles', 'the bridge may not look', serviceAccount(BRIDGE, { client: MANAGEMENT, role: 'view-users' }, 'take'), 'vestibule-bridge lacks the role view-users'],
  ['service-account-roles', 'the bridge is staff', serviceAccount(BRIDGE, { role: 'staff' }), 'vestibule-bridge has the realm role staff'],
  ['service-account-roles', 'the bridge may not keep stamps', serviceAccount(BRIDGE, { client: 'vestibule-trials', role: 'keep-trials' }, 'take'), 'vestibule-bridge lacks the role keep-trials of vestibule-trials'],
  ['service-account-roles', 'the proxy may not read', serviceAccount(PROXY, { client: BRIDGE, role: 'trial-read' }, 'take'), 'vestibule-proxy lacks the role trial-read'],
  ['service-account-roles', 'the proxy may create', serviceAccount(PROXY, { client: BRIDGE, role: 'trial-create' }), 'vestibule-proxy has the role trial-create'],
  ['service-account-roles', 'the proxy is staff', serviceAccount(PROXY, { role: 'staff' }), 'vestibule-proxy has the realm role staff'],
  ['service-account-roles', 'the proxy may look', serviceAccount(PROXY, { client: MANAGEMENT, role: 'view-users' }), 'vestibule-proxy has the role view-users of realm-management'],
  ['service-account-roles', 'the bridge has a role of its own', serviceAccount(BRIDGE, { client: BRIDGE, role: 'trial-manage' }), 'vestibule-bridge has its own role trial-manage'],
  ['service-account-roles', 'the bridge may do more by a composite role', all(newRole('boss'), composite({ role: 'boss' }, { client: MANAGEMENT, role: 'manage-users' }), serviceAccount(BRIDGE, { role: 'boss' })), 'vestibule-bridge has the role manage-users'],
  ['service-account-roles', 'the bridge may do more by the group above its own', serviceAccountBeneath('helpdesk', BRIDGE, { client: MANAGEMENT, role: 'realm-admin' }), 'vestibule-bridge has the role realm-admin'],
  ['service-account-roles', 'the proxy is staff by the group above its own', serviceAccountBeneath('helpdesk', PROXY, { role: 'staff' }), 'vestibule-proxy has the realm role staff'],
  ['scope-mappings', 'of the bridge’s roles', scopeMapping(PROXY, { client: BRIDGE, role: 'trial-manage' }), 'lacks the vestibule-bridge role trial-manage'],
  ['scope-mappings', 'of what the proxy tells the app', scopeMapping(PROXY, { role: 'staff' }), 'lacks the realm role staff'],
  ['scope-mappings', 'of the bridge', scopeMapping(BRIDGE, { client: MANAGEMENT, role: 'view-users' }), 'lacks the realm-management role view-users'],
  ['scope-mappings', 'of the jar', scopeMapping(BRIDGE, { client: 'vestibule-trials', role: 'keep-trials' }), 'lacks the vestibule-trials role keep-trials'],
  ['bridge-roles', 'another service account has the jar’s', serviceAccount(PROXY, { client: 'vestibule-trials', role: 'keep-trials' }), 'the service account of client vestibule-proxy has the role keep-trials of vestibule-trials'],
  ['bridge-roles', 'a person has one', userWith('mallory', { client: BRIDGE, role: 'trial-callback' }), 'user mallory@example.com has the role trial-callback'],
  ['bridge-roles', 'a group has one', groupWith('callers', { client: BRIDGE, role: 'support' }), 'group /callers has the role support'],
  ['bridge-roles', 'a person has one by a composite role', all(newRole('boss'), composite({ role: 'boss' }, { client: BRIDGE, role: 'trial-callback' }), userWith('mallory', { role: 'boss' })), 'user mallory@example.com has the role trial-callback of vestibule-bridge, by the role boss'],
  ['bridge-roles', 'everybody has one', composite({ role: 'default-roles-doctor-table' }, { client: BRIDGE, role: 'support' }), 'everybody has the role support of vestibule-bridge, by the role default-roles-doctor-table'],
  ['bridge-roles', 'a program whom nobody named has one', all(newClient({ serviceAccountsEnabled: true }), serviceAccount('extra', { client: BRIDGE, role: 'trial-create' })), 'the service account of client extra has the role trial-create of vestibule-bridge'],

  ['take-over', 'a person', userWith('mallory', { client: MANAGEMENT, role: 'manage-users' }), 'user mallory@example.com has the role manage-users'],
  ['take-over', 'a group', groupWith('helpdesk', { client: MANAGEMENT, role: 'impersonation' }), 'group /helpdesk has the role impersonation'],
  ['take-over', 'a group above one with a service account in it', serviceAccountBeneath('helpdesk', PROXY, { client: MANAGEMENT, role: 'realm-admin' }), 'group /helpdesk has the role realm-admin'],
  ['take-over', 'by a composite role', all(newRole('boss'), composite({ role: 'boss' }, { client: MANAGEMENT, role: 'manage-clients' }), userWith('mallory', { role: 'boss' })), 'user mallory@example.com has the role boss'],
  ['take-over', 'a service account', serviceAccount(PROXY, { client: MANAGEMENT, role: 'manage-realm' }), 'the service account of client vestibule-proxy has the role manage-realm'],
  ['take-over', 'everybody', composite({ role: 'default-roles-doctor-table' }, { client: MANAGEMENT, role: 'manage-identity-providers' }), 'everybody has the role manage-identity-providers'],
  ['take-over', 'whom an identity provider says', all(identityProvider({}), async (admin) => {
    await admin.post('/identity-provider/instances/partner/mappers', { name: 'bosses', identityProviderAlias: 'partner', identityProviderMapper: 'oidc-hardcoded-role-idp-mapper', config: { role: `${MANAGEMENT}.realm-admin`, syncMode: 'INHERIT' } });
    return async () => {};
  }), 'identity provider partner gives the role realm-management.realm-admin'],

  ['realm-settings', 'registration is off', realm({ registrationAllowed: false }), 'registration is off'],
  ['realm-settings', 'user names change', realm({ editUsernameAllowed: true }), 'people may change their user name'],
  ['realm-settings', 'the realm is off', realm({ enabled: false }), 'the realm is disabled'],
  ['realm-settings', 'people share addresses', realm({ registrationEmailAsUsername: false, loginWithEmailAllowed: false, duplicateEmailsAllowed: true }), 'two people may have one e-mail address'],
  ['realm-settings', 'people choose a user name', realm({ registrationEmailAsUsername: false }), 'the e-mail address is not the user name'],
  ['realm-settings', 'passwords may be guessed', realm({ bruteForceProtected: false }), 'brute-force detection is off'],
  ['realm-settings', 'another algorithm', realm({ defaultSignatureAlgorithm: 'ES256' }), 'signed with ES256'],
  ['user-profile', 'people may edit the stamp', async (admin) => {
    const before = await admin.get('/users/profile');
    const opened = before.attributes.map((one: { name: string }) => (one.name === 'trial_stamp' ? { ...one, permissions: { view: ['admin', 'user'], edit: ['admin', 'user'] } } : one));
    await admin.put('/users/profile', { ...before, attributes: opened });
    return () => admin.put('/users/profile', before);
  }, 'people may see or change trial_stamp'],
  ['user-profile', 'unmanaged attributes are on', async (admin) => {
    const before = await admin.get('/users/profile');
    await admin.put('/users/profile', { ...before, unmanagedAttributePolicy: 'ENABLED' });
    return () => admin.put('/users/profile', before);
  }, 'unmanaged attributes are on'],
  ['user-profile', 'the stamp is not declared', async (admin) => {
    const before = await admin.get('/users/profile');
    await admin.put('/users/profile', { ...before, attributes: before.attributes.filter(({ name }: { name: string }) => name !== 'trial_stamp') });
    return () => admin.put('/users/profile', before);
  }, 'trial_stamp is not declared'],
  ['placeholders', 'in a secret', client(PROXY, { secret: '${PROXY_CLIENT_SECRET}' }), 'client vestibule-proxy has ${PROXY_CLIENT_SECRET}'],
  ['placeholders', 'in the mail server', realm({ smtpServer: { host: '${SMTP_HOST}', port: '25', from: 'a@example.com' } }), 'the realm has ${SMTP_HOST}'],
  ['placeholders', 'in a step of a flow that nothing uses', settings('vestibule post broker login', EXPIRY, { contactUrl: '${CONTACT_URL}' }), 'the step settings "trial expiration" has ${CONTACT_URL}'],
  ['client-registration', 'from a trusted host', trustedHosts({ 'trusted-hosts': ['evil.example'] }), 'from evil.example'],
  ['client-registration', 'from any host', trustedHosts({ 'host-sending-registration-request-must-match': ['false'] }), 'from any host'],
  ['client-registration', 'nothing is asked of hosts', async (admin) => {
    const before = await trustedHostsPolicy(admin);
    await admin.delete(`/components/${before.id}`);
    return () => admin.post('/components', before);
  }, 'there is no policy of trusted hosts'],
  ['token-lifetimes', 'access tokens', realm({ accessTokenLifespan: 36_000 }), 'an access token lives 600 minutes'],
  ['token-lifetimes', 'sessions', realm({ ssoSessionMaxLifespan: 40 * DAY }), 'a session lives 40 days'],
  ['token-lifetimes', 'remembered sessions', realm({ ssoSessionMaxLifespanRememberMe: 40 * DAY }), 'a session with "remember me" lives 40 days'],
  ['token-lifetimes', 'codes', realm({ accessCodeLifespan: 600 }), 'an authorization code lives 10 minutes'],
  ['token-lifetimes', 'links of an admin', realm({ actionTokenGeneratedByAdminLifespan: 4 * DAY }), 'a link that an admin sent lives 4 days'],
  ['token-lifetimes', 'links of a person', realm({ actionTokenGeneratedByUserLifespan: 7200 }), 'a link that a person asked for (password reset) lives 120 minutes'],
  ['token-lifetimes', 'offline sessions with an end', realm({ offlineSessionMaxLifespanEnabled: true, offlineSessionMaxLifespan: 60 * DAY }), 'an offline session lives 60 days'],
  ['token-lifetimes', 'offline sessions of one client', client(PROXY, { attributes: { 'client.offline.session.max.lifespan': String(60 * DAY) } }), 'an offline session of client vestibule-proxy lives 60 days'],
  ['token-lifetimes', 'of one client', client(PROXY, { attributes: { 'access.token.lifespan': '86400' } }), 'an access token of client vestibule-proxy lives 1 days'],
  ['token-lifetimes', 'offline sessions', realm({ offlineSessionMaxLifespanEnabled: false }), 'offline sessions have no longest life'],
  ['token-lifetimes', 'links to a new password', realm({ attributes: { 'actionTokenGeneratedByUserLifespan.reset-credentials': '604800' } }), 'a link for reset-credentials lives 7 days'],
  ['realm-smtp', 'none', realm({ smtpServer: {} }), 'the realm has no mail server'],
  ['realm-smtp', 'nobody listens', realm({ smtpServer: { host: '127.0.0.1', port: '1', from: 'a@example.com' } }), "the realm's mail server 127.0.0.1:1 did not answer"],
];

/** What depends on the servers, or on how bridge and proxy are set up. Several edits are several nodes. */
type ServerRow = readonly [check: string, rule: string, how: Readonly<Record<string, string>> | Edit | readonly Edit[], see: string];

const jarOf = (told: Record<string, string> | undefined): Edit => ({
  path: '/admin/serverinfo',
  edit: (info) => {
    if (told === undefined) delete info.providers.authenticator.providers[TOKEN];
    else info.providers.authenticator.providers[TOKEN].operationalInfo = told;
  },
});
const offering = (patch: Record<string, unknown>): Edit => ({ path: '/.well-known/openid-configuration', edit: (metadata) => void Object.assign(metadata, patch) });

const SERVER_ROWS: readonly ServerRow[] = [
  ['redirect-addresses', 'outside development no address is on localhost', PRODUCTION, 'a code sent there can be read'],
  ['redirect-addresses', 'those of the staff pages are missing', { STAFF_URL: 'https://staff.example.com' }, 'lacks the redirect address https://staff.example.com/api/callback'],
  ['redirect-addresses', 'nobody comes back to the staff pages from a logout', { STAFF_URL: 'https://staff.example.com' }, 'lacks the post-logout redirect address https://staff.example.com/api/logout/done'],
  ['jar', 'a node is without', jarOf(undefined), 'runs without the jar'],
  ['jar', 'a node has one of another contract', jarOf({ version: '9.0.0', contract: '9.0' }), 'runs jar 9.0.0, of contract 9.0'],
  ['jar', 'a node has one that does not tell', jarOf({}), 'of contract unknown'],
  ['jar', 'a node has one that keeps no stamps', { path: '/admin/serverinfo', edit: (info) => void delete info.providers['realm-restapi-extension'].providers['vestibule-trials'] }, 'runs a jar without the endpoint that keeps stamps'],
  ['bridge-breaker', 'a node leaves the bridge out', { path: '/vestibule-trials/health', edit: (told) => void (told.bridge.breaker = 'open') }, 'leaves calls to the bridge out'],
  ['bridge-breaker', 'a node does not tell', { path: '/vestibule-trials/health', edit: (told) => void delete told.bridge }, 'does not tell whether it calls the bridge'],
  ['jar', 'the cluster has more nodes', { path: '/admin/serverinfo', edit: (info) => void (info.providers.connectionsInfinispan.providers.default.operationalInfo.clusterSize = '3') }, 'the cluster has 3 nodes, and 1 was looked at'],
  ['jar', 'two nodes run different jars', [jarOf({ version: '0.0.9', contract: '0.1' }), jarOf({ version: '0.1.0', contract: '0.1' })], 'the nodes run different jars: 0.0.9, 0.1.0'],
  ['jar', 'a node is down', { KEYCLOAK_NODE_URLS: 'http://127.0.0.1:SHUT_PORT' }, 'could not be asked: connect ECONNREFUSED'],
  ['jar', 'a node is no Keycloak', { KEYCLOAK_NODE_URLS: 'http://127.0.0.1:KEYCLOAK_PORT/elsewhere' }, 'could not be asked: it answered 404'],
  ['issuer', 'it is another', { KEYCLOAK_PUBLIC_URL: 'http://127.0.0.1:KEYCLOAK_PORT' }, 'bridge and proxy expect http://127.0.0.1'],
  ['issuer', 'a node is down', { KEYCLOAK_NODE_URLS: 'http://127.0.0.1:SHUT_PORT' }, 'did not tell its issuer: '],
  ['invitation-way', 'the proxy pushes to one that takes none', offering({ pushed_authorization_request_endpoint: undefined }), 'takes no pushed authorization requests'],
  ['invitation-way', 'prompt=create is not known', offering({ prompt_values_supported: ['none', 'login'] }), 'does not know prompt=create'],
  ['invitation-way', 'the invitation could be pushed', { INVITATION_BY_PAR: 'false' }, 'takes invitations by pushed requests'],
  ['invitation-way', 'an older Keycloak drops the prompt', { path: '/admin/serverinfo', edit: (info) => void (info.systemInfo.version = '26.6.4') }, 'Keycloak 26.6.4 ignores prompt=create in a pushed request'],
  ['bridge-smtp', 'nobody listens', { SMTP_URL: 'smtp://127.0.0.1:SHUT_PORT' }, 'the mail server of the bridge (SMTP_URL) did not answer'],
  ['keycloak-pools', 'more threads than half the connections', { KC_DB_POOL_MAX_SIZE: '20' }, 'Keycloak has 16 threads for 20 database connections'],
  ['postgres-connections', 'more pools than connections', { KC_DB_POOL_MAX_SIZE: '500' }, 'may open 540 connections'],
  ['our-clients', 'they have other names', { PROXY_CLIENT_ID: 'another' }, 'client another does not exist'],
  ['our-clients', 'the proxy’s has no service account', { PROXY_CLIENT_ID: 'account-console' }, 'client account-console has no service account'],
  ['service-account-roles', 'the proxy’s client has no account', { PROXY_CLIENT_ID: 'another' }, 'another has no service account'],
];

test('the realm as shipped has none of it', async () => {
  const { findings, skipped, passed } = await diagnose(ALL);
  expect({ findings, skipped }).toEqual({ findings: [], skipped: [] });
  expect(passed).toEqual(ALL);
});

describe('a realm that is broken on purpose', () => {
  test.each(REALM_ROWS)('%s: %s', async (check, _, breakIt, see) => {
    const undo = await breakIt(copy.admin);
    const { findings } = await diagnose([check]).finally(undo);
    expect(findings.map(({ detail }) => detail).join('\n')).toContain(see);
    expect(findings[0]).toMatchObject({ check, subject: copy.name, advice: expect.stringMatching(SAYS_WHERE) });
  });

  test('is as before afterwards', async () => {
    expect((await diagnose(ALL)).findings).toEqual([]);
  });
});

describe('servers that are set up otherwise', () => {
  test.each(SERVER_ROWS)('%s: %s', async (check, _, how, see) => {
    const edits = Array.isArray(how) ? (how as readonly Edit[]) : 'edit' in how ? [how as Edit] : [];
    const nodes = await Promise.all(edits.map(keycloakWith));
    const shut = await shutPort();
    const keycloakPort = new URL(doctorEnvironment(copy.name)['KEYCLOAK_PUBLIC_URL'] ?? '').port;
    const given = () => JSON.parse(JSON.stringify(how).replaceAll('SHUT_PORT', String(shut)).replaceAll('KEYCLOAK_PORT', keycloakPort)) as Record<string, string>;
    const env = nodes[0] === undefined ? given() : { KEYCLOAK_INTERNAL_URL: nodes[0].url, KEYCLOAK_NODE_URLS: nodes.map(({ url }) => url).join() };
    const { findings } = await diagnose([check], env).finally(() => Promise.all(nodes.map((node) => node.close())));
    expect(findings.map(({ detail }) => detail).join('\n')).toContain(see);
    expect(findings[0]).toMatchObject({ check, advice: expect.stringMatching(SAYS_WHERE) });
  });
});

test.each([
  ['keycloak-pools', { KEYCLOAK_MANAGEMENT_URL: '' }, 'set KEYCLOAK_MANAGEMENT_URL'],
  ['keycloak-pools', { KC_DB_POOL_MAX_SIZE: '' }, 'set KC_DB_POOL_MAX_SIZE'],
])('%s with %j is not looked at, and says so', async (check, env, see) => {
  const { skipped, passed, findings } = await diagnose([check], env);
  expect({ passed, findings }).toEqual({ passed: [], findings: [] });
  expect(skipped[0]?.why).toContain(see);
});

test('staff who are known may administer', async () => {
  const undo = await all(userWith('boss', { client: MANAGEMENT, role: 'realm-admin' }), groupWith('admins', { client: MANAGEMENT, role: 'manage-users' }))(copy.admin);
  const { findings } = await diagnose(['take-over'], { DOCTOR_KNOWN_ADMINS: 'boss@example.com, /admins' }).finally(undo);
  expect(findings).toEqual([]);
});

test('neither their group nor their name makes known staff of our own accounts', async () => {
  const undo = await serviceAccountBeneath('helpdesk', BRIDGE, { client: MANAGEMENT, role: 'manage-users' })(copy.admin);
  const { findings } = await diagnose(['take-over', 'service-account-roles'], { DOCTOR_KNOWN_ADMINS: `/helpdesk, ${BRIDGE}` }).finally(undo);
  expect(findings).toMatchObject([{ check: 'service-account-roles', detail: 'vestibule-bridge has the role manage-users of realm-management' }]);
});

test.each([
  ['trial-create', 'extra=trial-create', []],
  ['trial-manage', 'other=support, extra=trial-manage', []],
  ['trial-manage', 'extra=trial-create', ['the service account of client extra has the role trial-manage of vestibule-bridge']],
  ['trial-callback', 'extra=trial-callback', ['the service account of client extra has the role trial-callback of vestibule-bridge']],
])('SECURITY 15: a program with %s, where %s is known', async (role, known, expected) => {
  const undo = await all(newClient({ serviceAccountsEnabled: true }), serviceAccount('extra', { client: BRIDGE, role }))(copy.admin);
  const { findings } = await diagnose(['bridge-roles'], { DOCTOR_KNOWN_PROGRAMS: known }).finally(undo);
  expect(findings.map(({ detail }) => detail)).toEqual(expected);
});

test('a flow of a client’s own that ends with the step is none to name', async () => {
  const ours = (await copy.admin.get('/authentication/flows')).find((one: { alias: string }) => one.alias === 'vestibule browser');
  const undo = await newClient({ authenticationFlowBindingOverrides: { browser: ours.id } })(copy.admin);
  expect((await diagnose(['client-flow-overrides']).finally(undo)).findings).toEqual([]);
});

test.each([
  ['development', {}, false],
  ['production', PRODUCTION, true],
])('SECURITY 2: a bridge called by plain http in %s is named: %j', async (_, env, named) => {
  const undo = await settings('vestibule registration', TOKEN, { bridgeUrl: 'http://bridge.internal:8402' })(copy.admin);
  const { findings } = await diagnose(['step-settings'], env).finally(undo);
  expect(findings.some(({ detail }) => detail.includes('has a bridgeUrl that is not https: http://bridge.internal:8402'))).toBe(named);
});

describe('the way of an invitation', () => {
  test('ends at a bridge that does not know the realm', async () => {
    const { findings } = await diagnose([NOT_OF_A_COPY]);
    expect(findings).toMatchObject([{ detail: expect.stringContaining('no usable answer from the bridge'), advice: expect.stringMatching(SAYS_WHERE) }]);
  });

  test('ends at a Keycloak that drops the parameter', async () => {
    const relay = await keycloakWithout('invitation_token');
    const { findings } = await diagnose([NOT_OF_A_COPY], { KEYCLOAK_INTERNAL_URL: relay.url }).finally(relay.close);
    expect(findings).toMatchObject([{ detail: expect.stringContaining('Keycloak dropped the parameter'), advice: expect.stringContaining('add-req-params') }]);
  });

  test('ends at a step that is not set up', async () => {
    const undo = await settings('vestibule registration', TOKEN, { withoutInvitation: 'maybe' })(copy.admin);
    expect((await diagnose([NOT_OF_A_COPY]).finally(undo)).findings).toMatchObject([{ detail: expect.stringContaining('not usable as it is set up'), advice: expect.stringMatching(SAYS_WHERE) }]);
  });

  test('ends at a flow without the step', async () => {
    const undo = await realm({ registrationFlow: 'registration' })(copy.admin);
    expect((await diagnose([NOT_OF_A_COPY]).finally(undo)).findings).toMatchObject([{ detail: expect.stringContaining('not by the page of the invitation step') }]);
  });
});

test('SECURITY 1: an admin of the master realm whom nobody knows is named', async () => {
  const master = adminOfRealm('master');
  const undo = await userWith('mallory', { role: 'admin' })(master);
  const { findings } = await diagnose(['take-over-from-master']).finally(undo);
  expect(findings).toMatchObject([{ detail: 'user mallory@example.com has the role admin' }]);
});

test.each(REALM_CHECKS.map(({ name, advice }) => [name, advice]))('the advice of %s says where', (_, advice) => {
  expect(advice).toMatch(SAYS_WHERE);
});

test('every check of the table is broken at least once', () => {
  const broken = new Set([...REALM_ROWS.map(([check]) => check), ...SERVER_ROWS.map(([check]) => check), NOT_OF_A_COPY, 'admin-permissions', 'take-over-from-master']);
  expect(REALM_CHECKS.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([]);
});
