import { randomUUID } from 'node:crypto';
import { adminClient } from '../../../bridge/keycloak/accounts.ts';
import { trialKeeper, type TrialKeeper } from '../../../bridge/keycloak/trial-keeper.ts';
import { secret } from '../../../platform/secret.ts';
import { bridgeEnvironment } from '../../support/doctor.ts';
import { keycloakAdmin } from '../../support/keycloak-admin.ts';
import { freshAddress, type Person } from '../../support/person.ts';
import { stack } from '../../support/stack.ts';

const PASSWORD = 'a long pass phrase';

/** What the tests put into a stamp; instants in epoch seconds. */
export interface Entry {
  product: string;
  state: string;
  trial_ends_at: number | null;
  trial_access_until: number | null;
  trial_app: string;
  clients: readonly string[];
  version?: number;
  made?: boolean;
  roles?: readonly string[];
}

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

export function entryOf(product: string, clients: readonly string[], secondsFromNow: number, more: Partial<Entry> = {}): Entry {
  const until = nowSeconds() + secondsFromNow;
  return { product, state: 'active', trial_ends_at: until, trial_access_until: until, trial_app: randomUUID(), clients, ...more };
}

const people: string[] = [];

/** Where the jar puts people on trial. Who is left there is a finding of the consistency doctor. */
export const GROUP = '/vestibule-trials';

/** An account with these entries, made by an admin. */
export async function personWith(entries: readonly Entry[], more: object = {}): Promise<Person> {
  const username = freshAddress('kept');
  const id = await keycloakAdmin().create('/users', {
    username,
    email: username,
    emailVerified: true,
    enabled: true,
    credentials: [{ type: 'password', value: PASSWORD }],
    ...(entries.length === 0 ? {} : { attributes: { trial_stamp: entries.map((entry) => JSON.stringify(entry)) } }),
    ...more,
  });
  people.push(id);
  return { id, username, password: PASSWORD };
}

/** Takes away whoever was made here and is still there. */
export async function removePeople(): Promise<void> {
  for (const id of people.splice(0)) await keycloakAdmin().delete(`/users/${id}`).catch(() => {});
}

export async function stampsOf({ id }: { id: string }): Promise<Entry[]> {
  const user = await keycloakAdmin().get(`/users/${id}`);
  return ((user.attributes?.trial_stamp ?? []) as string[]).map((one) => JSON.parse(one) as Entry);
}

export async function rolesOf({ id }: { id: string }): Promise<string[]> {
  const roles: { name: string }[] = await keycloakAdmin().get(`/users/${id}/role-mappings/realm/composite`);
  return roles.map(({ name }) => name).filter((name) => !/^(default-roles-.*|offline_access|uma_authorization)$/.test(name));
}

export async function groupsOf({ id }: { id: string }): Promise<string[]> {
  const groups: { path: string }[] = await keycloakAdmin().get(`/users/${id}/groups`);
  return groups.map(({ path }) => path);
}

/** The token of the bridge's own service account. */
export function asBridge(): () => Promise<string> {
  const clientSecret = secret(bridgeEnvironment()['BRIDGE_CLIENT_SECRET'] ?? '');
  const admin = adminClient({ internalUrl: stack().keycloak, realm: stack().realm, clientId: 'vestibule-bridge', clientSecret });
  return async () => (await admin.getAccessToken()) ?? '';
}

export function keeper(): TrialKeeper {
  return trialKeeper({ internalUrl: stack().keycloak, realm: stack().realm }, asBridge());
}

/** As an admin writes them: all of that person's. */
export async function setEntries({ id }: { id: string }, entries: readonly Entry[]): Promise<void> {
  const admin = keycloakAdmin();
  const user = await admin.get(`/users/${id}`);
  await admin.put(`/users/${id}`, { ...user, attributes: { ...user.attributes, trial_stamp: entries.map((entry) => JSON.stringify(entry)) } });
}
