import { resolve } from 'node:path';
import { z } from 'zod';
import { baseUrl, ConfigError, faultInWords, publicAddressFaults } from '../../platform/config.ts';
import { readYaml, readYamlFile } from '../../platform/yaml-file.ts';
import { identityHeadersSetting } from '../identity/header-settings.ts';
import { claimsToKeep, USUAL_HEADERS } from '../identity/identity-headers.ts';
import { sharedOriginFaults } from './own-origins.ts';
import { connections, corsOrigin, corsRules, fieldName, frameAncestors, limitsFrom, methodName, origin, seconds } from './site-settings.ts';
import type { Site, UpstreamRule } from './site.ts';
import { proofOf, writtenProof, writtenProofFaults } from './written-proof.ts';

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
  limits: z
    .strictObject({
      connect_seconds: seconds.optional().meta({ description: 'Until the app takes the connection (5)' }),
      answer_seconds: seconds.optional().meta({ description: 'Until its answer begins (60)' }),
      idle_seconds: seconds.optional().meta({ description: 'Between two pieces of an answer (600)' }),
      whole_seconds: seconds.optional().meta({ description: 'For a request with its answer (no limit)' }),
      connections: connections.optional().meta({ description: 'Requests at the app at once (10000); others wait for connect_seconds' }),
    })
    .optional(),
});

const corsSchema = z.strictObject({
  origins: z.array(corsOrigin).min(1),
  methods: z.array(methodName).default([]).meta({ description: 'Besides GET, HEAD and POST' }),
  headers: z.array(fieldName).default([]).meta({ description: 'Headers that a request may have' }),
  exposed_headers: z.array(fieldName).default([]).meta({ description: 'Headers of an answer that scripts may read' }),
  max_age_seconds: z.int().min(0).max(86_400).default(600),
});

const siteSchema = z.strictObject({
  public_url: origin.meta({ description: 'The origin that browsers see' }),
  issuer: baseUrl.meta({ description: 'Issuer of the OpenID provider, for Keycloak https://…/realms/<realm>' }),
  issuer_internal_url: baseUrl.optional().meta({ description: 'What this process dials instead of the issuer' }),
  client_id: z.string().min(1),
  ...writtenProof,
  invitation_by_par: z.boolean().default(true).meta({ description: 'false for Keycloak before 26.7' }),
  invitation_endpoint: z.enum(['auth', 'registrations']).default('auth').meta({ description: 'registrations for Keycloak before 26.1' }),
  identity_headers: identityHeadersSetting.optional().meta({ description: 'Header: claim of the ID token. Takes the place of the usual ones.' }),
  cors: corsSchema.optional().meta({ description: 'Pages of which other origins may call the apps. Without it the apps answer for themselves, and no preflight passes.' }),
  frame_ancestors: frameAncestors.meta({ description: 'Who may show a page of the apps in a frame where they say nothing about it: nobody, the site itself, or (app) whoever wants to' }),
  return_origins: z.array(origin).default([]).meta({ description: 'Origins besides its own to which a sign-in may lead back' }),
  upstreams: z.array(upstreamSchema).min(1),
});

export const sitesFileSchema = z.strictObject({
  $schema: z.string().optional(),
  sites: z.array(siteSchema).min(1),
});

type Env = Readonly<Record<string, string | undefined>>;

/** A file by its path, or what would stand in it. */
export type SitesSource = { file: string } | { text: string };

/** Reads the sites from YAML; throws {@link ConfigError} with every fault in it, each by its place. */
export function loadSites(source: SitesSource, env: Env, mode: 'production' | 'development'): readonly [Site, ...Site[]] {
  const unusable = (faults: readonly string[]): ConfigError => new ConfigError(faults, `${nameOf(source)} is not usable. Correct it (docs/proxy.md explains every key):`);
  const written = 'file' in source ? readYamlFile(source.file, 'PROXY_SITES_FILE', unusable) : readYaml(source.text, unusable);
  const file = z.strictObject({ ...sitesFileSchema.shape, sites: z.array(z.unknown()).min(1) }).safeParse(written);
  // Each site by itself, and what can be read of it, so that a fault hides none of another place or kind.
  const parsed = sitesIn(written).map((site) => ({ ...siteSchema.safeParse(site), read: readableOf(site) }));
  const faults = parsed.flatMap(({ error, read }, at) => [...(error ? issuesOf(error, ['sites', at]) : []), ...faultsOf(read, `sites.${at}`, env, mode)]);
  const addresses = parsed.flatMap(({ read }) => read.public_url ?? []);
  const hosts = addresses.map((address) => new URL(address).host);
  const twice = hosts.filter((host, at) => hosts.indexOf(host) !== at).map((host) => `sites: two have the host ${host}`);
  const shared = mode === 'production' ? sharedOriginFaults(addresses, issuersOf(parsed.map(({ read }) => read))) : [];
  const all = [...(file.error ? issuesOf(file.error, []) : []), ...faults, ...twice, ...shared];
  if (all.length > 0) throw unusable(all);
  const sites = parsed.flatMap(({ data }) => data ?? []);
  return sites.map((site) => toSite(site, env)) as unknown as readonly [Site, ...Site[]];
}

