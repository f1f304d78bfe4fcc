import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TrialKeeper } from '../../../bridge/keycloak/trial-keeper.ts';
import { keycloakAdmin } from '../../support/keycloak-admin.ts';
import { settings } from '../support/breaking.ts';
import { entryOf, GROUP, groupsOf, keeper, personWith as personIn, removePeople, rolesOf, stampsOf, type Entry } from '../support/keeper.ts';

const CLIENTS = ['vestibule-proxy'];
const NO_ROLES = { grant: [], revoke: [] };
const RIVALS = 20;
const CROWD = 8;
const admin = keycloakAdmin();
let keep: TrialKeeper;

beforeAll(async () => {
  keep = keeper();
  await admin.create('/groups', { name: 'customers' }).catch(() => {});
});
afterAll(removePeople);

const personWith = (entries: readonly Entry[], more: object = {}) => personIn(entries, entries.length === 0 ? more : { groups: [GROUP], ...more });

const write = (id: string, entry: Entry, version: number, roles: { grant: readonly string[]; revoke: readonly string[] } = NO_ROLES) =>
  keep.keepStamp(id, { product: entry.product, entry: JSON.stringify({ ...entry, version }), version, roles });

const begin = (person: { id: string; username: string }, entry: Entry, version: number, { username = person.username, grant = ['trial-user'] }: { username?: string; grant?: string[] } = {}) =>
  keep.beginStamp(person.id, { product: entry.product, entry: JSON.stringify({ ...entry, version }), version, roles: { grant, revoke: [] }, username });

describe('SECURITY 1: the stamp of somebody on trial', () => {
  test('is replaced by a newer one; another product’s stays as it is', async () => {
    const [app, reports] = [entryOf('app', CLIENTS, 60), entryOf('reports', ['reports'], 30)];
    const person = await personWith([app, reports]);
    const longer = { ...app, trial_access_until: 4_000_000_000 };
    expect(await write(person.id, longer, 2)).toBe('held');
    expect(await stampsOf(person)).toEqual([expect.objectContaining({ ...longer, version: 2 }), reports]);
  });

  test('keeps its highest version, whichever comes last', async () => {
    const app = entryOf('app', CLIENTS, 60);
    const person = await personWith([app]);
    expect(await write(person.id, { ...app, state: 'ending' }, 7)).toBe('held');
    expect(await write(person.id, { ...app, state: 'active' }, 6)).toBe('newer');
    expect(await write(person.id, { ...app, state: 'again' }, 7)).toBe('newer');
    expect(await stampsOf(person)).toMatchObject([{ state: 'ending', version: 7 }]);
  });

  test('keeps it when many write at once', async () => {
    const app = entryOf('app', CLIENTS, 60);
    const people = await Promise.all(Array.from({ length: CROWD }, () => personWith([app])));
    // The highest in their midst.
    const versions = Array.from({ length: RIVALS }, (_, index) => ((index + RIVALS / 2) % RIVALS) + 1);
    const results = await Promise.all(people.flatMap(({ id }) => versions.map((version) => write(id, { ...app, state: `v${version}` }, version))));
    for (const person of people) expect(await stampsOf(person)).toEqual([expect.objectContaining({ state: `v${RIVALS}`, version: RIVALS })]);
    expect(new Set(results)).toEqual(new Set(['held', 'newer']));
  });

  test('loses its end when the trial becomes a full account, and stays a mark', async () => {
    const app = entryOf('app', CLIENTS, 60);
    const person = await personWith([app]);
    expect(await write(person.id, { ...app, state: 'converted', trial_ends_at: null, trial_access_until: null }, 3)).toBe('held');
    expect(await stampsOf(person)).toMatchObject([{ state: 'converted', trial_access_until: null, version: 3 }]);
    expect(await groupsOf(person)).toEqual(['/vestibule-trials']);
  });

  test('can’t make an account the trial’s own, nor say which roles it gave', async () => {
    const app = entryOf('app', CLIENTS, 60);
    const person = await personWith([app]);
    await write(person.id, { ...app, made: true, roles: ['staff'] }, 2);
    expect(await stampsOf(person)).toMatchObject([{ made: false, roles: [] }]);
  });
});

