import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { openRelay, type Relay } from '../../support/relay.ts';
import { BILLING_URL, eventually } from '../support/bridge.ts';
import { startReplica } from '../support/replica.ts';
import { basic, newAttempt, newPerson, openBilling, TERMS, type PersonOnWire, type RealmOnWire, type Server, type TestBilling } from './support/billing.ts';

jest.setTimeout(60_000);

const KEYS = { BILLING_TOKEN_KEY: randomBytes(32).toString('base64'), ADDRESS_HASH_KEY: randomBytes(32).toString('base64') };

let toPostgres: Relay;
/** The replica that lives. */
let billing: TestBilling;
let server: Server;
let realm: RealmOnWire;
let ada: PersonOnWire;
beforeAll(async () => {
  billing = await openBilling({ env: KEYS });
  toPostgres = await openRelay(Number(new URL(billing.databaseUrl).port));
});
beforeEach(async () => {
  ({ server, realm } = await billing.place());
  ada = newPerson();
});
afterAll(async () => {
  await billing.close();
  await toPostgres.close();
});

/** The call goes to a replica that is killed (-9) while its statement, or the answer to it, is on the way. */
async function killedAt(sees: string, does: 'hold-request' | 'hold-answer', call: (url: string) => Promise<unknown>): Promise<void> {
  const replica = await startReplica(billing, toPostgres.port, { ...KEYS, BILLING_URL });
  const ended = once(replica.process, 'exit');
  toPostgres.inject({ sees, does });
  const answer = call(replica.url).then(() => 'answered', () => 'no answer');
  await eventually(async () => toPostgres.held() > 0);
  replica.process.kill('SIGKILL');
  await ended;
  toPostgres.cut();
  await toPostgres.mend();
  expect(await answer).toBe('no answer');
}

async function page(url: string, path: string, body: object): Promise<unknown> {
  const authorization = `Bearer ${await billing.realm.serviceToken('vestibule-proxy', 'billing-pages')}`;
  return fetch(`${url}/api/remote-billing/${path}`, { method: 'POST', body: JSON.stringify(body), headers: { authorization, 'content-type': 'application/json' } });
}

const ask = async () => billing.pages('login/mail', { token: await billing.access(server, realm, ada), email: ada.email });
const prove = async (key: string) => String((await billing.pages('login/confirmation', { key })).body['token']);
const complete = async (token: string, attempt = newAttempt()) => (await billing.pages('login/complete', { token, attempt, accepted_terms: TERMS })).body;
const SIGNED_IN = { result: 'signed_in' };

describe.each(['hold-request', 'hold-answer'] as const)('the bridge is killed (%s), and the person goes on at another replica', (does) => {
  test('while a server asks for a link', async () => {
    const form = new URLSearchParams({ user: JSON.stringify(ada), realm: JSON.stringify(realm) });
    await killedAt('update "bridge"."remote_server"', does, (url) => fetch(`${url}/api/v1/remotes/server/billing`, { method: 'POST', body: form, headers: { authorization: basic(server) } }));
    await ask();
    expect(await complete(await prove(await billing.keyTo(ada.email)))).toMatchObject(SIGNED_IN);
  });

  test('while id and key are typed', async () => {
    const typed = { zulip_org_id: server.id, zulip_org_key: server.key };
    await killedAt('from "bridge"."remote_server"', does, (url) => page(url, 'server-login/open', typed));
    expect((await billing.pages('server-login/open', typed)).body).toMatchObject({ result: 'email_form' });
  });

  test('at the commit of the link: the same link works', async () => {
    await ask();
    const key = await billing.keyTo(ada.email);
    await killedAt('commit', does, (url) => page(url, 'login/confirmation', { key }));
    expect(await complete(await prove(key))).toMatchObject(SIGNED_IN);
  });

  test('at the commit of "Confirm login": the same form again, one session', async () => {
    await ask();
    const [token, attempt] = [await prove(await billing.keyTo(ada.email)), newAttempt()];
    await killedAt('commit', does, (url) => page(url, 'login/complete', { token, attempt, accepted_terms: TERMS }));
    const again = await complete(token, attempt);
    expect(again).toMatchObject(SIGNED_IN);
    expect(await complete(token, attempt)).toEqual(again);
    expect(await billing.db.selectFrom('bridge.billing_session').select('id').where('realm_id', '=', realm.uuid).execute()).toHaveLength(1);
  });
});

test('the bridge is killed before "check your e-mail" is committed: no mail, and the same form again sends one', async () => {
  const token = await billing.access(server, realm, ada);
  await killedAt('commit', 'hold-request', (url) => page(url, 'login/mail', { token, email: ada.email }));
  await billing.settled();
  expect(billing.inbox.messages().filter(({ to }) => to.includes(ada.email))).toEqual([]);
  await billing.pages('login/mail', { token, email: ada.email });
  expect(await complete(await prove(await billing.keyTo(ada.email)))).toMatchObject(SIGNED_IN);
});
