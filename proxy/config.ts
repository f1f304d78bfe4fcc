import type { BlockList } from 'node:net';
import { z } from 'zod';
import { baseUrl, ConfigError, count, flag, mode, port, publicAddressFaults, readConfig, secretKey, secretText, signingKey, text, together } from '../platform/config.ts';
import { ranges } from '../platform/client-address.ts';
import type { Secret } from '../platform/secret.ts';
import { sharedOriginFaults } from './site/own-origins.ts';
import type { Site } from './site/site.ts';
import { siteFromEnvironment } from './site/site-environment.ts';
import { origin } from './site/site-settings.ts';
import { loadSites } from './site/sites-file.ts';
import { CAPTCHA_PROVIDERS, type CaptchaProvider } from './trial/captcha-widget.ts';

export interface ProxyConfig {
  mode: 'production' | 'development';
  host: string;
  port: number;
  /** Of health and metrics; undefined: health is answered at the public port, and nobody may scrape. */
  metricsPort: number | undefined;
  /** Between the signal to stop and no longer taking connections: load balancers read `/readyz` meanwhile. */
  stopDelayMilliseconds: number;
  /** What is still under way is cut after that. */
  stopLimitMilliseconds: number;
  logLevel: string;
  /** At least one; the first is the one whose client calls the bridge. */
  sites: readonly [Site, ...Site[]];
  databaseUrl: Secret;
  /** The first seals; all of them open. */
  sealKeys: readonly [Secret, ...Secret[]];
  bridgeUrl: string;
  /** The origin of the billing pages; undefined where there are none. */
  billingUrl: string | undefined;
  /** The origin of the staff pages; undefined where there are none. */
  staffUrl: string | undefined;
  /** The origin of frames that show small apps; undefined where there are none. */
  embedUrl: string | undefined;
  /** What the bridge asks of a sign-up; undefined: nothing. */
  captcha: { provider: CaptchaProvider; siteKey: string } | undefined;
  contactUrl: string;
  preparingBudgetMilliseconds: number;
  sessionIdleMilliseconds: number;
  sessionAbsoluteMilliseconds: number;
  /** How long people who are signed in go on while Postgres is away. */
  sessionOutageMilliseconds: number;
  /** Sign-ins that a client may have begun, and not finished, within ten minutes. */
  loginsPerClient: number;
  /** Sessions kept in memory. */
  sessionCacheEntries: number;
  trustedProxies: BlockList;
  /** Signs what apps are told about people; the first signs, all are published. Empty: apps trust the network instead. */
  identityKeys: readonly Secret[];
  /** Whether gateways may ask at /api/auth. */
  forwardAuth: boolean;
}

const contact = z.string().regex(/^(https?:\/\/|mailto:)\S+$/, 'must be an http(s) or mailto address');

const SHAPE = {
  VESTIBULE_MODE: mode,
  LOG_LEVEL: text.default('info'),
  PROXY_HOST: text.default('127.0.0.1'),
  PROXY_PORT: port,
  PROXY_METRICS_PORT: port.optional(),
  PROXY_DATABASE_URL: secretText,
  TRUSTED_PROXIES: ranges.prefault(''),
  FORWARD_AUTH: flag.prefault('false'),
  IDENTITY_SIGNING_KEY: signingKey.optional(),
  IDENTITY_SIGNING_KEY_PREVIOUS: signingKey.optional(),
  SESSION_ENCRYPTION_KEY: secretKey,
  SESSION_ENCRYPTION_KEY_PREVIOUS: secretKey.optional(),
  BRIDGE_INTERNAL_URL: baseUrl,
  BILLING_URL: origin.optional(),
  STAFF_URL: origin.optional(),
  EMBED_URL: origin.optional(),
  CAPTCHA_PROVIDER: z.enum(CAPTCHA_PROVIDERS).optional(),
  CAPTCHA_SITE_KEY: text.optional(),
  CONTACT_URL: contact,
  PREPARING_BUDGET_SECONDS: count.default(60),
  SESSION_IDLE_MINUTES: count.min(1).default(30),
  SESSION_ABSOLUTE_HOURS: count.min(1).default(10),
  SESSION_OUTAGE_MINUTES: count.min(0).default(5),
  LOGIN_LIMIT_PER_CLIENT: count.min(5).default(600),
  SESSION_CACHE_ENTRIES: count.min(100).default(200_000),
  STOP_DELAY_SECONDS: count.max(300).default(5),
  STOP_LIMIT_SECONDS: count.min(1).max(3600).default(30),
};

const OWN_ORIGINS = ['BILLING_URL', 'STAFF_URL', 'EMBED_URL'] as const;

type Env = Readonly<Record<string, string | undefined>>;

