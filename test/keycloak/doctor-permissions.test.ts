import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { adminPermissionChecks } from '../../bridge/doctor/admin-permissions.ts';
import { runChecks } from '../../bridge/doctor/check.ts';
import { loadDoctorConfig } from '../../bridge/doctor/config.ts';
import { openView } from '../../bridge/doctor/view.ts';
import { byClientId, serviceAccount } from './support/breaking.ts';
import { copyRealm, doctorEnvironment, type RealmCopy } from './support/realm-copy.ts';

let copy: RealmCopy;
let authz: string;
let groups: Record<string, string>;
let policies: Record<'bridge' | 'person', string>;

beforeAll(async () => {
  copy = await copyRealm('doctor-permissions');
  const { admin } = copy;
  await admin.put('', { ...(await admin.get('')), adminPermissionsEnabled: true });
  authz = `/clients/${(await byClientId(admin, 'admin-permissions')).id}/authz/resource-server`;
  const trials = (await admin.get('/group-by-path/vestibule-trials')).id;
  groups = { trials, beneath: await admin.create(`/groups/${trials}/children`, { name: 'beneath' }), other: await admin.create('/groups', { name: 'other' }) };
  const account = await admin.get(`/clients/${(await byClientId(admin, 'vestibule-bridge')).id}/service-account-user`);
  const person = await admin.create('/users', { username: 'lead@example.com', email: 'lead@example.com' });
  policies = { bridge: await userPolicy('the bridge', account.id), person: await userPolicy('a lead', person) };
});
afterAll(() => copy.remove());

async function userPolicy(name: string, userId: string): Promise<string> {
  await copy.admin.post(`${authz}/policy/user`, { name, users: [userId], logic: 'POSITIVE' });
  return (await copy.admin.get(`${authz}/policy/search?name=${encodeURIComponent(name)}`)).id;
}

interface Permission {
  resourceType: string;
  scopes: string[];
  /** By the names above; all of that type when there is none. */
  groups?: string[];
  users?: string[];
  who: 'bridge' | 'person';
}

/** The findings with a permission in place. */
async function withPermission({ resourceType, scopes, groups: names, who }: Permission, known: string): Promise<string[]> {
  const resources = names?.map((name) => groups[name]);
  await copy.admin.post(`${authz}/permission/scope`, { name: 'planted', resourceType, scopes, ...(resources && { resources }), policies: [policies[who]] });
  const [planted] = await copy.admin.get(`${authz}/permission?name=planted`);
  return findings(known).finally(() => copy.admin.delete(`${authz}/permission/scope/${planted.id}`));
}

async function findings(known = ''): Promise<string[]> {
  const view = await openView(loadDoctorConfig(doctorEnvironment(copy.name, { DOCTOR_KNOWN_ADMINS: known })));
  return (await runChecks(adminPermissionChecks, view)).findings.map(({ detail }) => detail);
}

describe('SECURITY 1: a fine-grained permission', () => {
  test.each<[string, Permission, string, string]>([
    ['of the bridge over its group', { resourceType: 'Groups', scopes: ['manage-members'], groups: ['trials'], who: 'bridge' }, '', ''],
    ['of the bridge over a group beneath it', { resourceType: 'Groups', scopes: ['manage-members', 'manage-membership'], groups: ['beneath'], who: 'bridge' }, '', ''],
    ['of the bridge to look at all users', { resourceType: 'Users', scopes: ['view'], who: 'bridge' }, '', ''],
    ['of the bridge over another group too', { resourceType: 'Groups', scopes: ['manage-members'], groups: ['beneath', 'other'], who: 'bridge' }, '', 'lets vestibule-bridge manage-members beyond'],
    ['of the bridge over all groups', { resourceType: 'Groups', scopes: ['manage-members'], who: 'bridge' }, '', 'lets vestibule-bridge manage-members beyond'],
    ['of the bridge over all users', { resourceType: 'Users', scopes: ['manage'], who: 'bridge' }, '', 'lets vestibule-bridge manage beyond'],
    ['of the bridge over all users, called known', { resourceType: 'Users', scopes: ['manage'], who: 'bridge' }, 'planted', 'lets vestibule-bridge manage beyond'],
    ['of somebody over all users', { resourceType: 'Users', scopes: ['reset-password'], who: 'person' }, '', 'lets somebody reset-password beyond'],
    ['of somebody who is known', { resourceType: 'Users', scopes: ['reset-password'], who: 'person' }, 'planted', ''],
  ])('%s', async (_, permission, known, see) => {
    const found = await withPermission(permission, known);
    expect(found.join('\n')).toContain(see);
    expect(found).toHaveLength(see === '' ? 0 : 1);
  });
});

test('a program that may ask for accounts needs the bridge’s permission to make them', async () => {
  const standing = (await copy.admin.get(`${authz}/permission`)) as { id: string }[];
  for (const { id } of standing) await copy.admin.delete(`${authz}/permission/scope/${id}`);
  const undo = await serviceAccount('vestibule-proxy', { client: 'vestibule-bridge', role: 'trial-create' })(copy.admin);
  expect(await findings()).toEqual(['service-account-vestibule-proxy may ask for accounts (trial-create), and vestibule-bridge may not make them']);
  expect(await withPermission({ resourceType: 'Groups', scopes: ['manage-members'], groups: ['beneath'], who: 'bridge' }, '')).toEqual([]);
  await undo();
  expect(await findings()).toEqual([]);
});