describe('SECURITY 1: nobody else’s account is touched', () => {
  test.each([
    ['an ordinary person', {}],
    ['a member of staff', { realmRoles: ['staff'] }],
  ])('%s', async (_, more) => {
    const person = await personWith([], more);
    const before = await admin.get(`/users/${person.id}`);
    expect(await write(person.id, entryOf('app', CLIENTS, 60), 1, { grant: ['trial-user'], revoke: [] })).toBe('not_managed');
    expect(await keep.endSessions(person.id, 'app')).toBe(0);
    expect(await keep.remove(person.id, 'app')).toBe('kept_account');
    expect(await admin.get(`/users/${person.id}`)).toEqual(before);
  });

  test('somebody on trial of another product only', async () => {
    const reports = entryOf('reports', ['reports'], 60);
    const person = await personWith([reports]);
    expect(await write(person.id, entryOf('app', CLIENTS, 60), 1)).toBe('not_managed');
    expect(await stampsOf(person)).toEqual([reports]);
  });

  test('nobody at all', async () => {
    const nobody = '7d9a1c3e-52b4-4f7e-9a60-1f2e3d4c5b6a';
    expect(await write(nobody, entryOf('app', CLIENTS, 60), 1)).toBe('unknown_user');
    expect(await keep.remove(nobody, 'app')).toBe('unknown_user');
  });
});

const giveRole = async ({ id }: { id: string }, role: string) => admin.post(`/users/${id}/role-mappings/realm`, [await admin.get(`/roles/${role}`)]);
const mayManageUsers = async ({ id }: { id: string }) => {
  const [management] = await admin.get('/clients?clientId=realm-management');
  await admin.post(`/users/${id}/role-mappings/clients/${management.id}`, [await admin.get(`/clients/${management.id}/roles/manage-users`)]);
};

