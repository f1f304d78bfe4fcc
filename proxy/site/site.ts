import type { Secret } from '../../platform/secret.ts';

/** One origin that browsers see: who signs its people in, and which apps stand behind it. */
export interface Site {
  /** Every link is built from it and from nothing else (SECURITY.md 10). */
  publicUrl: string;
  provider: ProviderConfig;
  /** Whether an invitation goes to the provider by a pushed authorization request. */
  invitationByPar: boolean;
  /** Longest path first; the last takes everything. */
  upstreams: readonly UpstreamRule[];
}

export interface ProviderConfig {
  issuer: string;
  /** What browsers and tokens name. */
  publicUrl: string;
  /** What this process dials for it. */
  internalUrl: string;
  clientId: string;
  clientSecret: Secret;
  /** Where an invitation goes: `registrations` where Keycloak has no `prompt=create` yet (before 26.1). */
  invitationEndpoint: 'auth' | 'registrations';
}

export interface UpstreamRule {
  /** `/` or a path without a slash at its end; takes itself and what is below it. */
  path: string;
  /** An origin. */
  to: string;
  /** Who may pass: anybody with one of these. Undefined: everybody who is signed in. */
  allow: { roles: readonly string[]; groups: readonly string[] } | undefined;
}

export function hostOf({ publicUrl }: Pick<Site, 'publicUrl'>): string {
  return new URL(publicUrl).host;
}

/** The rule that takes this path, by the bytes that will be forwarded (SECURITY.md 20). */
export function ruleFor(rules: readonly UpstreamRule[], path: string): UpstreamRule | undefined {
  return rules.find((rule) => rule.path === '/' || path === rule.path || path.startsWith(`${rule.path}/`));
}

export function mayPass({ allow }: UpstreamRule, { roles, groups }: { roles: readonly string[]; groups: readonly string[] }): boolean {
  return allow === undefined || allow.roles.some((role) => roles.includes(role)) || allow.groups.some((group) => groups.includes(group));
}
