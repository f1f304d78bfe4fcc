import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runChecks } from '../../bridge/doctor/check.ts';
import { loadDoctorConfig } from '../../bridge/doctor/config.ts';
import { REALM_CHECKS } from '../../bridge/doctor/realm.ts';
import { openView } from '../../bridge/doctor/view.ts';
import { adminOfRealm, realmsAdmin } from '../support/keycloak-admin.ts';
import { SAYS_WHERE } from './support/advice.ts';
import { doctorEnvironment, realmFileAs } from './support/realm-copy.ts';

const NAME = 'partial-import';
/** What the admin console's partial import leaves out, by the check that names it. */
const LEFT_OUT: readonly (readonly [check: string, see: string])[] = [
  ['browser-flow', 'browserFlow "browser" has no trial-expiration-authenticator'],
  ['direct-grant-flow', 'directGrantFlow "direct grant" has no trial-expiration-authenticator'],
  ['reset-credentials-flow', 'resetCredentialsFlow "reset credentials" has no trial-expiration-authenticator'],
  ['registration-flow', 'registrationFlow "registration" has no REQUIRED trial-token-authenticator'],
  ['first-broker-login-flow', '"first broker login" of the realm creates users without an invitation'],
  ['client-policy', 'no enabled policy for any client'],
  ['user-profile', 'trial_stamp is not declared'],
  ['realm-settings', 'registration is off'],
  ['token-lifetimes', 'offline sessions have no longest life'],
  ['scope-mappings', 'the scope of vestibule-proxy lacks the vestibule-bridge role trial-read'],
  ['scope-mappings', 'the scope of vestibule-bridge lacks the realm-management role view-users'],
  ['scope-mappings', 'the scope of vestibule-bridge lacks the vestibule-trials role keep-trials'],
  ['realm-smtp', 'the realm has no mail server'],
  ['invitation-way', 'does not know prompt=create'],
  ['extra-parameters', 'not by the page of the invitation step'],
];

const realms = realmsAdmin();
let findings: readonly { check: string; detail: string; advice: string }[];

beforeAll(async () => {
  await realms.delete(`/${NAME}`).catch(() => {});
  await realms.post('', { realm: NAME, enabled: true });
  await adminOfRealm(NAME).post('/partialImport', { ...realmFileAs(NAME), ifResourceExists: 'OVERWRITE' });
  ({ findings } = await runChecks(REALM_CHECKS, await openView(loadDoctorConfig(doctorEnvironment(NAME)))));
});
afterAll(() => realms.delete(`/${NAME}`));

test.each(LEFT_OUT)('after a partial import the doctor names what is missing: %s: %s', (check, see) => {
  const found = findings.filter((finding) => finding.check === check);
  expect(found.map(({ detail }) => detail).join('\n')).toContain(see);
  expect(found[0]?.advice).toMatch(SAYS_WHERE);
});

test('and nothing that is there', () => {
  expect([...new Set(findings.map(({ check }) => check))].toSorted()).toEqual([...new Set(LEFT_OUT.map(([check]) => check))].toSorted());
});
