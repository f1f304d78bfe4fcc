import { expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { runDoctor } from '../support/doctor.ts';
import { createPerson, freshAddress } from '../support/person.ts';

import { invite, isSignedIn, signUp } from '../support/visitor.ts';

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

test('SECURITY 1, 4: the realm as shipped passes every check of the realm', async () => {
  const { findings, passed, status } = await runDoctor('realm');
  expect({ findings, status }).toEqual({ findings: [], status: 0 });
  expect(passed).toEqual(expect.arrayContaining(['service-account-roles', 'post-broker-flow', 'client-flow-overrides', 'client-policy']));
});
