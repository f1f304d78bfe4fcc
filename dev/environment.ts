import type { Ports } from './ports.ts';
import type { Secrets } from './secrets.ts';

export const REALM = 'vestibule';
/** Each registration holds a connection while it waits for the bridge: with more threads than half the pool, 50 at once starve. */
export const KEYCLOAK_POOLS = { threads: '16', connections: '40' } as const;

export interface Addresses {
  proxy: string;
  keycloak: string;
  keycloakInternal: string;
  bridge: string;
  bridgeInternal: string;
  inbox: string;
  app: string;
  appInternal: string;
  smtp: string;
  selfHosted: string;
  /** Of another site than the proxy. */
  embedDemo: string;
  ports: Ports;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Settings that whoever starts the stack may give in the environment; everything else is the stack's own. */
const SETTINGS = {
  both: ['LOG_LEVEL', 'CONTACT_URL', 'TRUSTED_PROXIES', 'CAPTCHA_PROVIDER', 'CAPTCHA_SITE_KEY'],
  bridge: ['MAIL_FROM', 'INVITATION_LIFETIME_DAYS', 'REGISTER_LIMIT_PER_CLIENT_PER_MINUTE', 'REGISTER_LIMIT_PER_MINUTE', 'MAIL_LIMIT_PER_MAILBOX_PER_DAY', 'MAIL_LIMIT_SECONDS_BETWEEN', 'BILLING_FILE', 'CAPTCHA_SECRET', 'CAPTCHA_HOSTNAMES', 'CAPTCHA_VERIFY_URL', 'WEBHOOK_TRIES', 'WEBHOOK_RETRY_SECONDS', 'WEBHOOK_TIME_LIMIT_SECONDS'],
  proxy: ['SESSION_IDLE_MINUTES', 'SESSION_ABSOLUTE_HOURS', 'SESSION_OUTAGE_MINUTES', 'LOGIN_LIMIT_PER_CLIENT', 'SESSION_CACHE_ENTRIES', 'FORWARD_AUTH', 'IDENTITY_SIGNING_KEY', 'IDENTITY_SIGNING_KEY_PREVIOUS', 'INVITATION_BY_PAR', 'INVITATION_ENDPOINT', 'RETURN_ORIGINS', 'IDENTITY_HEADERS', 'CORS_ORIGINS', 'CORS_METHODS', 'CORS_HEADERS', 'CORS_EXPOSED_HEADERS', 'APP_CONNECT_SECONDS', 'APP_ANSWER_SECONDS', 'APP_IDLE_SECONDS', 'APP_WHOLE_SECONDS', 'APP_CONNECTIONS', 'FRAME_ANCESTORS', 'STOP_DELAY_SECONDS', 'STOP_LIMIT_SECONDS', 'PREPARING_BUDGET_SECONDS'],
  realm: ['CONTACT_URL', 'TRIAL_TIME_ZONE'],
  doctor: ['DOCTOR_KNOWN_ADMINS', 'DOCTOR_KNOWN_PROGRAMS', 'INVITATION_BY_PAR', 'INVITATION_ENDPOINT'],
} as const;

const MAIL_FROM = 'Vestibule <no-reply@vestibule.example>';

/** What realm-export.json's `${NAMES}` stand for. */
export function realmEnvironment(addresses: Addresses, secrets: Secrets, env: Env): Record<string, string> {
  return {
    PROXY_PUBLIC_URL: addresses.proxy,
    PROXY_INTERNAL_URL: `http://127.0.0.1:${addresses.ports.proxy}`,
    PROXY_CLIENT_SECRET: secrets.proxyClient,
    BRIDGE_CLIENT_SECRET: secrets.bridgeClient,
    BRIDGE_INTERNAL_URL: addresses.bridgeInternal,
    CONTACT_URL: `${addresses.app}/contact`,
    SMTP_HOST: '127.0.0.1',
    SMTP_PORT: String(addresses.ports.smtp),
    TRIAL_TIME_ZONE: 'UTC',
    ...chosen(SETTINGS.realm, env),
    MAIL_FROM: bareAddress(env['MAIL_FROM'] || MAIL_FROM),
  };
}

interface Part {
  addresses: Addresses;
  secrets: Secrets;
  databaseUrl: string;
  productsFile: string;
  env: Env;
}

/** As `.run/products.yaml` names it (products.ts). */
export const APP_WEBHOOK_SECRET = 'SAMPLE_APP_WEBHOOK_SECRET';

export function bridgeEnvironment({ addresses, secrets, databaseUrl, productsFile, env }: Part): Record<string, string> {
  return {
    ...shared(addresses),
    BRIDGE_HOST: '127.0.0.1',
    BRIDGE_PORT: String(addresses.ports.bridge),
    BRIDGE_METRICS_PORT: String(addresses.ports.bridgeMetrics),
    BRIDGE_DATABASE_URL: databaseUrl,
    BRIDGE_CLIENT_ID: 'vestibule-bridge',
    BRIDGE_CLIENT_SECRET: secrets.bridgeClient,
    PROXY_CLIENT_ID: 'vestibule-proxy',
    SMTP_URL: addresses.smtp,
    MAIL_FROM,
    ADDRESS_HASH_KEY: secrets.addressHashKey,
    BILLING_TOKEN_KEY: secrets.billingToken,
    BILLING_CHALLENGE_LOOPBACK: 'true',
    MOVABLE_CLOCK: 'true',
    [APP_WEBHOOK_SECRET]: secrets.sampleAppWebhook,
    EMBED_SIGNING_KEY: secrets.embedSigningKey,
    // The doctor reads these besides.
    STAFF_URL: addresses.proxy,
    KEYCLOAK_MANAGEMENT_URL: `http://127.0.0.1:${addresses.ports.management}`,
    KC_DB_POOL_MAX_SIZE: KEYCLOAK_POOLS.connections,
    // Rehearsals read these.
    REHEARSAL_ADDRESS: 'operations@example.com',
    REHEARSAL_INBOX_URL: addresses.inbox,
    ...chosen([...SETTINGS.both, ...SETTINGS.bridge, ...SETTINGS.doctor], env),
    PRODUCTS_FILE: productsFile,
  };
}

export function proxyEnvironment({ addresses, secrets, databaseUrl, productsFile, env }: Part): Record<string, string> {
  return {
    ...shared(addresses),
    PROXY_HOST: '127.0.0.1',
    PROXY_PORT: String(addresses.ports.proxy),
    PROXY_METRICS_PORT: String(addresses.ports.proxyMetrics),
    PROXY_DATABASE_URL: databaseUrl,
    PROXY_CLIENT_ID: 'vestibule-proxy',
    PROXY_CLIENT_SECRET: secrets.proxyClient,
    SESSION_ENCRYPTION_KEY: secrets.sessionEncryptionKey,
    BRIDGE_INTERNAL_URL: addresses.bridgeInternal,
    BRIDGE_CLIENT_ID: 'vestibule-bridge',
    BILLING_URL: addresses.proxy,
    STAFF_URL: addresses.proxy,
    EMBED_URL: addresses.proxy,
    APP_INTERNAL_URL: addresses.appInternal,
    STOP_DELAY_SECONDS: '0',
    ...chosen([...SETTINGS.both, ...SETTINGS.proxy], env),
    PRODUCTS_FILE: productsFile,
  };
}

function shared(addresses: Addresses): Record<string, string> {
  return {
    VESTIBULE_MODE: 'development',
    KEYCLOAK_PUBLIC_URL: addresses.keycloak,
    KEYCLOAK_INTERNAL_URL: addresses.keycloakInternal,
    KEYCLOAK_REALM: REALM,
    PROXY_PUBLIC_URL: addresses.proxy,
    CONTACT_URL: `${addresses.app}/contact`,
  };
}

/** The realm file has the sender's name and address apart. */
function bareAddress(sender: string): string {
  return /<([^<>]+)>/.exec(sender)?.[1] ?? sender;
}

function chosen(names: readonly string[], env: Env): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}
