/** What `npm run test:matrix` boots, oldest first; Maven's metadata may add one that is newer. */
export const VERSIONS = ['26.0.8', '26.3.5', '26.4.7', '26.5.6', '26.6.4', '26.7.4', '26.7.5'] as const;

/** How the proxy leads to the form: it depends on what that Keycloak understands. */
export interface WayToForm {
  description: string;
  /** Settings of the proxy. */
  env: Readonly<Record<string, string>>;
}

export function wayToForm(version: string): WayToForm {
  if (compareVersions(version, '26.1.0') < 0) {
    return { description: '`/registrations` (no `prompt=create` yet): `INVITATION_ENDPOINT=registrations`', env: { INVITATION_BY_PAR: 'false', INVITATION_ENDPOINT: 'registrations' } };
  }
  if (compareVersions(version, '26.7.0') < 0) return { description: '`prompt=create` by query: `INVITATION_BY_PAR=false`', env: { INVITATION_BY_PAR: 'false' } };
  return { description: '`prompt=create` by PAR', env: {} };
}

export function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** Of the `<version>` elements of a maven-metadata.xml: the newest release above `known`. */
export function newerRelease(metadata: string, known: string): string | undefined {
  const releases = [...metadata.matchAll(/<version>(\d+\.\d+\.\d+)<\/version>/g)].map(([, version = '']) => version);
  return releases.filter((version) => compareVersions(version, known) > 0).toSorted(compareVersions).at(-1);
}
