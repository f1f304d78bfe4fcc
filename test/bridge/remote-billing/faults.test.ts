import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openInbox, type Inbox } from '../../../dev/inbox/inbox.ts';
import { freshDatabase, type TestDatabase } from '../../support/database.ts';
import { openRelay, type Relay } from '../../support/relay.ts';
import { eventually } from '../support/bridge.ts';
import { newAttempt, newPerson, openBilling, TERMS, type PersonOnWire, type RealmOnWire, type Server, type TestBilling } from './support/billing.ts';

let database: TestDatabase;
let toPostgres: Relay;
let toSmtp: Relay;
let inbox: Inbox;
let billing: TestBilling;
let server: Server;
let realm: RealmOnWire;
let ada: PersonOnWire;
beforeAll(async () => {
  database = await freshDatabase();
  inbox = await openInbox({ host: '127.0.0.1', smtpPort: 0 });
  const url = new URL(database.bridgeUrl);
  toPostgres = await openRelay(Number(url.port));
  toSmtp = await openRelay(inbox.smtpPort);
  url.hostname = '127.0.0.1';
  url.port = String(toPostgres.port);
  billing = await openBilling({ env: { BRIDGE_DATABASE_URL: url.href }, smtpUrl: `smtp://127.0.0.1:${toSmtp.port}` });
});
beforeEach(async () => {
  ({ server, realm } = await billing.place());
  ada = newPerson();
});
afterAll(async () => {
  await billing.close();
  await Promise.all([toPostgres.close(), toSmtp.close(), inbox.close()]);
  await database.drop();
});

const keys = () => inbox.messages().filter(({ to }) => to.includes(ada.email)).map(({ text }) => /\/do_confirm\/([a-z2-7]{24})/.exec(text)?.[1] ?? '');
const keyTo = async (count = 1) => {
  await eventually(async () => keys().length >= count);
  return keys()[0]!;
};
const ask = async () => billing.pages('login/mail', { token: await billing.access(server, realm, ada), email: ada.email });
const signIn = async () => {
  await ask();
  const { body } = await billing.pages('login/confirmation', { key: await keyTo() });
  return String((await complete(String(body['token']), newAttempt())).body['session_id']);
};
const openServer = () => billing.pages('server-login/open', { zulip_org_id: server.id, zulip_org_key: server.key });
const complete = (token: string, attempt: string) => billing.pages('login/complete', { token, attempt, accepted_terms: TERMS });

/** Breaks the next commit, or another statement, or its answer, and says what the caller was told. */
async function broken(does: 'cut-request' | 'cut-answer', call: () => Promise<{ status: number }>, sees = 'commit'): Promise<number> {
  toPostgres.inject({ sees, does });
  try {
    return (await call()).status;
  } finally {
    await toPostgres.mend();
  }
}

describe.each(['cut-request', 'cut-answer'] as const)('Postgres away at the commit (%s): nothing is lost, and the person goes on with the same link', (does) => {
  test('of "check your e-mail"', async () => {
    expect(await broken(does, ask)).toBe(500);
    expect((await ask()).status).toBe(200);
    const key = await keyTo(does === 'cut-answer' ? 2 : 1);
    const { body } = await billing.pages('login/confirmation', { key });
    expect((await complete(String(body['token']), newAttempt())).body).toMatchObject({ result: 'signed_in' });
  });

  test('of the link', async () => {
    await ask();
    const key = await keyTo();
    expect(await broken(does, () => billing.pages('login/confirmation', { key }))).toBe(500);
    const { body } = await billing.pages('login/confirmation', { key });
    expect((await complete(String(body['token']), newAttempt())).body).toMatchObject({ result: 'signed_in' });
  });

  test('of "Confirm login": the same form again, one session', async () => {
    await ask();
    const { body } = await billing.pages('login/confirmation', { key: await keyTo() });
    const [token, attempt] = [String(body['token']), newAttempt()];
    expect(await broken(does, () => complete(token, attempt))).toBe(500);
    const again = await complete(token, attempt);
    expect(again.body).toMatchObject({ result: 'signed_in' });
    expect((await complete(token, attempt)).body).toEqual(again.body);
  });
});

