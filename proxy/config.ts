import type { BlockList } from 'node:net';
import { z } from 'zod';
import { baseUrl, ConfigError, count, flag, mode, port, publicAddressFaults, readConfig, secretKey, secretText, signingKey, text } from '../platform/config.ts';
import { ranges } from '../platform/client-address.ts';
import type { Secret } from '../platform/secret.ts';
import type { Site } from './site/site.ts';
import { loadSites } from './site/sites-file.ts';

export interface ProxyConfig {
  mode: 'production' | 'development';
  host: string;
  port: number;
  /** Undefined where nobody may scrape. */
  metricsPort: number | undefined;
  logLevel: string;
  /** At least one; the first is the one whose client calls the bridge. */
  sites: readonly [Site, ...Site[]];
  databaseUrl: Secret;
  productsFile: string;
  /** The first seals; all of them open. */
  sealKeys: readonly [Secret, ...Secret[]];
  bridgeUrl: string;
  /** The origin of the billing pages; undefined where there are none. */
  billingUrl: string | undefined;
  contactUrl: string;
  sessionIdleMilliseconds: number;
  sessionAbsoluteMilliseconds: number;
  /** How long people who are signed in go on while Postgres is away. */
  sessionOutageMilliseconds: number;
  /** Sessions kept in memory. */
  sessionCacheEntries: number;
  trustedProxies: BlockList;
  /** Signs what apps are told about people; the first signs, all are published. Empty: apps trust the network instead. */
  identityKeys: readonly Secret[];
  /** Whether gateways may ask at /api/auth. */
  forwardAuth: boolean;
}

const origin = baseUrl.refine((value) => new URL(value).origin === value, 'must be an origin: scheme, host and port, without a path');
const contact = z.string().regex(/^(https?:\/\/|mailto:)\S+$/, 'must be an http(s) or mailto address');

const SHAPE = {
  VESTIBULE_MODE: mode,
  LOG_LEVEL: text.default('info'),
  PROXY_HOST: text.default('127.0.0.1'),
  PROXY_PORT: port,
  PROXY_METRICS_PORT: port.optional(),
  PROXY_DATABASE_URL: secretText,
  PRODUCTS_FILE: text.default('./products.yaml'),
  TRUSTED_PROXIES: ranges.prefault(''),
  FORWARD_AUTH: flag.prefault('false'),
  IDENTITY_SIGNING_KEY: signingKey.optional(),
  IDENTITY_SIGNING_KEY_PREVIOUS: signingKey.optional(),
  SESSION_ENCRYPTION_KEY: secretKey,
  SESSION_ENCRYPTION_KEY_PREVIOUS: secretKey.optional(),
  BRIDGE_INTERNAL_URL: baseUrl,
  BILLING_URL: origin.optional(),
  CONTACT_URL: contact,
  SESSION_IDLE_MINUTES: count.min(1).default(30),
  SESSION_ABSOLUTE_HOURS: count.min(1).default(10),
  SESSION_OUTAGE_MINUTES: count.min(0).default(5),
  SESSION_CACHE_ENTRIES: count.min(100).default(200_000),
};

/** One site, from the environment alone. */
const SITE_SHAPE = {
  PROXY_PUBLIC_URL: origin,
  PROXY_CLIENT_ID: text.default('vestibule-proxy'),
  PROXY_CLIENT_SECRET: secretText,
  KEYCLOAK_PUBLIC_URL: baseUrl,
  KEYCLOAK_INTERNAL_URL: baseUrl.optional(),
  KEYCLOAK_REALM: text.default('vestibule'),
  APP_INTERNAL_URL: origin,
  INVITATION_BY_PAR: flag.prefault('true'),
  INVITATION_ENDPOINT: z.enum(['auth', 'registrations']).default('auth'),
};

type Env = Readonly<Record<string, string | undefined>>;