/** Pure but for the sites file: throws {@link ConfigError} with every fault at once. */
export function loadConfig(env: Env): Readonly<ProxyConfig> {
  let readable: readonly Site[] = [];
  const [read, sites] = together(
    () => readOwn(env),
    () => (readable = readSites(env)) as readonly [Site, ...Site[]],
    () => judgeOwnOrigins(env, readable),
    () => judgeCaptcha(env),
  );
  return Object.freeze<ProxyConfig>({
    mode: read.VESTIBULE_MODE,
    host: read.PROXY_HOST,
    port: read.PROXY_PORT,
    metricsPort: read.PROXY_METRICS_PORT,
    logLevel: read.LOG_LEVEL,
    stopDelayMilliseconds: read.STOP_DELAY_SECONDS * 1000,
    stopLimitMilliseconds: read.STOP_LIMIT_SECONDS * 1000,
    sites,
    databaseUrl: read.PROXY_DATABASE_URL,
    sealKeys: read.SESSION_ENCRYPTION_KEY_PREVIOUS ? [read.SESSION_ENCRYPTION_KEY, read.SESSION_ENCRYPTION_KEY_PREVIOUS] : [read.SESSION_ENCRYPTION_KEY],
    bridgeUrl: read.BRIDGE_INTERNAL_URL,
    billingUrl: read.BILLING_URL,
    staffUrl: read.STAFF_URL,
    embedUrl: read.EMBED_URL,
    captcha: read.CAPTCHA_PROVIDER && read.CAPTCHA_SITE_KEY ? { provider: read.CAPTCHA_PROVIDER, siteKey: read.CAPTCHA_SITE_KEY } : undefined,
    contactUrl: read.CONTACT_URL,
    preparingBudgetMilliseconds: read.PREPARING_BUDGET_SECONDS * 1000,
    sessionIdleMilliseconds: read.SESSION_IDLE_MINUTES * 60_000,
    sessionAbsoluteMilliseconds: read.SESSION_ABSOLUTE_HOURS * 3_600_000,
    sessionOutageMilliseconds: read.SESSION_OUTAGE_MINUTES * 60_000,
    loginsPerClient: read.LOGIN_LIMIT_PER_CLIENT,
    sessionCacheEntries: read.SESSION_CACHE_ENTRIES,
    trustedProxies: read.TRUSTED_PROXIES,
    forwardAuth: read.FORWARD_AUTH,
    identityKeys: [read.IDENTITY_SIGNING_KEY, read.IDENTITY_SIGNING_KEY_PREVIOUS].filter((key) => key !== undefined),
  });
}

/** A script that gets into a page of an app must not own billing, the staff pages or what is framed elsewhere, nor one of these another (SECURITY.md 25). Of addresses that are some. */
function judgeOwnOrigins(env: Env, sites: readonly Site[]): void {
  if (env['VESTIBULE_MODE'] === 'development') return;
  const taken = sites.flatMap(({ publicUrl, provider }) => [publicUrl, provider.publicUrl]);
  const faults = OWN_ORIGINS.flatMap((name) => {
    const { data: url } = origin.safeParse(env[name]);
    if (url === undefined) return [];
    const found = [...publicAddressFaults({ [name]: url }), ...sharedOriginFaults(taken, { [name]: url })];
    taken.push(url);
    return found;
  });
  if (faults.length > 0) throw new ConfigError(faults);
}

function judgeCaptcha({ CAPTCHA_PROVIDER: provider, CAPTCHA_SITE_KEY: siteKey }: Env): void {
  if (!provider !== !siteKey) throw new ConfigError([`${provider ? 'CAPTCHA_SITE_KEY' : 'CAPTCHA_PROVIDER'}: is not set, and the other of the captcha is`]);
}

export function productsFile(env: Env): string {
  return env['PRODUCTS_FILE'] || './products.yaml';
}

function readOwn(env: Env) {
  const [read] = together(
    () => readConfig(SHAPE, env),
    // Whoever may say which request is meant, may say who is let in (SECURITY.md 20).
    () => {
      if (env['FORWARD_AUTH'] === 'true' && /^[,\s]*$/.test(env['TRUSTED_PROXIES'] ?? '')) throw new ConfigError(['TRUSTED_PROXIES: forward auth needs the addresses of the gateways that may ask']);
    },
  );
  return read;
}

/** From a file, from a variable with what would stand in it, or from one variable for each setting. */
function readSites(env: Env): readonly [Site, ...Site[]] {
  const inMode = env['VESTIBULE_MODE'] === 'development' ? 'development' : 'production';
  const { PROXY_SITES_FILE: file, PROXY_SITES: written } = env;
  if (file && written) throw new ConfigError(['PROXY_SITES: leave it out, or PROXY_SITES_FILE: sites come from one of them']);
  if (file) return loadSites({ file }, env, inMode);
  return written ? loadSites({ text: written }, env, inMode) : [siteFromEnvironment(env, inMode)];
}
