import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { newAttempt, newPerson, openBilling, TERMS, type PersonOnWire, type RealmOnWire, type Server, type TestBilling } from './support/billing.ts';

/** Rows that an operator deletes between a page and what is posted from it. */
let billing: TestBilling;
let server: Server;
let realm: RealmOnWire;
let bob: PersonOnWire;
let session_id: string;
let token: string;
let key: string;
let proof: string;
beforeAll(async () => {
  billing = await openBilling();
});
beforeEach(async () => {
  ({ server, realm } = await billing.place());
  bob = newPerson();
  session_id = String((await billing.signIn(server, realm)).body['session_id']);
  token = await billing.access(server, realm, bob);
  await billing.pages('login/mail', { token, email: bob.email });
  key = await billing.keyTo(bob.email);
  proof = String((await billing.pages('login/confirmation', { key })).body['token']);
});
afterAll(() => billing.close());

const remove = async (...statements: ReturnType<typeof sql>[]) => {
  for (const one of statements) await one.execute(billing.db);
};
const ofRequest = () => sql`(select m.id from bridge.billing_mail m join bridge.billing_login_request r on r.id = m.login_request_id where r.realm_id = ${realm.uuid})`;
const removePending = () => remove(sql`delete from bridge.billing_user where realm_id = ${realm.uuid} and state = 'pending'`);
const removeRequests = () =>
  remove(
    sql`delete from bridge.billing_mail_token where mail_id in ${ofRequest()}`,
    sql`delete from bridge.billing_mail where id in ${ofRequest()}`,
    sql`delete from bridge.billing_login_request where realm_id = ${realm.uuid}`,
  );
const removeUsers = () =>
  remove(
    sql`delete from bridge.billing_session where realm_id = ${realm.uuid}`,
    sql`delete from bridge.billing_consent where user_id in (select id from bridge.billing_user where realm_id = ${realm.uuid})`,
    sql`delete from bridge.billing_user where realm_id = ${realm.uuid}`,
  );
const removeRealm = async () => {
  await removeUsers();
  await removeRequests();
  await remove(sql`delete from bridge.remote_realm where id = ${realm.uuid}`);
};
const removeServer = async () => {
  await removeRealm();
  await remove(sql`delete from bridge.remote_server where id = ${server.id}`);
};

const WANTED = { type: 'basic', period: 'month', seats: 10, when: 'now' };
const form = () => ({ attempt: newAttempt(), accepted_terms: TERMS });
const page = (path: string, body: () => object) => [path, () => billing.pages(path, body())] as const;
const support = (path: string, body: () => object) => [`support/${path}`, async () => billing.send(`/api/remote-billing/support/${path}`, { body: body(), headers: { authorization: `Bearer ${await billing.realm.serviceToken('vestibule-proxy', 'support')}` } })] as const;
const ofRealm = () => ({ kind: 'realm', uuid: realm.uuid });
const said = { actor: 'grace', reason: 'They asked.' };

/** Everything that names a row that may be gone. The completed logins come last: they make somebody anew. */
const CALLS = [
  page('login/open', () => ({ token, session_id })),
  page('login/open', () => ({ token: proof })),
  page('login/mail', () => ({ token, email: bob.email })),
  page('login/complete', () => ({ token, ...form() })),
  page('session/read', () => ({ session_id, ...ofRealm() })),
  page('users/list', () => ({ session_id })),
  page('users/deactivate', () => ({ session_id, user_id: session_id })),
  page('account/read', () => ({ session_id })),
  page('account/save', () => ({ session_id })),
  page('plan/quote', () => ({ session_id, ...WANTED })),
  page('plan/agree', () => ({ session_id, ...WANTED, total: 1 })),
  page('plan/seats', () => ({ session_id, seats: 10, total: 0 })),
  page('plan/renewal', () => ({ session_id, renews: false })),
  page('plan/unschedule', () => ({ session_id })),
  page('sponsorship/ask', () => ({ session_id, organization_type: 'x', description: 'x', expected_users: '1', requested_plan: 'community' })),
  page('invoice/read', () => ({ session_id, number: 1 })),
  page('server/deactivate', () => ({ session_id })),
  page('session/end', () => ({ session_id })),
  support('read', ofRealm),
  support('plan/quote', () => ({ ...ofRealm(), ...WANTED })),
  support('plan/change', () => ({ ...ofRealm(), ...said, ...WANTED, total: 1 })),
  support('plan/give', () => ({ ...ofRealm(), ...said, type: 'community' })),
  support('sponsorship/decide', () => ({ ...ofRealm(), ...said, sponsorship_id: session_id, decision: 'approve' })),
  support('plan/end', () => ({ ...ofRealm(), ...said })),
  support('standing', () => ({ kind: 'user', uuid: session_id, ...said, active: false })),
  page('login/confirmation', () => ({ key })),
  page('login/complete', () => ({ token: proof, ...form() })),
  ['server/billing', () => billing.billing(server, realm, bob)] as const,
  ['server/analytics', () => billing.report(server, [realm])] as const,
];

describe.each([
  ['who had only opened a link', removePending],
  ['a request for a mail, with its link', removeRequests],
  ['everybody of a realm', removeUsers],
  ['a realm', removeRealm],
  ['a server', removeServer],
] as const)('%s is deleted between a page and what is posted from it', (_name, vanish) => {
  test('nothing answers 500', async () => {
    await vanish();
    const answers: [string, number][] = [];
    for (const [name, call] of CALLS) answers.push([name, (await call()).status]);
    expect(answers.filter(([, status]) => status >= 500)).toEqual([]);
  });
});

const complete = async () => (await billing.pages('login/complete', { token: proof, ...form() })).body;
const read = async () => (await billing.pages('session/read', { session_id, ...ofRealm() })).body;
const UNKNOWN = { result: 'refused', reason: 'unknown' };

test('whoever only opened a link is made anew: the proof is the same', async () => {
  await removePending();
  expect(await complete()).toMatchObject({ result: 'signed_in', user: { email: bob.email } });
});

test('without the request a link and its proof are unknown', async () => {
  await removeRequests();
  expect([(await billing.pages('login/confirmation', { key })).body, await complete()]).toMatchObject([UNKNOWN, UNKNOWN]);
});

test('without a realm its sessions open nothing, and its server reports it anew', async () => {
  await removeRealm();
  expect([await read(), await complete()]).toMatchObject([{ result: 'unknown' }, UNKNOWN]);
  expect((await billing.billing(server, realm, bob)).body['code']).toBe('MISSING_REMOTE_REALM');
  expect((await billing.report(server, [realm])).status).toBe(200);
});
