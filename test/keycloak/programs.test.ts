import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { runDoctor } from '../support/doctor.ts';
import { eventually } from '../support/eventually.ts';
import { httpBrowser } from '../../platform/http-browser.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { freshAddress } from '../support/person.ts';
import { openProgram, type Program } from '../support/program.ts';
import { logOf, queryDatabase, stack } from '../support/stack.ts';
import { invite, isSignedIn, submitForm } from '../support/visitor.ts';

const PASSWORD = 'a pass phrase for programs 0815';
const admin = keycloakAdmin();

let program: Program;
let address: string;
let token: string;
let link: string;
beforeAll(async () => {
  program = await openProgram();
});
afterAll(() => program.remove());
beforeEach(async () => {
  address = freshAddress('ada');
  link = await invite(address);
  token = new URL(link).searchParams.get('invitation_token')!;
});

const users = (username: string): Promise<{ id: string; attributes: Record<string, string[]> }[]> => admin.get(`/users?${new URLSearchParams({ username, exact: 'true' })}`);
const states = async () => (await queryDatabase('select state, made_by from bridge.registration where address = $1 order by attempted_at', [address])).map(({ state }) => state);
const signIn = async (password = PASSWORD) => {
  const browser = httpBrowser();
  const form = await browser.get(`${stack().proxy}/api/login`);
  return isSignedIn(await browser.submit(form.form('kc-form-login'), { username: address, password }));
};
/** About this address: other tests leave disagreements behind. */
const doctorFinds = async () => {
  const attempts = await queryDatabase('select attempt_id, user_id from bridge.registration where address = $1', [address]);
  const names = [address, ...attempts.flatMap(({ attempt_id, user_id }) => [attempt_id, user_id]), ...(await users(address)).map(({ id }) => id)].filter(Boolean).map(String);
  return (await runDoctor('consistency')).findings.filter(({ subject }) => names.some((name) => subject.includes(name)));
};

describe('a program with trial-create', () => {
  test('makes the account with its trial, stamp, group and role, and the person signs in with the password', async () => {
    const { status, body } = await program.create({ token, password: PASSWORD });
    expect({ status, body }).toMatchObject({ status: 200, body: { username: address, product: 'app', app: { name: 'Trial workspace' } } });
    expect(JSON.stringify(body)).not.toContain('stamp');
    const [user] = await users(address);
    const stamp = JSON.parse(user!.attributes['trial_stamp']![0]!);
    expect([user!.id, stamp.trial_app, stamp.trial_access_until]).toEqual([body['user_id'], (body['app'] as { id: string }).id, body['trial_access_until']]);
    expect((await admin.get(`/users/${user!.id}/groups`)).map((group: { path: string }) => group.path)).toEqual(['/vestibule-trials/app']);
    expect((await admin.get(`/users/${user!.id}/role-mappings/realm/composite`)).map((role: { name: string }) => role.name)).toContain('trial-user');
    expect(await signIn()).toBe(true);
    expect(await states()).toEqual(['confirmed']);
    expect(await doctorFinds()).toEqual([]);
  });

  test('twenty times at once makes one account and gets one answer', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => program.create({ token, password: PASSWORD })));
    expect(answers.map(({ status, body }) => [status, body['code']])).toEqual(answers.map(() => [200, undefined]));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(await users(address)).toHaveLength(1);
    expect(await program.create({ token, password: PASSWORD })).toEqual(answers[0]);
  });

  test('is told by Keycloak what is wrong with a password, and another one works at once', async () => {
    const refused = await program.create({ token, password: 'short' });
    expect(refused).toMatchObject({ status: 422, type: expect.stringContaining('application/problem+json'), body: { code: 'password_refused', field: 'password', detail: expect.stringContaining('minimum length 10') } });
    const named = await program.create({ token, password: address });
    expect(named).toMatchObject({ status: 422, body: { code: 'password_refused' } });
    expect([await users(address), await states()]).toEqual([[], ['released']]);
    expect((await program.create({ token, password: PASSWORD })).status).toBe(200);
    expect(await states()).toEqual(['confirmed']);
  });

  test('is told which name Keycloak refuses', async () => {
    const refused = await program.create({ token, password: PASSWORD, first_name: '<script>' });
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_request', field: 'first_name' } });
    expect(await users(address)).toEqual([]);
  });
});