describe('SECURITY 1: a trial begins on an account that was there', () => {
  test('beside all that it has: nothing of it changes, and the account is not the trial’s own', async () => {
    const person = await personIn([], { firstName: 'Ada', lastName: 'Lovelace', groups: ['/customers'] });
    await giveRole(person, 'customer');
    const [before, credentials] = [await admin.get(`/users/${person.id}`), await admin.get(`/users/${person.id}/credentials`)];
    const app = entryOf('app', CLIENTS, 60, { made: true, roles: ['customer'] });
    expect(await begin(person, app, 1)).toBe('held');
    expect(await stampsOf(person)).toEqual([{ ...app, version: 1, made: false, roles: ['trial-user'] }]);
    expect([await rolesOf(person), (await groupsOf(person)).toSorted()]).toEqual([expect.arrayContaining(['customer', 'trial-user']), ['/customers', GROUP]]);
    expect([await admin.get(`/users/${person.id}`), await admin.get(`/users/${person.id}/credentials`)]).toEqual([{ ...before, attributes: { trial_stamp: [expect.any(String)] } }, credentials]);

    expect(await keep.remove(person.id, 'app')).toBe('kept_account');
    expect([await rolesOf(person), await groupsOf(person), await stampsOf(person)]).toEqual([['customer'], ['/customers'], []]);
  });

  test('once: repeated it is the same, another one of that product is refused, a later word is kept', async () => {
    const person = await personIn([]);
    const app = entryOf('app', CLIENTS, 60);
    const results = await Promise.all(Array.from({ length: RIVALS }, () => begin(person, app, 1)));
    expect(results.toSorted()).toEqual(['held', ...Array.from({ length: RIVALS - 1 }, () => 'newer')]);
    expect(await begin(person, entryOf('app', CLIENTS, 90), 2)).toBe('other_trial');
    expect(await begin(person, { ...app, state: 'ending' }, 2)).toBe('held');
    expect(await stampsOf(person)).toMatchObject([{ trial_app: app.trial_app, state: 'ending', version: 2 }]);
  });

  test('beside another product’s, which stays to the byte; a role of both stays until the last of them goes', async () => {
    const reports = entryOf('reports', ['reports'], 60, { made: true, roles: ['trial-user'] });
    const person = await personWith([reports]);
    await admin.post(`/users/${person.id}/role-mappings/realm`, [await admin.get('/roles/trial-user')]);
    expect(await begin(person, entryOf('app', CLIENTS, 60), 1)).toBe('held');
    expect((await stampsOf(person))[0]).toEqual(reports);
    expect([await keep.remove(person.id, 'reports'), await rolesOf(person)]).toEqual(['kept_account', ['trial-user']]);
    // Trials made this account, and this is the last of them.
    expect(await keep.remove(person.id, 'app')).toBe('removed');
  });

  test('a role that somebody gave before is not the trial’s to take', async () => {
    const person = await personIn([]);
    await admin.post(`/users/${person.id}/role-mappings/realm`, [await admin.get('/roles/trial-user')]);
    const app = entryOf('app', CLIENTS, 60);
    await begin(person, app, 1);
    await write(person.id, { ...app, state: 'converted' }, 2, { grant: [], revoke: ['trial-user'] });
    expect([await rolesOf(person), await stampsOf(person)]).toMatchObject([['trial-user'], [{ roles: [] }]]);
    await keep.remove(person.id, 'app');
    expect(await rolesOf(person)).toEqual(['trial-user']);
  });

  test.each<[string, object, { username?: string }, ((person: { id: string }) => Promise<unknown>)?]>([
    ['disabled', { enabled: false }, {}],
    ['without proof of its address', { emailVerified: false }, {}],
    ['of another address', {}, { username: 'somebody.else@example.com' }],
    ['that administers the realm', {}, {}, mayManageUsers],
    ['of staff', {}, {}, (person) => giveRole(person, 'staff')],
  ])('but not on one %s', async (_, more, wish, prepare = () => Promise.resolve()) => {
    const person = await personIn([], more);
    await prepare(person);
    expect(await begin(person, entryOf('app', CLIENTS, 60), 1, wish)).toBe('not_eligible');
    expect([await stampsOf(person), (await rolesOf(person)).includes('trial-user'), await groupsOf(person)]).toEqual([[], false, []]);
  });

  test('nor on one with another role that an administrator keeps from trials', async () => {
    const person = await personIn([]);
    await giveRole(person, 'customer');
    const undo = await settings('vestibule registration', 'trial-token-form-action', { excludedRoles: 'gone##customer' })(admin);
    expect(await begin(person, entryOf('app', CLIENTS, 60), 1).finally(undo)).toBe('not_eligible');
    expect(await begin(person, entryOf('app', CLIENTS, 60), 1)).toBe('held');
  });

  test('nor with a role beyond the allow-list, nor for nobody', async () => {
    const person = await personIn([]);
    await expect(begin(person, entryOf('app', CLIENTS, 60), 1, { grant: ['staff'] })).rejects.toMatchObject({ message: expect.stringContaining('role_not_allowed') });
    expect([await stampsOf(person), await rolesOf(person), await groupsOf(person)]).toEqual([[], [], []]);
    expect(await begin({ id: '7d9a1c3e-52b4-4f7e-9a60-1f2e3d4c5b6a', username: person.username }, entryOf('app', CLIENTS, 60), 1)).toBe('unknown_user');
  });
});

