import type { BlockList } from 'node:net';
import { z } from 'zod';
import { baseUrl, ConfigError, count, flag, mode, port, publicAddressFaults, readConfig, secretKey, secretText, text } from '../platform/config.ts';
import { ranges } from '../platform/client-address.ts';
import type { Secret } from '../platform/secret.ts';

export interface ProxyConfig {
  mode: 'production' | 'development';
  host: string;
  port: number;
  /** Undefined where nobody may scrape. */
  metricsPort: number | undefined;
  logLevel: string;
  /** The origin that browsers see. Every link is built from it and from nothing else. */
  publicUrl: string;
  databaseUrl: Secret;
  productsFile: string;
  keycloak: {
    /** What browsers and tokens name. */
    publicUrl: string;
    /** What this process dials. */
    internalUrl: string;
    issuer: string;
    clientId: string;
    clientSecret: Secret;
    /** Where an invitation goes: `registrations` where Keycloak has no `prompt=create` yet (before 26.1). */
    invitationEndpoint: 'auth' | 'registrations';
  };
  /** The first seals; all of them open. */
  sealKeys: readonly [Secret, ...Secret[]];
  bridgeUrl: string;
  appUrl: string;
  contactUrl: string;
  sessionIdleMilliseconds: number;
  sessionAbsoluteMilliseconds: number;
  /** How long people who are signed in go on while Postgres is away. */
  sessionOutageMilliseconds: number;
  /** Sessions kept in memory. */
  sessionCacheEntries: number;
  invitationByPar: boolean;
  trustedProxies: BlockList;
}

const origin = baseUrl.refine((value) => new URL(value).origin === value, 'must be an origin: scheme, host and port, without a path');
const contact = z.string().regex(/^(https?:\/\/|mailto:)\S+$/, 'must be an http(s) or mailto address');

const SHAPE = {
  VESTIBULE_MODE: mode,
  LOG_LEVEL: text.default('info'),
  PROXY_HOST: text.default('127.0.0.1'),
  PROXY_PORT: port,
  PROXY_METRICS_PORT: port.optional(),
  PROXY_PUBLIC_URL: origin,
  PROXY_DATABASE_URL: secretText,
  PROXY_CLIENT_ID: text.default('vestibule-proxy'),
  PROXY_CLIENT_SECRET: secretText,
  PRODUCTS_FILE: text.default('./products.yaml'),
  TRUSTED_PROXIES: ranges.prefault(''),
  KEYCLOAK_PUBLIC_URL: baseUrl,
  KEYCLOAK_INTERNAL_URL: baseUrl.optional(),
  KEYCLOAK_REALM: text.default('vestibule'),
  SESSION_ENCRYPTION_KEY: secretKey,
  SESSION_ENCRYPTION_KEY_PREVIOUS: secretKey.optional(),
  BRIDGE_INTERNAL_URL: baseUrl,
  APP_INTERNAL_URL: origin,
  CONTACT_URL: contact,
  SESSION_IDLE_MINUTES: count.min(1).default(30),
  SESSION_ABSOLUTE_HOURS: count.min(1).default(10),
  SESSION_OUTAGE_MINUTES: count.min(0).default(5),
  SESSION_CACHE_ENTRIES: count.min(100).default(200_000),
  INVITATION_BY_PAR: flag.prefault('true'),
  INVITATION_ENDPOINT: z.enum(['auth', 'registrations']).default('auth'),
};

/** Pure: throws {@link ConfigError} with every fault at once. */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Readonly<ProxyConfig> {
  const read = readConfig(SHAPE, env);
  if (read.VESTIBULE_MODE === 'production') {
    const { PROXY_PUBLIC_URL, KEYCLOAK_PUBLIC_URL } = read;
    const faults = publicAddressFaults({ PROXY_PUBLIC_URL, KEYCLOAK_PUBLIC_URL });
    if (faults.length > 0) throw new ConfigError(faults);
  }
  return Object.freeze<ProxyConfig>({
    mode: read.VESTIBULE_MODE,
    host: read.PROXY_HOST,
    port: read.PROXY_PORT,
    metricsPort: read.PROXY_METRICS_PORT,
    logLevel: read.LOG_LEVEL,
    publicUrl: read.PROXY_PUBLIC_URL,
    databaseUrl: read.PROXY_DATABASE_URL,
    productsFile: read.PRODUCTS_FILE,
    keycloak: {
      publicUrl: read.KEYCLOAK_PUBLIC_URL,
      internalUrl: read.KEYCLOAK_INTERNAL_URL ?? read.KEYCLOAK_PUBLIC_URL,
      issuer: `${read.KEYCLOAK_PUBLIC_URL}/realms/${encodeURIComponent(read.KEYCLOAK_REALM)}`,
      clientId: read.PROXY_CLIENT_ID,
      clientSecret: read.PROXY_CLIENT_SECRET,
      invitationEndpoint: read.INVITATION_ENDPOINT,
    },
    sealKeys: read.SESSION_ENCRYPTION_KEY_PREVIOUS ? [read.SESSION_ENCRYPTION_KEY, read.SESSION_ENCRYPTION_KEY_PREVIOUS] : [read.SESSION_ENCRYPTION_KEY],
    bridgeUrl: read.BRIDGE_INTERNAL_URL,
    appUrl: read.APP_INTERNAL_URL,
    contactUrl: read.CONTACT_URL,
    sessionIdleMilliseconds: read.SESSION_IDLE_MINUTES * 60_000,
    sessionAbsoluteMilliseconds: read.SESSION_ABSOLUTE_HOURS * 3_600_000,
    sessionOutageMilliseconds: read.SESSION_OUTAGE_MINUTES * 60_000,
    sessionCacheEntries: read.SESSION_CACHE_ENTRIES,
    invitationByPar: read.INVITATION_BY_PAR && read.INVITATION_ENDPOINT === 'auth',
    trustedProxies: read.TRUSTED_PROXIES,
  });
}
