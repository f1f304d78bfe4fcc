import { compareVersions } from './versions.ts';

export interface Hole {
  cve: string;
  /** What it opens in a realm like ours. */
  effect: string;
  /** The first release with the fix, per line of releases; later lines have it from their start. */
  fixedIn: readonly string[];
  /** The issue of keycloak/keycloak whose release labels say so. */
  issue: number;
}

/** Holes of Keycloak that reach a realm made from our file. */
export const HOLES: readonly Hole[] = [
  { cve: 'CVE-2026-18963', effect: 'anybody sets a new password on any account through the reset-credentials flow', fixedIn: ['26.4.15', '26.6.6', '26.7.2'], issue: 51833 },
  { cve: 'CVE-2026-4282', effect: 'forged authorization codes give admin-capable tokens, without signing in', fixedIn: ['26.2.15', '26.4.11', '26.5.7'], issue: 47719 },
  { cve: 'CVE-2026-7507', effect: 'a prepared login session takes over the account of who follows its link', fixedIn: ['26.2.16', '26.4.12', '26.6.2'], issue: 49111 },
  { cve: 'CVE-2026-7571', effect: 'forged client data brings back the implicit flow that the client has off', fixedIn: ['26.4.12', '26.6.2', '26.7.0'], issue: 49110 },
  { cve: 'CVE-2026-4325', effect: 'used action tokens, password resets among them, work again', fixedIn: ['26.2.15', '26.4.11', '26.5.7'], issue: 47715 },
  { cve: 'CVE-2026-16089', effect: 'an intercepted authorization code is redeemed by another client', fixedIn: ['26.6.7', '26.7.3'], issue: 51003 },
  { cve: 'CVE-2026-9087', effect: 'with an identity provider: a second upstream account uses up the proof of the first and is linked to the person', fixedIn: ['26.4.13', '26.6.3'], issue: 49175 },
];

/** A line of releases in which no fix was made counts as open until a later line brings it. */
export function isFixed(version: string, { fixedIn }: Pick<Hole, 'fixedIn'>): boolean {
  const ofItsLine = fixedIn.find((fixed) => lineOf(fixed) === lineOf(version));
  return compareVersions(version, ofItsLine ?? fixedIn.at(-1) ?? '') >= 0;
}

export function openHoles(version: string): readonly Hole[] {
  return HOLES.filter((hole) => !isFixed(version, hole));
}

function lineOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}
