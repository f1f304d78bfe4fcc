import { readFileSync } from 'node:fs';
import { realmsAdmin } from '../../test/support/keycloak-admin.ts';
import { withIdsOfItsOwn } from '../../test/support/realm-ids.ts';
import { stack } from '../../test/support/stack.ts';

export const STOCK_REALM = 'stock';

const FLOWS = ['browserFlow', 'registrationFlow', 'directGrantFlow', 'resetCredentialsFlow', 'firstBrokerLoginFlow'];
const OURS = new Set([...FLOWS, 'authenticationFlows', 'authenticatorConfig', 'clientProfiles', 'clientPolicies']);
const OUR_MAPPER = 'vestibule-trial-claims';

interface RealmFile {
  clients: { protocolMappers?: { protocolMapper: string }[] }[];
  [part: string]: unknown;
}

/** Our realm file in the same Keycloak, without anything of the jar: Keycloak's own flows, no client policy, no mapper. What is equal costs the same. */
export async function makeStockRealm(): Promise<void> {
  // A bench that was killed on a stack that stays left its own.
  await removeStockRealm();
  const { smtpServer: _mail, ...file } = JSON.parse(withIdsOfItsOwn(filledIn(readFileSync('realm-export.json', 'utf8')))) as RealmFile;
  const kept = Object.fromEntries(Object.entries(file).filter(([part]) => !OURS.has(part)));
  const clients = file.clients.map((client) => ({ ...client, protocolMappers: client.protocolMappers?.filter(({ protocolMapper }) => protocolMapper !== OUR_MAPPER) ?? [] }));
  // An invitation proves the address. Keycloak alone would send a mail and end elsewhere than at the code.
  await realmsAdmin().post('', { ...kept, clients, realm: STOCK_REALM, verifyEmail: false });
}

/** Or does nothing when there is none. */
export async function removeStockRealm(): Promise<void> {
  const realms = (await realmsAdmin().get('')) as readonly { realm: string }[];
  if (realms.some(({ realm }) => realm === STOCK_REALM)) await realmsAdmin().delete(`/${STOCK_REALM}`);
}

/** A user with a password, made by an admin. Answers the user name. */
export async function createUser(realm: string, username: string, password: string): Promise<string> {
  await realmsAdmin().create(`/${realm}/users`, {
    username,
    email: username,
    emailVerified: true,
    enabled: true,
    firstName: 'Ada',
    lastName: 'Lovelace',
    credentials: [{ type: 'password', value: password }],
  });
  return username;
}

/** Only addresses of the proxy matter here; everything else is never used. */
function filledIn(realmFile: string): string {
  return realmFile.replaceAll(/\$\{PROXY_(?:PUBLIC|INTERNAL)_URL\}/g, stack().proxy).replaceAll(/\$\{([A-Z][A-Z0-9_]*)(?::([^}]*))?\}/g, (_all, name: string, otherwise?: string) => otherwise ?? `bench-${name.toLowerCase()}`);
}
