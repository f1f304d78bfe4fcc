import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { hashOfSources } from '../../dev/jar.ts';
import { HOLES, isFixed, openHoles } from '../matrix/holes.ts';
import { verdict, versionsTable, withVersions } from '../matrix/table.ts';
import { compareVersions, newerRelease, VERSIONS, wayToForm } from '../matrix/versions.ts';

describe('a hole', () => {
  const hole = { fixedIn: ['26.2.15', '26.4.11', '26.5.7'] };

  test.each([
    ['26.4.10', false],
    ['26.4.11', true],
    ['26.4.12', true],
    ['26.5.6', false],
    ['26.0.8', false],
    // A line between, in which nobody fixed it.
    ['26.3.5', false],
    ['26.6.0', true],
    ['27.0.0', true],
  ])('in %s is fixed: %j', (version, fixed) => {
    expect(isFixed(version, hole)).toBe(fixed);
  });

  test('has its fixes in the order of the releases', () => {
    for (const { cve, fixedIn } of HOLES) expect([cve, fixedIn]).toEqual([cve, fixedIn.toSorted(compareVersions)]);
  });
});

// SECURITY.md 28
test('26.7.4 has none of the holes, 26.6.4 the one of the reset-credentials flow', () => {
  expect(openHoles('26.7.4')).toEqual([]);
  expect(openHoles('26.6.4').map(({ cve }) => cve)).toContain('CVE-2026-18963');
});

// SECURITY.md 28
test.each([
  [{ version: '26.7.4', passed: 3, failed: 0, faults: [] }, 'yes'],
  [{ version: '26.0.8', passed: 3, failed: 0, faults: [] }, 'runs, but unsafe'],
  [{ version: '26.0.8', passed: 2, failed: 1, faults: ['a'] }, 'no'],
  [{ version: '26.7.4', passed: 0, failed: 0, faults: [] }, 'no'],
])('the verdict over %j is %s', (result, expected) => {
  expect(verdict(result)).toBe(expected);
});

test('a failure is named in its row', () => {
  expect(versionsTable([{ version: '26.7.4', passed: 1, failed: 1, faults: ['a refresh'] }])).toContain('| 26.7.4 | no | `prompt=create` by PAR. 1 of 2 fail: a refresh |');
});

describe('the tables that were written', () => {
  const readme = readFileSync('README.md', 'utf8');
  const found = [...readFileSync('docs/versions.md', 'utf8').matchAll(/^\| (\d+\.\d+\.\d+) \| (.+?) \| .*?(\d+) of (\d+) (pass|fail)/gm)].map(([, version = '', said = '', some, all, what]) => {
    const failed = what === 'fail' ? Number(some) : 0;
    return { said, version, passed: Number(all) - failed, failed, faults: [] };
  });

  test('have every version that is tried, oldest first', () => {
    expect(found.map(({ version }) => version)).toEqual(expect.arrayContaining([...VERSIONS]));
    expect(found.map(({ version }) => version)).toEqual(found.map(({ version }) => version).toSorted(compareVersions));
  });

  test.each(found)('docs/versions.md says of $version what its run and the holes say: $said', ({ said, ...result }) => {
    expect(said).toBe(verdict(result));
  });

  test('README.md says the same as docs/versions.md', () => {
    expect(readme).toContain('<!-- versions -->\n');
    expect(withVersions(readme, found)).toBe(readme);
  });
});

test('Maven’s metadata adds the newest release, not a candidate, and only when it is newer', () => {
  const metadata = ['26.7.4', '26.10.0', '26.9.9', '27.0.0.Beta1'].map((version) => `<version>${version}</version>`).join('');
  expect(newerRelease(metadata, '26.7.5')).toBe('26.10.0');
  expect(newerRelease('<version>26.7.3</version>', '26.7.5')).toBeUndefined();
});

test('each version is led to the form in the way that it understands', () => {
  expect(VERSIONS.map((version) => Object.keys(wayToForm(version).env).length)).toEqual([2, 1, 1, 1, 1, 0, 0]);
  expect(VERSIONS.toSorted(compareVersions)).toEqual([...VERSIONS]);
});

/** When it fails: `npm run test:matrix`. */
test('the table is of the jar as it is now', () => {
  const [, sources] = /\(sources ([0-9a-f]{12})\)/.exec(readFileSync('docs/versions.md', 'utf8')) ?? [];
  expect(sources).toBe(hashOfSources(join(import.meta.dirname, '..', '..', 'keycloak')).slice(0, 12));
});
