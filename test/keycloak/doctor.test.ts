import { expect, test } from '@jest/globals';
import { REALM_CHECKS } from '../../bridge/doctor/realm.ts';
import { eventually } from '../support/eventually.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { runDoctor } from '../support/doctor.ts';
import { createPerson, freshAddress } from '../support/person.ts';

import { invite, isSignedIn, signUp } from '../support/visitor.ts';

/** It asks one thing after the other, and this machine may have much to do. */
const LIMIT_MS = 180_000;

test('finds no disagreement after a sign-up, and finds each that is planted', async () => {
  const address = freshAddress('ada');
  expect(isSignedIn((await signUp(await invite(address))).page)).toBe(true);
  const admin = keycloakAdmin();
  const [user] = await admin.get(`/users?${new URLSearchParams({ username: address, exact: 'true' })}`);
  const about = async () => (await runDoctor('consistency')).findings.filter((finding) => finding.subject.includes(user.id));
  await eventually(async () => (await about()).length === 0);

  await admin.put(`/users/${user.id}`, { ...user, attributes: {} });
  expect(await about()).not.toEqual([]);
  await admin.delete(`/users/${user.id}`);
  expect(await about()).not.toEqual([]);
});

test('finds a stamped user that the bridge does not know', async () => {
  const person = await createPerson(['vestibule-proxy'], 3600);
  const admin = keycloakAdmin();
  const [group] = await admin.get('/groups?search=vestibule-trials&exact=true');
  await admin.put(`/users/${person.id}/groups/${group.id}`);
  const { findings, status } = await runDoctor('consistency');
  expect(findings.map((finding) => finding.subject).join()).toContain(person.id);
  expect(status).toBe(1);
  await admin.delete(`/users/${person.id}`);
});

test('SECURITY 1, 4: the realm as shipped, imported at the start, passes every check', async () => {
  const { findings, passed, skipped, status } = await runDoctor('realm');
  expect({ findings, skipped, status }).toEqual({ findings: [], skipped: [], status: 0 });
  expect(passed).toEqual(REALM_CHECKS.map(({ name }) => name));
}, LIMIT_MS);

test('one check can be run by its name', async () => {
  expect((await runDoctor('jar')).passed).toEqual(['jar']);
});

test('without an admin’s password the rest is told all the same', async () => {
  const { findings, passed } = await runDoctor(undefined, { DOCTOR_ADMIN_PASSWORD: '' });
  expect(passed).toEqual(expect.arrayContaining(['clock']));
  expect(findings.find(({ check }) => check === 'realm')?.detail).toContain('Set DOCTOR_ADMIN_USERNAME and DOCTOR_ADMIN_PASSWORD');
});