describe.each(['cut-request', 'cut-answer'] as const)('Postgres away (%s), where nothing is committed', (does) => {
  test('when a server asks for a link: it asks again', async () => {
    expect(await broken(does, () => billing.billing(server, realm, ada), 'update "bridge"."remote_server"')).toBe(500);
    expect((await billing.billing(server, realm, ada)).body).toMatchObject({ result: 'success' });
  });

  test('when id and key are typed: they are typed again', async () => {
    expect(await broken(does, openServer, 'from "bridge"."remote_server"')).toBe(500);
    expect((await openServer()).body).toMatchObject({ result: 'email_form' });
  });
});

describe.each(['cut-request', 'cut-answer'] as const)('Postgres away (%s) where somebody looks: they look again', (does) => {
  test('at the token of their server, and at the one that carries the proof', async () => {
    const token = await billing.access(server, realm, ada);
    const look = (one: string) => () => billing.pages('login/open', { token: one });
    expect(await broken(does, look(token), 'from "bridge"."remote_server"')).toBe(500);
    expect((await look(token)()).body).toMatchObject({ result: 'email_form' });
    await billing.pages('login/mail', { token, email: ada.email });
    const proven = String((await billing.pages('login/confirmation', { key: await keyTo() })).body['token']);
    expect(await broken(does, look(proven), 'from "bridge"."remote_server"')).toBe(500);
    expect((await look(proven)()).body).toMatchObject({ result: 'confirm_login' });
  });

  test('at the page that they were led to', async () => {
    const session_id = await signIn();
    const look = () => billing.pages('session/read', { session_id, kind: 'realm', uuid: realm.uuid });
    expect(await broken(does, look, 'from "bridge"."billing_session"')).toBe(500);
    expect((await look()).body).toMatchObject({ result: 'live' });
  });
});

const bySupport = async (path: string, body: object) => billing.send(`/api/remote-billing/support/${path}`, { body: { kind: 'realm', uuid: realm.uuid, ...body }, headers: { authorization: `Bearer ${await billing.realm.serviceToken('vestibule-proxy', 'support')}` } });
const invoices = async () => ((await bySupport('read', {})).body['invoices'] as unknown[]).length;
const endByStaff = () => bySupport('plan/end', { give_back: 4_200, actor: 'somebody', reason: 'They asked.' });

describe.each([['cut-request', { result: 'begun' }, 200], ['cut-answer', { result: 'changed' }, 409]] as const)('Postgres away (%s) at the commit of what costs money: nobody pays twice', (does, again, asStaff) => {
  const BASIC = { type: 'basic', period: 'month', seats: 10, when: 'now', total: 4_200 };

  test('of a plan, and of more seats', async () => {
    const session_id = await signIn();
    const agree = () => billing.pages('plan/agree', { session_id, ...BASIC });
    expect(await broken(does, agree)).toBe(500);
    expect((await agree()).body).toMatchObject(again);
    expect(await invoices()).toBe(1);
    const more = () => billing.pages('plan/seats', { session_id, seats: 12, total: 840 });
    expect(await broken(does, more)).toBe(500);
    expect((await more()).body).toMatchObject(again.result === 'begun' ? again : { result: 'changed' });
    expect(await invoices()).toBe(2);
  });

  test('of what staff gives back', async () => {
    await billing.pages('plan/agree', { session_id: await signIn(), ...BASIC });
    expect(await broken(does, endByStaff)).toBe(500);
    expect((await endByStaff()).status).toBe(asStaff);
    expect(await invoices()).toBe(2);
  });
});

test('a mail server that is away when the mail is asked for gets it later, and the link works', async () => {
  await toSmtp.refuse();
  toSmtp.cut();
  expect((await ask()).body).toMatchObject({ result: 'mailed' });
  await toSmtp.mend();
  const { body } = await billing.pages('login/confirmation', { key: await keyTo() });
  expect((await complete(String(body['token']), newAttempt())).body).toMatchObject({ result: 'signed_in' });
});