describe('SECURITY 2: roles', () => {
  test('of the allow-list are given, written down, and taken again', async () => {
    const app = entryOf('app', CLIENTS, 60);
    const person = await personWith([app]);
    await write(person.id, app, 2, { grant: ['trial-user'], revoke: [] });
    expect([await rolesOf(person), await stampsOf(person)]).toMatchObject([['trial-user'], [{ roles: ['trial-user'] }]]);
    await write(person.id, app, 3, { grant: [], revoke: ['trial-user'] });
    expect([await rolesOf(person), await stampsOf(person)]).toMatchObject([[], [{ roles: [] }]]);
  });

  test.each(['staff', 'gone'])('others fail the call, and nothing changes: %s', async (role) => {
    const app = entryOf('app', CLIENTS, 60);
    const person = await personWith([app]);
    await expect(write(person.id, { ...app, state: 'ending' }, 2, { grant: ['trial-user', role], revoke: [] })).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('role_not_allowed') });
    expect([await rolesOf(person), await stampsOf(person)]).toEqual([[], [app]]);
  });

  test('that another trial gave as well stay', async () => {
    const app = entryOf('app', CLIENTS, 60, { roles: ['trial-user'] });
    const person = await personWith([app, entryOf('reports', ['reports'], 60, { roles: ['trial-user'] })]);
    await admin.post(`/users/${person.id}/role-mappings/realm`, [await admin.get('/roles/trial-user')]);
    await write(person.id, app, 2, { grant: [], revoke: ['trial-user'] });
    expect(await rolesOf(person)).toEqual(['trial-user']);
  });

  test('that a program’s group gives are taken by leaving it for the one above', async () => {
    const app = entryOf('app', CLIENTS, 60, { made: true, roles: [] });
    const person = await personWith([app], { groups: ['/vestibule-trials/app'] });
    expect(await rolesOf(person)).toEqual(['trial-user']);
    await write(person.id, app, 2, { grant: [], revoke: ['trial-user'] });
    expect([await rolesOf(person), await groupsOf(person)]).toEqual([[], ['/vestibule-trials']]);
  });
});

describe('removing a trial', () => {
  test('deletes an account that it made, with nothing else on it', async () => {
    const person = await personWith([entryOf('app', CLIENTS, 60, { made: true, roles: ['trial-user'] })]);
    await admin.post(`/users/${person.id}/role-mappings/realm`, [await admin.get('/roles/trial-user')]);
    expect(await keep.remove(person.id, 'app')).toBe('removed');
    expect(await keep.remove(person.id, 'app')).toBe('unknown_user');
  });

  test.each<[string, Entry[], object]>([
    ['it did not make', [entryOf('app', CLIENTS, 60, { roles: ['trial-user'] })], {}],
    ['of a release that did not write down who made it', [entryOf('app', CLIENTS, 60)], {}],
    ['of another group too', [entryOf('app', CLIENTS, 60, { made: true, roles: ['trial-user'] })], { groups: ['/vestibule-trials', '/customers'] }],
  ])('keeps an account that %s, without a trace of the trial', async (_, entries, more) => {
    const person = await personWith(entries, more);
    await admin.post(`/users/${person.id}/role-mappings/realm`, [await admin.get('/roles/trial-user')]);
    expect(await keep.remove(person.id, 'app')).toBe('kept_account');
    expect([await stampsOf(person), await rolesOf(person), (await groupsOf(person)).filter((path) => path !== '/customers')]).toEqual([[], [], []]);
  });

  test('keeps an account that has a role beside the trial’s', async () => {
    const person = await personWith([entryOf('app', CLIENTS, 60, { made: true, roles: [] })]);
    await admin.post(`/users/${person.id}/role-mappings/realm`, [await admin.get('/roles/staff')]);
    expect(await keep.remove(person.id, 'app')).toBe('kept_account');
    expect([await stampsOf(person), await rolesOf(person)]).toEqual([[], ['staff']]);
  });

  test('keeps an account that is on trial of another product, with that one’s stamp, role and group', async () => {
    const reports = entryOf('reports', ['reports'], 60, { roles: ['trial-user'] });
    const person = await personWith([entryOf('app', CLIENTS, 60, { made: true, roles: ['trial-user'] }), reports]);
    await admin.post(`/users/${person.id}/role-mappings/realm`, [await admin.get('/roles/trial-user')]);
    expect(await keep.remove(person.id, 'app')).toBe('kept_account');
    expect([await stampsOf(person), await rolesOf(person), await groupsOf(person)]).toEqual([[{ ...reports, version: 0, made: true }], ['trial-user'], ['/vestibule-trials']]);
  });
});
