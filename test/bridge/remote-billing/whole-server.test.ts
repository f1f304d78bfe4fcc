import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { newAttempt, newPerson, openBilling, TERMS, type RealmOnWire, type Server, type TestBilling } from './support/billing.ts';

let billing: TestBilling;
let server: Server;
let realm: RealmOnWire;
let email: string;
beforeAll(async () => {
  billing = await openBilling();
});
beforeEach(async () => {
  ({ server, realm } = await billing.place());
  ({ email } = newPerson());
});
afterAll(() => billing.close());

const login = async (more: object = {}) => (await billing.pages('server-login/open', { zulip_org_id: server.id, zulip_org_key: server.key, ...more })).body;
const complete = async (token: unknown, more: object = {}) => (await billing.pages('login/complete', { token, attempt: newAttempt(), accepted_terms: TERMS, ...more })).body;
const proof = async (address = email, more: object = {}) => {
  await billing.pages('login/mail', { token: (await login(more))['token'], email: address });
  return String((await billing.pages('login/confirmation', { key: await billing.keyTo(address) })).body['token']);
};
const read = async (sessionId: unknown, kind: 'realm' | 'server', uuid: string, page?: string) => (await billing.pages('session/read', { session_id: sessionId, kind, uuid, ...(page ? { page } : {}) })).body;

describe('a whole server', () => {
  test('is signed in to with its key, an address, and the confirmation', async () => {
    const place = { kind: 'server', uuid: server.id, host: server.hostname, host_verified: false, name: server.hostname, server_uuid: server.id };
    const first = await login({ next_page: 'deactivate' });
    expect(first).toMatchObject({ result: 'email_form', place });
    expect((await billing.pages('login/open', { token: first['token'] })).body).toMatchObject({ result: 'email_form', email: '' });
    expect(await complete(first['token'])).toEqual({ result: 'not_proven' });
    await billing.pages('login/mail', { token: first['token'], email });
    await billing.settled();
    expect(billing.inbox.messages()[0]!.links[0]).toMatch(/^http:\/\/billing\.test\/serverlogin\/do_confirm\/[a-z2-7]{24}\?lang=en$/);
    const proven = (await billing.pages('login/confirmation', { key: await billing.keyTo(email) })).body;
    expect(proven).toMatchObject({ result: 'proven', kind: 'server' });
    expect((await billing.pages('login/open', { token: proven['token'] })).body).toMatchObject({ result: 'confirm_login', email, first_login: true, place });
    expect(await complete(proven['token'], { full_name: 'Ada' })).toMatchObject({ result: 'signed_in', user: { email, full_name: 'Ada' }, next_page: 'deactivate', next_path: `/server/${server.id}/deactivate/` });
  });

  test('knows its people by their address: they come back as the same, and prove it each time', async () => {
    const first = await complete(await proof());
    const again = await login();
    expect((await billing.pages('login/open', { token: again['token'] })).body).toMatchObject({ result: 'email_form' });
    const second = await complete(await proof(), { accepted_terms: undefined });
    expect(second).toMatchObject({ result: 'signed_in', user: first['user'] });
  });

  test('takes id and key as they were pasted', async () => {
    expect(await login({ zulip_org_id: ` ${server.id.toUpperCase()} `, zulip_org_key: `${server.key}\u00a0` })).toMatchObject({ result: 'email_form' });
  });

  test('keeps the terms at every consent', async () => {
    await complete(await proof());
    await complete(await proof(newPerson().email));
    const rows = await billing.db.selectFrom('bridge.billing_consent as c').innerJoin('bridge.billing_user as u', 'u.id', 'c.user_id').select('c.version').where('u.server_id', '=', server.id).execute();
    expect(rows).toEqual([{ version: TERMS }, { version: TERMS }]);
  });

  test('refuses somebody who was deactivated, before a mail', async () => {
    await complete(await proof());
    await billing.db.updateTable('bridge.billing_user').set({ state: 'deactivated' }).where('server_id', '=', server.id).execute();
    const { token } = await login();
    expect((await billing.pages('login/mail', { token, email })).body).toMatchObject({ result: 'refused', reason: 'deactivated' });
  });

  test('is no way into its realms, nor one of its realms into it', async () => {
    const { session_id: whole } = await complete(await proof());
    const { body } = await billing.signIn(server, realm);
    expect(await read(whole, 'server', server.id)).toMatchObject({ result: 'live' });
    expect(await read(body['session_id'], 'realm', realm.uuid)).toMatchObject({ result: 'live' });
    expect([await read(whole, 'realm', realm.uuid), await read(body['session_id'], 'server', server.id)]).toEqual([{ result: 'unknown' }, { result: 'unknown' }]);
  });

  test('has no way back to itself: the key is typed again', async () => {
    const { session_id } = await complete(await proof());
    await billing.pages('session/end', { session_id });
    expect(await read(session_id, 'server', server.id, 'plans')).toEqual({ result: 'over' });
  });
});

test('a right key of a server that is deactivated meanwhile leads nowhere', async () => {
  const { token } = await login();
  await billing.remote('server/deactivate', { as: server, form: {} });
  expect((await billing.pages('login/mail', { token, email })).body).toMatchObject({ result: 'refused', reason: 'deactivated' });
});
