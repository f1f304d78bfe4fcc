import { HOLES, openHoles } from './holes.ts';
import { wayToForm } from './versions.ts';

export interface MatrixResult {
  version: string;
  passed: number;
  failed: number;
  /** Names of the tests that failed, or why none ran. */
  faults: readonly string[];
}

/** docs/versions.md. */
export function versionsPage(results: readonly MatrixResult[], { date, jar }: { date: string; jar: string }): string {
  return `# Keycloak versions

Made by \`npm run test:matrix\` on ${date}, with one and the same jar (sources ${jar}) and realm file on each. What a run holds is [test/matrix/journey.test.ts](../test/matrix/journey.test.ts).

${versionsTable(results)}

*Runs, but unsafe*: everything of ours works there, and that release of Keycloak has known holes that reach a realm made from our file. Take a release without.

| hole | what it opens | fixed in |
| --- | --- | --- |
${HOLES.map(({ cve, effect, fixedIn, issue }) => `| ${cve} | ${effect} | ${fixedIn.join(', ')} ([#${issue}](https://github.com/keycloak/keycloak/issues/${issue})) |`).join('\n')}

A line of releases without a fix of its own is counted as open. Looked at, and not counted, because our realm file does not have what they need: CVE-2026-7504 (wildcard redirect addresses), CVE-2026-16102 (client registration open to others), CVE-2025-7365 (*review profile* in the first-broker-login flow), CVE-2026-94000 (a group with admin roles and a service account with \`manage-users\`; not fixed in 26.7.5), CVE-2026-88770 and CVE-2026-16103 (device and CIBA grants). We found no word on whether FreeMarker's CVE-2026-84939, fixed in 26.7.5, can be reached through Keycloak's pages: prefer 26.7.5 to 26.7.4.
`;
}

export function versionsTable(results: readonly MatrixResult[]): string {
  return ['| version | runs | notes |', '| --- | --- | --- |', ...results.map((result) => `| ${result.version} | ${verdict(result)} | ${notes(result)} |`)].join('\n');
}

const BETWEEN_MARKS = /(?<=<!-- versions -->\n)[\s\S]*(?=<!-- end of versions -->)/;

/** README.md with what was found, in short. */
export function withVersions(readme: string, results: readonly MatrixResult[]): string {
  const table = ['| Keycloak | runs |', '| --- | --- |', ...results.map((result) => `| ${result.version} | ${verdict(result)} |`)];
  return readme.replace(BETWEEN_MARKS, () => `${table.join('\n')}\n`);
}

export function verdict({ version, failed, passed }: MatrixResult): string {
  if (failed > 0 || passed === 0) return 'no';
  return openHoles(version).length > 0 ? 'runs, but unsafe' : 'yes';
}

function notes({ version, passed, failed, faults }: MatrixResult): string {
  const holes = openHoles(version).map(({ cve }) => cve);
  return [
    wayToForm(version).description,
    failed > 0 || passed === 0 ? `${failed} of ${passed + failed} fail: ${faults.join('; ')}` : `${passed} of ${passed} pass`,
    ...(holes.length > 0 ? [`open: ${holes.join(', ')}`] : []),
  ].join('. ');
}
