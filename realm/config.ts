import { z } from 'zod';
import { baseUrl, ConfigError, list, mode, publicAddressFaults, readConfig, secretText, text } from '../platform/config.ts';
import type { Secret } from '../platform/secret.ts';

type Env = Readonly<Record<string, string | undefined>>;

const WHERE = {
  KEYCLOAK_PUBLIC_URL: baseUrl,
  KEYCLOAK_INTERNAL_URL: baseUrl.optional(),
  KEYCLOAK_NODE_URLS: list.pipe(z.array(baseUrl)).optional(),
  KEYCLOAK_REALM: text.default('vestibule'),
  /** Where the admin's account is. */
  REALM_ADMIN_REALM: text.default('master'),
};
const BY_PASSWORD = { REALM_ADMIN_USERNAME: text, REALM_ADMIN_PASSWORD: secretText };
const BY_CLIENT = { REALM_ADMIN_CLIENT_ID: text, REALM_ADMIN_CLIENT_SECRET: secretText };
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

export interface Access {
  /** As this machine dials it. */
  url: string;
  nodeUrls: readonly string[];
  realm: string;
  signInAt: string;
  credentials: { grant_type: 'password'; client_id: string; username: string; password: Secret } | { grant_type: 'client_credentials'; client_id: string; client_secret: Secret };
}

export interface Settings {
  productsFile: string;
  /** What the realm file's `${NAMES}` stand for. */
  variables: ReadonlyMap<string, string | Secret>;
}

/** Pure. What every command needs. */
export function loadAccess(env: Env): Access {
  return accessFrom(readConfig(accessFields(env), env));
}

/** Pure: every fault of both is named at once, before anything is looked at. */
export function loadConfig(env: Env, named: readonly string[]): { access: Access; settings: Settings } {
  const variables = Object.fromEntries(named.map((name) => [name, name.endsWith('_SECRET') ? secretText : text]));
  const fields = { ...accessFields(env), ...variables, PRODUCTS_FILE: text.default('./products.yaml'), VESTIBULE_MODE: mode };
  const read = readConfig(fields, env) as Record<string, unknown>;
  if (read['VESTIBULE_MODE'] === 'production') refuseOpenAddresses(read as Record<string, string>);
  return {
    access: accessFrom(read),
    settings: { productsFile: String(read['PRODUCTS_FILE']), variables: new Map(named.map((name) => [name, read[name] as string | Secret])) },
  };
}

/** A client's credentials, where it is named; else a person's. DOCTOR_ADMIN_… are the names that the doctor knew first. */
function accessFields(env: Env) {
  if (env['REALM_ADMIN_CLIENT_ID']) return { ...WHERE, ...BY_CLIENT };
  if (!env['REALM_ADMIN_USERNAME'] && env['DOCTOR_ADMIN_USERNAME']) return { ...WHERE, DOCTOR_ADMIN_USERNAME: text, DOCTOR_ADMIN_PASSWORD: secretText };
  return { ...WHERE, ...BY_PASSWORD };
}

function accessFrom(read: Readonly<Record<string, unknown>>): Access {
  const url = String(read['KEYCLOAK_INTERNAL_URL'] ?? read['KEYCLOAK_PUBLIC_URL']);
  const client = read['REALM_ADMIN_CLIENT_ID'];
  return {
    url,
    nodeUrls: (read['KEYCLOAK_NODE_URLS'] as string[] | undefined) ?? [url],
    realm: String(read['KEYCLOAK_REALM']),
    signInAt: String(read['REALM_ADMIN_REALM']),
    credentials: client
      ? { grant_type: 'client_credentials', client_id: String(client), client_secret: read['REALM_ADMIN_CLIENT_SECRET'] as Secret }
      : {
          grant_type: 'password',
          client_id: 'admin-cli',
          username: String(read['REALM_ADMIN_USERNAME'] ?? read['DOCTOR_ADMIN_USERNAME']),
          password: (read['REALM_ADMIN_PASSWORD'] ?? read['DOCTOR_ADMIN_PASSWORD']) as Secret,
        },
  };
}

/** The jar takes plain http to itself only, and says so when somebody signs up: too late. */
function refuseOpenAddresses({ PROXY_PUBLIC_URL = '', BRIDGE_INTERNAL_URL = '' }: Readonly<Record<string, string>>): void {
  const faults = [...publicAddressFaults({ PROXY_PUBLIC_URL })];
  const { protocol, hostname } = new URL(BRIDGE_INTERNAL_URL);
  if (protocol !== 'https:' && !LOOPBACK.has(hostname)) faults.push('BRIDGE_INTERNAL_URL: must be https, except for localhost');
  if (faults.length > 0) throw new ConfigError(faults);
}