function issuesOf(error: z.ZodError, place: readonly (string | number)[]): string[] {
  return error.issues.map((issue) => `${[...place, ...issue.path].join('.') || 'the file'}: ${faultInWords(issue)}`);
}

type WrittenSite = z.infer<typeof siteSchema>;

function sitesIn(written: unknown): readonly unknown[] {
  const { sites } = Object(written) as { sites?: unknown };
  return Array.isArray(sites) ? sites : [];
}

/** Those fields that can be read, whatever is wrong with others. */
function readableOf(site: unknown): Partial<WrittenSite> {
  const fields = Object.entries(siteSchema.shape).map(([name, field]) => [name, field.safeParse((Object(site) as Record<string, unknown>)[name])] as const);
  return Object.fromEntries(fields.flatMap(([name, { success, data }]) => (success ? [[name, data]] : [])));
}

function faultsOf(site: Partial<WrittenSite>, at: string, env: Env, mode: 'production' | 'development'): string[] {
  const paths = site.upstreams?.map((upstream) => upstream.path.toLowerCase()) ?? ['/'];
  const returning = site.return_origins?.map((one, index) => [`${at}.return_origins.${index}`, one]) ?? [];
  const addresses = Object.entries({ [`${at}.public_url`]: site.public_url, [`${at}.issuer`]: site.issuer, ...Object.fromEntries(returning) } as Record<string, string | undefined>).filter(([, address]) => address !== undefined);
  return [
    ...(mode === 'production' ? publicAddressFaults(Object.fromEntries(addresses) as Record<string, string>) : []),
    // What is there and can't be read is a fault of its own, and not missing.
    ...('client_secret_variable' in site && 'client_key_file' in site ? writtenProofFaults(site, at, env) : []),
    ...(paths.includes('/') ? [] : [`${at}.upstreams: one must take "/"`]),
    ...paths.filter((one, index) => paths.indexOf(one) !== index).map((one) => `${at}.upstreams: two take ${one}`),
  ];
}

function toSite(site: WrittenSite, env: Env): Site {
  const identityHeaders = site.identity_headers ?? USUAL_HEADERS;
  return {
    publicUrl: site.public_url,
    provider: {
      issuer: site.issuer,
      publicUrl: site.issuer,
      internalUrl: site.issuer_internal_url ?? site.issuer,
      clientId: site.client_id,
      clientProof: proofOf(site, env),
      invitationEndpoint: site.invitation_endpoint,
      claimsToKeep: claimsToKeep(identityHeaders),
    },
    invitationByPar: site.invitation_by_par && site.invitation_endpoint === 'auth',
    returnOrigins: site.return_origins,
    upstreams: longestFirst(site.upstreams.map(({ path, to, allow, limits }) => ({ path, to, allow, limits: limitsFrom(limits) }))),
    identityHeaders,
    cors: corsRules(site.cors),
    frameAncestors: site.frame_ancestors,
  };
}

function longestFirst(rules: readonly UpstreamRule[]): readonly UpstreamRule[] {
  return rules.toSorted((one, other) => other.path.length - one.path.length);
}

function issuersOf(sites: readonly Partial<WrittenSite>[]): Record<string, string | undefined> {
  return Object.fromEntries(sites.map((site, at) => [`sites.${at}.issuer`, site.issuer]));
}

function nameOf(source: SitesSource): string {
  return 'file' in source ? `The sites file ${resolve(source.file)}` : 'PROXY_SITES';
}
