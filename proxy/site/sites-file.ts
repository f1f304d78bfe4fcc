import { resolve } from 'node:path';
import { z } from 'zod';
import { baseUrl, ConfigError, publicAddressFaults } from '../../platform/config.ts';
import { readYamlFile } from '../../platform/yaml-file.ts';
import type { Site, UpstreamRule } from './site.ts';
import { proofOf, writtenProof, writtenProofFaults } from './written-proof.ts';

const origin = baseUrl.refine((value) => new URL(value).origin === value, 'must be an origin: scheme, host and port, without a path');
const path = z
  .string()
  .regex(/^\/([A-Za-z0-9._~!$&'()*+,=:@-]+\/?)*$/, 'must be a path of plain characters, without ; and escapes')
  .refine((value) => !/(^|\/)\.{1,2}(\/|$)/.test(value), 'must not have dot segments')
  .transform((value) => (value === '/' ? value : value.replace(/\/$/, '')));
const names = z.array(z.string().min(1)).default([]);

const upstreamSchema = z.strictObject({
  path: path.default('/').meta({ description: 'What it takes: itself and everything below. The longest that fits wins.' }),
  to: origin.meta({ description: 'The origin of the app' }),
  allow: z
    .strictObject({ roles: names, groups: names })
    .refine(({ roles, groups }) => roles.length + groups.length > 0, 'must name at least one role or group; leave it out to let everybody in who is signed in')
    .optional()
    .meta({ description: 'Who may pass: whoever has one of these. Without it everybody who is signed in.' }),
});

const siteSchema = z.strictObject({
  public_url: origin.meta({ description: 'The origin that browsers see' }),
  issuer: baseUrl.meta({ description: 'Issuer of the OpenID provider, for Keycloak https://…/realms/<realm>' }),
  issuer_internal_url: baseUrl.optional().meta({ description: 'What this process dials instead of the issuer' }),
  client_id: z.string().min(1),
  ...writtenProof,
  invitation_by_par: z.boolean().default(true).meta({ description: 'false for Keycloak before 26.7' }),
  invitation_endpoint: z.enum(['auth', 'registrations']).default('auth').meta({ description: 'registrations for Keycloak before 26.1' }),
  return_origins: z.array(origin).default([]).meta({ description: 'Origins besides its own to which a sign-in may lead back' }),
  upstreams: z.array(upstreamSchema).min(1),
});

export const sitesFileSchema = z.strictObject({
  $schema: z.string().optional(),
  sites: z.array(siteSchema).min(1),
});

type Env = Readonly<Record<string, string | undefined>>;

/** Reads the sites from a YAML file; throws {@link ConfigError} with every fault in it, each by its place. */
export function loadSites(file: string, env: Env, mode: 'production' | 'development'): readonly [Site, ...Site[]] {
  const parsed = sitesFileSchema.safeParse(readYamlFile(file, 'PROXY_SITES_FILE', (faults) => unusable(file, faults)));
  if (!parsed.success) throw unusable(file, parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`));
  const faults = parsed.data.sites.flatMap((site, at) => faultsOf(site, `sites.${at}`, env, mode));
  const hosts = parsed.data.sites.map((site) => new URL(site.public_url).host);
  const twice = hosts.filter((host, at) => hosts.indexOf(host) !== at).map((host) => `sites: two have the host ${host}`);
  if (faults.length + twice.length > 0) throw unusable(file, [...faults, ...twice]);
  return parsed.data.sites.map((site) => toSite(site, env)) as unknown as readonly [Site, ...Site[]];
}

type WrittenSite = z.infer<typeof siteSchema>;

function faultsOf(site: WrittenSite, at: string, env: Env, mode: 'production' | 'development'): string[] {
  const paths = site.upstreams.map((upstream) => upstream.path.toLowerCase());
  return [
    ...(mode === 'production' ? publicAddressFaults({ [`${at}.public_url`]: site.public_url, [`${at}.issuer`]: site.issuer, ...Object.fromEntries(site.return_origins.map((one, index) => [`${at}.return_origins.${index}`, one])) }) : []),
    ...writtenProofFaults(site, at, env),
    ...(paths.includes('/') ? [] : [`${at}.upstreams: one must take "/"`]),
    ...paths.filter((one, index) => paths.indexOf(one) !== index).map((one) => `${at}.upstreams: two take ${one}`),
  ];
}

function toSite(site: WrittenSite, env: Env): Site {
  return {
    publicUrl: site.public_url,
    provider: {
      issuer: site.issuer,
      publicUrl: site.issuer,
      internalUrl: site.issuer_internal_url ?? site.issuer,
      clientId: site.client_id,
      clientProof: proofOf(site, env),
      invitationEndpoint: site.invitation_endpoint,
    },
    invitationByPar: site.invitation_by_par && site.invitation_endpoint === 'auth',
    returnOrigins: site.return_origins,
    upstreams: longestFirst(site.upstreams.map(({ path, to, allow }) => ({ path, to, allow }))),
  };
}

function longestFirst(rules: readonly UpstreamRule[]): readonly UpstreamRule[] {
  return rules.toSorted((one, other) => other.path.length - one.path.length);
}

function unusable(file: string, faults: readonly string[]): ConfigError {
  return new ConfigError(faults, `The sites file ${resolve(file)} is not usable. Correct it (docs/proxy.md explains every key):`);
}

