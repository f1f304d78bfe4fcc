import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { changesSince, keepOrigin, originOf, realmFileFor, realmVariables, variablesIn } from '../../dev/realm.ts';

const REALM = '{"a": "${CLIENT_SECRET}", "b": "${SMTP_AUTH:false}", "c": "${username}", "d": "${CLIENT_SECRET}"}';

describe('the variables of a realm file', () => {
  test('are those in capitals; a default makes one optional', () => {
    expect(variablesIn(REALM)).toEqual([
      { name: 'CLIENT_SECRET', required: true },
      { name: 'SMTP_AUTH', required: false },
    ]);
  });

  test.each([[{}], [{ CLIENT_SECRET: '' }]])('refuse a start while one is unset: %j', (env) => {
    expect(() => realmVariables(REALM, env)).toThrow('realm-export.json needs CLIENT_SECRET, not set: set it in the environment');
  });

  test('are handed on alone, without the rest of the environment', () => {
    expect(realmVariables(REALM, { CLIENT_SECRET: 's', HOME: '/root' })).toEqual({ CLIENT_SECRET: 's' });
  });
});

test.each([
  ['26.0.8', [undefined, ['vestibule-proxy', 'vestibule-bridge', 'vestibule-trials']]],
  ['26.2.0', [true, ['vestibule-proxy', 'vestibule-bridge', 'vestibule-trials', 'admin-permissions']]],
  ['26.10.1', [true, ['vestibule-proxy', 'vestibule-bridge', 'vestibule-trials', 'admin-permissions']]],
])('Keycloak %s gets the realm file with the admin permissions it knows', (version, expected) => {
  const realm = JSON.parse(realmFileFor(version, readFileSync('realm-export.json', 'utf8')));
  expect([realm.adminPermissionsEnabled, realm.clients.map(({ clientId }: { clientId: string }) => clientId)]).toEqual(expected);
});

describe('what a realm was made from', () => {
  const origin = originOf(REALM, 'jar', { A: '1', B: '2' });
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vestibule-realm-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('is unknown in a new folder', () => {
    expect(changesSince(folder, origin)).toBeUndefined();
  });

  test('is the same again, whatever the order of the variables', () => {
    keepOrigin(folder, origin);
    expect(changesSince(folder, originOf(REALM, 'jar', { B: '2', A: '1' }))).toEqual([]);
  });

  test.each([
    ['realm-export.json', originOf(`${REALM} `, 'jar', { A: '1', B: '2' })],
    ['the provider jar', originOf(REALM, 'another jar', { A: '1', B: '2' })],
    ['the variables of the realm file', originOf(REALM, 'jar', { A: '1', B: '3' })],
  ])('differs by %s, and names it', (part, changed) => {
    keepOrigin(folder, origin);
    expect(changesSince(folder, changed)).toEqual([part]);
  });
});
