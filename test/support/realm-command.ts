import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { bridgeEnvironment, type Diagnosis } from './doctor.ts';
import { adminOfRealm, realmsAdmin, type KeycloakAdmin } from './keycloak-admin.ts';
import { stack } from './stack.ts';

export const PASSWORD = 'a long pass phrase';
export const RETURN_TO = 'http://localhost:1/returned';
export const SHOP = 'shop';

export interface Ran {
  status: number | null;
  /** Both streams. */
  output: string;
}

/** A realm of the test's own in the stack's Keycloak, which the command takes up. */
export interface OtherRealm {
  name: string;
  url: string;
  admin: KeycloakAdmin;
  secrets: { proxy: string; bridge: string; admin: string };
  env: Record<string, string>;
  run(command: string, args?: readonly string[], env?: Record<string, string>): Promise<Ran>;
  start(command: string, args?: readonly string[], env?: Record<string, string>): ChildProcess;
  doctor(env?: Record<string, string>): Promise<Diagnosis>;
  /** What admins did so far. */
  countWrites(): Promise<number>;
  /** Everything that an export holds, without ids. */
  exported(): Promise<Record<string, unknown>>;
  /** `REQUIRED auth-otp-form`, sub-flows after the flow that they stand in. */
  steps(alias: string): Promise<string[]>;
  /** The realm's own bindings. */
  bound(): Promise<Record<string, string>>;
  addPerson(fields?: Record<string, unknown>): Promise<{ id: string; username: string }>;
  authorizationUrl(client?: string, parameters?: Record<string, string>): string;
  delete(): Promise<void>;
}

/** With Keycloak's own flows, registration open, an ordinary client, and what the command asks for before it starts. */
export async function createRealm(fields: Record<string, unknown> = {}): Promise<OtherRealm> {
  const name = `other-${randomUUID().slice(0, 8)}`;
  await realmsAdmin().post('', {
    realm: name,
    enabled: true,
    registrationAllowed: true,
    registrationEmailAsUsername: true,
    bruteForceProtected: true,
    adminEventsEnabled: true,
    resetPasswordAllowed: true,
    ...fields,
  });
  const admin = adminOfRealm(name);
  await admin.post('/clients', { clientId: SHOP, publicClient: true, redirectUris: [RETURN_TO], fullScopeAllowed: false });
  // Two things of Keycloak's own stay once they were there: the user profile, written down, and the client of admin permissions.
  await admin.put('/users/profile', await admin.get('/users/profile'));
  for (const adminPermissionsEnabled of [true, false]) await admin.put('', { adminPermissionsEnabled });
  const { keycloak, proxy, bridge, admin: master } = stack();
  const secrets = { proxy: randomUUID(), bridge: randomUUID(), admin: master.password };
  const env = {
    VESTIBULE_MODE: 'development',
    KEYCLOAK_PUBLIC_URL: keycloak,
    KEYCLOAK_REALM: name,
    REALM_ADMIN_USERNAME: master.username,
    REALM_ADMIN_PASSWORD: master.password,
    PROXY_PUBLIC_URL: proxy,
    PROXY_INTERNAL_URL: 'http://127.0.0.1:9',
    BRIDGE_INTERNAL_URL: bridge,
    PROXY_CLIENT_SECRET: secrets.proxy,
    BRIDGE_CLIENT_SECRET: secrets.bridge,
    CONTACT_URL: 'mailto:sales@example.com',
    TRIAL_TIME_ZONE: 'UTC',
  };
  const start: OtherRealm['start'] = (command, args = [], more = {}) =>
    spawn(process.execPath, ['realm/main.ts', command, ...args], { env: { PATH: process.env['PATH'], ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] });
  return {
    name,
    url: `${keycloak}/realms/${name}`,
    admin,
    secrets,
    env,
    start,
    run: async (...how) => {
      const process = start(...how);
      const [out, err, [status]] = await Promise.all([text(process.stdout!), text(process.stderr!), once(process, 'close')]);
      return { status, output: out + err };
    },
    doctor: async (more = {}) => {
      const own = { KEYCLOAK_REALM: name, BRIDGE_CLIENT_SECRET: secrets.bridge, DOCTOR_ADMIN_USERNAME: master.username, DOCTOR_ADMIN_PASSWORD: master.password };
      const doctor = spawn(process.execPath, ['bridge/doctor/main.ts', 'realm', '--json'], { env: { ...process.env, ...bridgeEnvironment(), ...own, ...more }, stdio: ['ignore', 'pipe', 'inherit'] });
      const [answer, [status]] = await Promise.all([text(doctor.stdout), once(doctor, 'close')]);
      return { status, ...JSON.parse(answer) };
    },
    countWrites: async () => (await admin.get('/admin-events?max=10000')).length,
    exported: async () => {
      const [realm, flows] = await Promise.all([admin.get(''), admin.get('/authentication/flows')]);
      const executions = await Promise.all(flows.map(({ alias }: { alias: string }) => admin.get(`/authentication/flows/${encodeURIComponent(alias)}/executions`)));
      const parts = await Promise.all(
        ['/clients', '/roles', '/groups', '/users', '/users/profile', '/client-policies/profiles', '/client-policies/policies', '/identity-provider/instances', '/client-scopes'].map(async (path) => [path, await admin.get(path)]),
      );
      return withoutIds({ realm, flows, executions, ...Object.fromEntries(parts) }) as Record<string, unknown>;
    },
    steps: async (alias) => {
      const executions: { providerId?: string; requirement: string }[] = await admin.get(`/authentication/flows/${encodeURIComponent(alias)}/executions`);
      return executions.map(({ providerId = 'flow', requirement }) => `${requirement} ${providerId}`);
    },
    bound: async () => {
      const settings = await admin.get('');
      return Object.fromEntries(['browserFlow', 'registrationFlow', 'directGrantFlow', 'resetCredentialsFlow', 'firstBrokerLoginFlow'].map((field) => [field, settings[field]]));
    },
    addPerson: async (more = {}) => {
      const username = `person-${randomUUID().slice(0, 8)}@example.com`;
      const id = await admin.create('/users', {
        username,
        email: username,
        emailVerified: true,
        firstName: 'Ada',
        lastName: 'Lovelace',
        enabled: true,
        credentials: [{ type: 'password', value: PASSWORD }],
        ...more,
      });
      return { id, username };
    },
    authorizationUrl: (client = SHOP, parameters = {}) =>
      `${keycloak}/realms/${name}/protocol/openid-connect/auth?${new URLSearchParams({ client_id: client, redirect_uri: RETURN_TO, response_type: 'code', scope: 'openid', state: 's', ...parameters })}`,
    delete: () => realmsAdmin().delete(`/${name}`),
  };
}

const IDS = new Set(['id', 'containerId', 'flowId', 'authenticationConfig', 'secret', '_id']);

/** Lists in one order: Keycloak's is that of the database. */
function withoutIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutIds).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => !IDS.has(key));
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, withoutIds(inner)]));
}
