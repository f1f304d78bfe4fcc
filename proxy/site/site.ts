import { AppError } from '../../platform/problem.ts';
import { plainSegment } from '../../platform/request-target.ts';
import type { HeaderClaims } from '../identity/identity-headers.ts';
import type { ClientProof } from '../provider/client-proof.ts';
import type { UpstreamLimits } from '../upstream/limits.ts';
import type { CorsRules } from './cors.ts';

/** One origin that browsers see: who signs its people in, and which apps stand behind it. */
export interface Site {
  /** Every link is built from it and from nothing else (SECURITY.md 10). */
  publicUrl: string;
  provider: ProviderConfig;
  /** Whether an invitation goes to the provider by a pushed authorization request, as every other login does where it can. */
  invitationByPar: boolean;
  /** Origins besides its own to which a sign-in may lead back. */
  returnOrigins: readonly string[];
  /** Longest path first; the last takes everything. */
  upstreams: readonly UpstreamRule[];
  /** What apps hear about people. */
  identityHeaders: HeaderClaims;
  /** Which other origins may call the apps; undefined: as far as the apps themselves say so. */
  cors: CorsRules | undefined;
  /** Which pages may show an app in a frame where the app says nothing about it: `app` leaves it at that. */
  frameAncestors: FrameAncestors;
}

export type FrameAncestors = 'none' | 'self' | 'app';

export interface ProviderConfig {
  issuer: string;
  /** What browsers and tokens name. */
  publicUrl: string;
  /** What this process dials for it. */
  internalUrl: string;
  clientId: string;
  clientProof: ClientProof;
  /** Where an invitation goes: `registrations` where Keycloak has no `prompt=create` yet (before 26.1). */
  invitationEndpoint: 'auth' | 'registrations';
  /** Claims of the ID token that identity headers ask for, besides what every session keeps. */
  claimsToKeep: readonly string[];
}

export interface UpstreamRule {
  /** `/` or a path without a slash at its end; takes itself and what is below it. */
  path: string;
  /** An origin. */
  to: string;
  /** Who may pass: anybody with one of these. Undefined: everybody who is signed in. */
  allow: { roles: readonly string[]; groups: readonly string[] } | undefined;
  limits: UpstreamLimits;
}

/**
 * The rule that takes this path. Compared decoded, without path parameters and in lower case: an app that is less exact must not get
 * past a rule by another spelling (SECURITY.md 20). What is ambiguous beyond that never comes here (platform/request-target.ts).
 */
export function ruleFor(rules: readonly UpstreamRule[], path: string): UpstreamRule | undefined {
  if (rules[0]?.path === '/') return rules[0];
  const plain = (path.includes('%') || path.includes(';') ? path.split('/').map(plainSegment).join('/') : path).toLowerCase();
  return rules.find((rule) => rule.path === '/' || plain === rule.path.toLowerCase() || plain.startsWith(`${rule.path.toLowerCase()}/`));
}

export function mayPass({ allow }: UpstreamRule, { roles, groups }: { roles: readonly string[]; groups: readonly string[] }): boolean {
  return allow === undefined || allow.roles.some((role) => roles.includes(role)) || allow.groups.some((group) => groups.includes(group));
}

/** What whoever may not pass is told, on each way in. */
export function notAllowed(): AppError {
  return new AppError('not_allowed', 'Ask for the right to see this, or sign in as somebody who has it.');
}
