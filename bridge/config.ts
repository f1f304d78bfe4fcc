import { z } from 'zod';
import { baseUrl, ConfigError, count, flag, list, mode, port, publicAddressFaults, readConfig, secretKey, secretText, signingKey, text } from '../platform/config.ts';
import { ranges } from '../platform/client-address.ts';
import { VERIFIERS, type CaptchaProvider } from './captcha/verifiers.ts';

const FIELDS = {
  VESTIBULE_MODE: mode,
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  BRIDGE_HOST: text.default('127.0.0.1'),
  BRIDGE_PORT: port,
  BRIDGE_METRICS_PORT: port.optional(),
  BRIDGE_DATABASE_URL: secretText,
  BRIDGE_CLIENT_ID: text.default('vestibule-bridge'),
  BRIDGE_CLIENT_SECRET: secretText,
  PROXY_CLIENT_ID: text.default('vestibule-proxy'),
  KEYCLOAK_PUBLIC_URL: baseUrl,
  KEYCLOAK_INTERNAL_URL: baseUrl.optional(),
  KEYCLOAK_NODE_URLS: list.pipe(z.array(baseUrl)).optional(),
  KEYCLOAK_REALM: text.default('vestibule'),
  PROXY_PUBLIC_URL: baseUrl,
  PRODUCTS_FILE: text.default('./products.yaml'),
  SMTP_URL: z.url({ protocol: /^smtps?$/, error: 'must be an smtp or smtps address' }).pipe(secretText),
  MAIL_FROM: text,
  CONTACT_URL: z.url({ protocol: /^(https?|mailto)$/, error: 'must be an http, https or mailto address' }),
  ADDRESS_HASH_KEY: secretKey,
  INVITATION_LIFETIME_DAYS: z.coerce.number().positive().default(7),
  REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: count.default(10),
  REGISTER_LIMIT_PER_MINUTE: count.default(1000),
  MAIL_LIMIT_PER_MAILBOX_PER_DAY: count.default(5),
  MAIL_LIMIT_SECONDS_BETWEEN: count.default(60),
  TRUSTED_PROXIES: ranges.prefault(''),
  CAPTCHA_PROVIDER: z.enum(Object.keys(VERIFIERS) as [CaptchaProvider, ...CaptchaProvider[]]).optional(),
  CAPTCHA_SITE_KEY: text.optional(),
  CAPTCHA_SECRET: secretText.optional(),
  CAPTCHA_VERIFY_URL: baseUrl.optional(),
  CAPTCHA_HOSTNAMES: list.optional(),
  EMBED_SIGNING_KEY: signingKey.optional(),
  EMBED_SIGNING_KEY_PREVIOUS: signingKey.optional(),
  EMBED_URL: baseUrl.optional(),
  BILLING_TOKEN_KEY: secretKey.optional(),
  BILLING_TOKEN_KEY_PREVIOUS: secretKey.optional(),
  BILLING_URL: baseUrl.optional(),
  BILLING_FILE: text.default('./billing.yaml'),
  BILLING_CHALLENGE_LOOPBACK: flag.default(false),
  WEBHOOK_TRIES: count.min(1).default(14),
  WEBHOOK_RETRY_SECONDS: z.coerce.number().positive().default(2),
  WEBHOOK_TIME_LIMIT_SECONDS: z.coerce.number().positive().max(60).default(10),
  MOVABLE_CLOCK: flag.default(false),
};

const CAPTCHA = ['CAPTCHA_PROVIDER', 'CAPTCHA_SITE_KEY', 'CAPTCHA_SECRET'] as const;