/** Pure but for the sites file: throws {@link ConfigError} with every fault at once. */
export function loadConfig(env: Env): Readonly<ProxyConfig> {
  const file = env['PROXY_SITES_FILE'];
  const read = file ? readConfig(SHAPE, env) : readConfig({ ...SHAPE, ...SITE_SHAPE }, env);
  // Whoever may say which request is meant, may say who is let in (SECURITY.md 20).
  if (read.FORWARD_AUTH && read.TRUSTED_PROXIES.rules.length === 0) throw new ConfigError(['TRUSTED_PROXIES: forward auth needs the addresses of the gateways that may ask']);
  const sites = file ? loadSites(file, env, read.VESTIBULE_MODE) : ([siteFrom(readConfig(SITE_SHAPE, env), read.VESTIBULE_MODE)] as const);
  const billingFaults = read.BILLING_URL === undefined || read.VESTIBULE_MODE === 'development' ? [] : faultsOfBilling(read.BILLING_URL, sites);
  if (billingFaults.length > 0) throw new ConfigError(billingFaults);
  return Object.freeze<ProxyConfig>({
    mode: read.VESTIBULE_MODE,
    host: read.PROXY_HOST,
    port: read.PROXY_PORT,
    metricsPort: read.PROXY_METRICS_PORT,
    logLevel: read.LOG_LEVEL,
    sites,
    databaseUrl: read.PROXY_DATABASE_URL,
    productsFile: read.PRODUCTS_FILE,
    sealKeys: read.SESSION_ENCRYPTION_KEY_PREVIOUS ? [read.SESSION_ENCRYPTION_KEY, read.SESSION_ENCRYPTION_KEY_PREVIOUS] : [read.SESSION_ENCRYPTION_KEY],
    bridgeUrl: read.BRIDGE_INTERNAL_URL,
    billingUrl: read.BILLING_URL,
    contactUrl: read.CONTACT_URL,
    sessionIdleMilliseconds: read.SESSION_IDLE_MINUTES * 60_000,
    sessionAbsoluteMilliseconds: read.SESSION_ABSOLUTE_HOURS * 3_600_000,
    sessionOutageMilliseconds: read.SESSION_OUTAGE_MINUTES * 60_000,
    sessionCacheEntries: read.SESSION_CACHE_ENTRIES,
    trustedProxies: read.TRUSTED_PROXIES,
    forwardAuth: read.FORWARD_AUTH,
    identityKeys: [read.IDENTITY_SIGNING_KEY, read.IDENTITY_SIGNING_KEY_PREVIOUS].filter((key) => key !== undefined),
  });
}

/** A script that gets into a page of an app must not own billing (SECURITY.md 25). */
function faultsOfBilling(url: string, sites: readonly Site[]): readonly string[] {
  const others = sites.flatMap(({ publicUrl, provider }) => [publicUrl, new URL(provider.publicUrl).origin]);
  return [...publicAddressFaults({ BILLING_URL: url }), ...(others.includes(url) ? ['BILLING_URL: must be of another origin than apps and Keycloak in production'] : [])];
}

function siteFrom(read: z.infer<z.ZodObject<typeof SITE_SHAPE>>, inMode: ProxyConfig['mode']): Site {
  const { PROXY_PUBLIC_URL, KEYCLOAK_PUBLIC_URL } = read;
  const faults = inMode === 'production' ? publicAddressFaults({ PROXY_PUBLIC_URL, KEYCLOAK_PUBLIC_URL }) : [];
  if (faults.length > 0) throw new ConfigError(faults);
  return {
    publicUrl: PROXY_PUBLIC_URL,
    provider: {
      issuer: `${KEYCLOAK_PUBLIC_URL}/realms/${encodeURIComponent(read.KEYCLOAK_REALM)}`,
      publicUrl: KEYCLOAK_PUBLIC_URL,
      internalUrl: read.KEYCLOAK_INTERNAL_URL ?? KEYCLOAK_PUBLIC_URL,
      clientId: read.PROXY_CLIENT_ID,
      clientSecret: read.PROXY_CLIENT_SECRET,
      invitationEndpoint: read.INVITATION_ENDPOINT,
    },
    invitationByPar: read.INVITATION_BY_PAR && read.INVITATION_ENDPOINT === 'auth',
    upstreams: [{ path: '/', to: read.APP_INTERNAL_URL, allow: undefined }],
  };
}
