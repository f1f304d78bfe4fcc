import { z } from 'zod';
import { baseUrl, ConfigError, flag, list, publicAddressFaults, readConfig, text, together } from '../../platform/config.ts';
import { identityHeadersText } from '../identity/header-settings.ts';
import { claimsToKeep, USUAL_HEADERS } from '../identity/identity-headers.ts';
import { sharedOriginFaults } from './own-origins.ts';
import { connections, corsOrigin, corsRules, fieldName, frameAncestors, limitsFrom, methodName, origin, seconds } from './site-settings.ts';
import type { Site } from './site.ts';
import { proofFrom, proofShape } from './written-proof.ts';

const CORS_MAX_AGE_SECONDS = 600;

const limit = z.coerce.number().pipe(seconds).optional();
const listOf = (item: z.ZodType<string, string>) => list.pipe(z.array(item));

/** One site with one app. */
const SITE_VARIABLES = {
  PROXY_PUBLIC_URL: origin,
  PROXY_CLIENT_ID: text.default('vestibule-proxy'),
  KEYCLOAK_PUBLIC_URL: baseUrl,
  KEYCLOAK_INTERNAL_URL: baseUrl.optional(),
  KEYCLOAK_REALM: text.default('vestibule'),
  APP_INTERNAL_URL: origin,
  APP_CONNECT_SECONDS: limit,
  APP_ANSWER_SECONDS: limit,
  APP_IDLE_SECONDS: limit,
  APP_WHOLE_SECONDS: limit,
  APP_CONNECTIONS: z.coerce.number().pipe(connections).optional(),
  IDENTITY_HEADERS: identityHeadersText.optional(),
  CORS_ORIGINS: listOf(corsOrigin).optional(),
  CORS_METHODS: listOf(methodName).prefault(''),
  CORS_HEADERS: listOf(fieldName).prefault(''),
  CORS_EXPOSED_HEADERS: listOf(fieldName).prefault(''),
  INVITATION_BY_PAR: flag.prefault('true'),
  INVITATION_ENDPOINT: z.enum(['auth', 'registrations']).default('auth'),
  FRAME_ANCESTORS: frameAncestors,
  RETURN_ORIGINS: listOf(origin).prefault(''),
};

/** The site that these variables describe; throws {@link ConfigError} with every fault. */
export function siteFromEnvironment(env: Readonly<Record<string, string | undefined>>, mode: 'production' | 'development'): Site {
  const [read] = together(
    () => readConfig({ ...SITE_VARIABLES, ...proofShape(env) }, env),
    () => {
      const faults = mode === 'production' ? productionFaults(env) : [];
      if (faults.length > 0) throw new ConfigError(faults);
    },
  );
  const { PROXY_PUBLIC_URL, KEYCLOAK_PUBLIC_URL, CORS_ORIGINS } = read;
  const identityHeaders = read.IDENTITY_HEADERS ?? USUAL_HEADERS;
  return {
    publicUrl: PROXY_PUBLIC_URL,
    provider: {
      issuer: `${KEYCLOAK_PUBLIC_URL}/realms/${encodeURIComponent(read.KEYCLOAK_REALM)}`,
      publicUrl: KEYCLOAK_PUBLIC_URL,
      internalUrl: read.KEYCLOAK_INTERNAL_URL ?? KEYCLOAK_PUBLIC_URL,
      clientId: read.PROXY_CLIENT_ID,
      clientProof: proofFrom(env),
      invitationEndpoint: read.INVITATION_ENDPOINT,
      claimsToKeep: claimsToKeep(identityHeaders),
    },
    invitationByPar: read.INVITATION_BY_PAR && read.INVITATION_ENDPOINT === 'auth',
    returnOrigins: read.RETURN_ORIGINS,
    upstreams: [
      {
        path: '/',
        to: read.APP_INTERNAL_URL,
        allow: undefined,
        limits: limitsFrom({ connect_seconds: read.APP_CONNECT_SECONDS, answer_seconds: read.APP_ANSWER_SECONDS, idle_seconds: read.APP_IDLE_SECONDS, whole_seconds: read.APP_WHOLE_SECONDS, connections: read.APP_CONNECTIONS }),
      },
    ],
    identityHeaders,
    cors: corsRules(
      CORS_ORIGINS && {
        origins: CORS_ORIGINS,
        methods: read.CORS_METHODS,
        headers: read.CORS_HEADERS,
        exposed_headers: read.CORS_EXPOSED_HEADERS,
        max_age_seconds: CORS_MAX_AGE_SECONDS,
      },
    ),
    frameAncestors: read.FRAME_ANCESTORS,
  };
}

/** Of those addresses that are some. */
function productionFaults({ PROXY_PUBLIC_URL, KEYCLOAK_PUBLIC_URL, RETURN_ORIGINS }: Readonly<Record<string, string | undefined>>): readonly string[] {
  const addresses = Object.fromEntries(Object.entries({ PROXY_PUBLIC_URL, KEYCLOAK_PUBLIC_URL }).filter(([, address]) => URL.canParse(address ?? '')));
  const { PROXY_PUBLIC_URL: app, ...others } = addresses;
  const returning = (RETURN_ORIGINS ?? '').split(',').map((one) => one.trim()).filter((one) => URL.canParse(one)).map((one) => [`RETURN_ORIGINS ${one}`, one]);
  return [...publicAddressFaults({ ...addresses, ...Object.fromEntries(returning) } as Record<string, string>), ...sharedOriginFaults(app === undefined ? [] : [app], others)];
}