/** Pure: every fault is named at once. */
export function loadConfig(env: Readonly<Record<string, string | undefined>>) {
  const read = readConfig(FIELDS, env);
  const captchaFaults = faultsOfCaptcha(read);
  if (captchaFaults.length > 0) throw new ConfigError(captchaFaults);
  if (read.VESTIBULE_MODE === 'production') {
    const { PROXY_PUBLIC_URL, KEYCLOAK_PUBLIC_URL } = read;
    const shortcuts = (['MOVABLE_CLOCK', 'BILLING_CHALLENGE_LOOPBACK'] as const).filter((name) => read[name]);
    const faults = [
      ...publicAddressFaults({ PROXY_PUBLIC_URL, KEYCLOAK_PUBLIC_URL }),
      ...shortcuts.map((name) => `${name}: must not be true in production`),
      ...(read.BILLING_TOKEN_KEY === undefined ? [] : faultsOfOwn('BILLING_URL', read.BILLING_URL, { PROXY_PUBLIC_URL, KEYCLOAK_PUBLIC_URL })),
      ...(read.EMBED_SIGNING_KEY === undefined ? [] : faultsOfOwn('EMBED_URL', read.EMBED_URL, { PROXY_PUBLIC_URL, KEYCLOAK_PUBLIC_URL, ...(read.BILLING_URL && { BILLING_URL: read.BILLING_URL }) })),
    ];
    if (faults.length > 0) throw new ConfigError(faults);
  }
  const keycloakInternalUrl = read.KEYCLOAK_INTERNAL_URL ?? read.KEYCLOAK_PUBLIC_URL;
  return Object.freeze({
    development: read.VESTIBULE_MODE === 'development',
    logLevel: read.LOG_LEVEL,
    address: { host: read.BRIDGE_HOST, port: read.BRIDGE_PORT },
    metricsAddress: read.BRIDGE_METRICS_PORT === undefined ? undefined : { host: read.BRIDGE_HOST, port: read.BRIDGE_METRICS_PORT },
    databaseUrl: read.BRIDGE_DATABASE_URL,
    clientId: read.BRIDGE_CLIENT_ID,
    clientSecret: read.BRIDGE_CLIENT_SECRET,
    proxyClientId: read.PROXY_CLIENT_ID,
    proxyUrl: read.PROXY_PUBLIC_URL,
    keycloak: {
      realm: read.KEYCLOAK_REALM,
      publicUrl: read.KEYCLOAK_PUBLIC_URL,
      internalUrl: keycloakInternalUrl,
      nodeUrls: read.KEYCLOAK_NODE_URLS ?? [keycloakInternalUrl],
      issuer: `${read.KEYCLOAK_PUBLIC_URL}/realms/${read.KEYCLOAK_REALM}`,
    },
    productsFile: read.PRODUCTS_FILE,
    smtpUrl: read.SMTP_URL,
    mailFrom: read.MAIL_FROM,
    contactUrl: read.CONTACT_URL,
    addressHashKey: read.ADDRESS_HASH_KEY,
    invitationLifetimeDays: read.INVITATION_LIFETIME_DAYS,
    registerLimits: { perClientPerMinute: read.REGISTER_LIMIT_PER_CLIENT_PER_MINUTE, perMinute: read.REGISTER_LIMIT_PER_MINUTE },
    mailLimits: { perMailboxPerDay: read.MAIL_LIMIT_PER_MAILBOX_PER_DAY, secondsBetween: read.MAIL_LIMIT_SECONDS_BETWEEN },
    trustedProxies: read.TRUSTED_PROXIES,
    webhooks: { mostTries: read.WEBHOOK_TRIES, firstPauseSeconds: read.WEBHOOK_RETRY_SECONDS, timeLimitMilliseconds: read.WEBHOOK_TIME_LIMIT_SECONDS * 1000 },
    movableClock: read.MOVABLE_CLOCK,
    captcha:
      read.CAPTCHA_PROVIDER && read.CAPTCHA_SITE_KEY && read.CAPTCHA_SECRET
        ? {
            provider: read.CAPTCHA_PROVIDER,
            siteKey: read.CAPTCHA_SITE_KEY,
            secret: read.CAPTCHA_SECRET,
            verifyUrl: read.CAPTCHA_VERIFY_URL,
            hostnames: read.CAPTCHA_HOSTNAMES ?? [new URL(read.PROXY_PUBLIC_URL).hostname],
          }
        : undefined,
    embed: read.EMBED_SIGNING_KEY && {
      keys: [read.EMBED_SIGNING_KEY, ...(read.EMBED_SIGNING_KEY_PREVIOUS === undefined ? [] : [read.EMBED_SIGNING_KEY_PREVIOUS])] as const,
      url: read.EMBED_URL ?? read.PROXY_PUBLIC_URL,
    },
    billing: read.BILLING_TOKEN_KEY && {
      tokenKey: read.BILLING_TOKEN_KEY,
      previousTokenKey: read.BILLING_TOKEN_KEY_PREVIOUS,
      url: read.BILLING_URL ?? read.PROXY_PUBLIC_URL,
      file: read.BILLING_FILE,
      challengeLoopback: read.BILLING_CHALLENGE_LOOPBACK,
    },
  });
}

/** All of it, or nothing: half of it would be a captcha that somebody believes to be on. */
function faultsOfCaptcha(read: Readonly<Partial<Record<(typeof CAPTCHA)[number] | 'VESTIBULE_MODE' | 'CAPTCHA_VERIFY_URL', unknown>>>): readonly string[] {
  if (CAPTCHA.every((name) => read[name] === undefined)) return [];
  const missing = CAPTCHA.filter((name) => read[name] === undefined).map((name) => `${name}: is not set, and others of the captcha are`);
  const verifyUrl = read.CAPTCHA_VERIFY_URL;
  const plain = read.VESTIBULE_MODE === 'production' && typeof verifyUrl === 'string' && !verifyUrl.startsWith('https:');
  return plain ? [...missing, 'CAPTCHA_VERIFY_URL: must be https in production'] : missing;
}

/** A script that gets into a page of the app must not own billing or what is framed elsewhere (SECURITY.md 25). */
function faultsOfOwn(name: string, url: string | undefined, others: Readonly<Record<string, string>>): readonly string[] {
  if (url === undefined) return [`${name}: is not set`];
  const shared = Object.entries(others).filter(([, other]) => new URL(other).origin === new URL(url).origin);
  return [...publicAddressFaults({ [name]: url }), ...shared.map(([other]) => `${name}: must be of another origin than ${other} in production`)];
}

export type Config = ReturnType<typeof loadConfig>;