describe('SECURITY 5: somebody who has the address', () => {
  test.each([
    ['proved it', true],
    ['never proved it', false],
  ])('and %s stays as he is', async (_name, emailVerified) => {
    const id = await admin.create('/users', { username: address, email: address, emailVerified, enabled: true, credentials: [{ type: 'password', value: 'his own pass phrase' }] });
    const before = await admin.get(`/users/${id}`);
    expect(await program.create({ token, password: PASSWORD })).toMatchObject({ status: 409, body: { code: 'account_exists' } });
    expect(await admin.get(`/users/${id}`)).toEqual(before);
    expect(await states()).toEqual(['released']);
    expect(await signIn()).toBe(false);
  });

  test('and is gone later: the same request works', async () => {
    const id = await admin.create('/users', { username: address, email: address, emailVerified: true, enabled: true });
    expect((await program.create({ token, password: PASSWORD })).status).toBe(409);
    await admin.delete(`/users/${id}`);
    expect((await program.create({ token, password: PASSWORD })).status).toBe(200);
  });
});

test('two programs at once: one account, and the other is told', async () => {
  const other = await openProgram();
  const answers = await Promise.all([program, other].flatMap((one) => [one, one, one]).map((one) => one.create({ token, password: PASSWORD })));
  await other.remove();
  expect(await users(address)).toHaveLength(1);
  expect(answers.map(({ status }) => status)).toContain(200);
  expect(answers.filter(({ status }) => status !== 200).map(({ body }) => body['code']).filter((code) => !['account_exists', 'invitation_spent', 'attempt_conflict'].includes(String(code)))).toEqual([]);
  await eventually(async () => (await states()).filter((state) => state === 'confirmed').length === 1);
  expect(await doctorFinds()).toEqual([]);
});

test.each([1, 2, 3])('a browser and a program at once: one account (%i)', async () => {
  const browser = httpBrowser();
  const form = await browser.get(link);
  const [page, answer] = await Promise.all([submitForm(browser, form), program.create({ token, password: PASSWORD })]);
  expect(await users(address)).toHaveLength(1);
  expect([isSignedIn(page), answer.status === 200].filter(Boolean)).toHaveLength(1);
  expect([undefined, 'account_exists', 'invitation_spent']).toContain(answer.body['code']);
  await eventually(async () => (await states()).includes('confirmed'), 20_000);
  expect(await doctorFinds()).toEqual([]);
});

test('SECURITY 14: the password stands in no log, table or queue', async () => {
  const password = `never written down ${randomUUID()}`;
  expect((await program.create({ token, password })).status).toBe(200);
  const refused = `no${randomUUID().slice(0, 6)}`;
  const second = new URL(await invite(freshAddress('bob'))).searchParams.get('invitation_token')!;
  expect((await program.create({ token: second, password: refused })).status).toBe(422);
  const logs = (['bridge', 'proxy', 'keycloak'] as const).map(logOf).join('\n');
  const tables = await queryDatabase(`select format('%I.%I', table_schema, table_name) as name from information_schema.tables where table_schema in ('bridge', 'proxy', 'graphile_worker') and table_type = 'BASE TABLE'`);
  const rows = await Promise.all(tables.map(({ name }) => queryDatabase(`select t::text as row from ${String(name)} t`)));
  const written = `${logs}\n${JSON.stringify(rows)}`;
  expect(written).toContain(address);
  expect([password, refused, token].filter((one) => written.includes(one))).toEqual([]);
});
