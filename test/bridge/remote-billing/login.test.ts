import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { lockAccount } from '../../../bridge/remote-billing/plans/account.store.ts';
import { insertPlan } from '../../../bridge/remote-billing/plans/plan.store.ts';
import { newAttempt, newKey, newPerson, newRealm, openBilling, registrationOf, TERMS, type PersonOnWire, type RealmOnWire, type Server, type TestBilling } from './support/billing.ts';

let billing: TestBilling;
let server: Server;
let realm: RealmOnWire;
let ada: PersonOnWire;
beforeAll(async () => {
  billing = await openBilling();
});
beforeEach(async () => {
  ({ server, realm } = await billing.place());
  ada = newPerson();
});
afterAll(() => billing.close());

const open = async (token: string, sessionId?: string) => (await billing.pages('login/open', { token, ...(sessionId === undefined ? {} : { session_id: sessionId }) })).body;
const ask = async (token: string, email = ada.email) => (await billing.pages('login/mail', { token, email })).body;
const confirm = async (key: string) => (await billing.pages('login/confirmation', { key })).body;
const complete = async (token: string, more: object = {}) => (await billing.pages('login/complete', { token, attempt: newAttempt(), accepted_terms: TERMS, ...more })).body;
const proof = async (email = ada.email) => String((await confirm(await billing.keyTo(email)))['token']);
const usersOf = (one: RealmOnWire) => billing.db.selectFrom('bridge.billing_user').selectAll().where('realm_id', '=', one.uuid).execute();
const back = (page = '') => `https://${realm.host}/self-hosted-billing/${page}`;
const sessions = (one: RealmOnWire) => billing.db.selectFrom('bridge.billing_session').selectAll().where('realm_id', '=', one.uuid).execute();
const acts = async () => (await billing.audit({ serverId: server.id })).map(({ act }) => act).filter((act) => !/^(server|realm)_/.test(act));

async function later<T>(seconds: number, work: () => Promise<T>): Promise<T> {
  const original = Date.now;
  const OriginalDate = Date;
  const moved = class extends OriginalDate {
    constructor(...given: unknown[]) {
      super(...((given.length === 0 ? [original() + seconds * 1000] : given) as [number]));
    }
    static override now = () => original() + seconds * 1000;
  };
  globalThis.Date = moved as DateConstructor;
  try {
    return await work();
  } finally {
    globalThis.Date = OriginalDate;
  }
}

describe('a new person', () => {
  test('goes the ten steps', async () => {
    const token = await billing.access(server, realm, ada, { next_page: 'upgrade' });
    const place = { kind: 'realm', uuid: realm.uuid, host: realm.host, host_verified: false, name: realm.name, server_uuid: server.id };
    expect(await open(token)).toMatchObject({ result: 'email_form', email: ada.email, place });
    expect(await ask(token, ada.email.toUpperCase())).toEqual({ result: 'mailed', email: ada.email, place });
    const key = await billing.keyTo(ada.email);
    const proven = await confirm(key);
    expect(proven).toMatchObject({ result: 'proven', kind: 'realm' });
    const again = String(proven['token']);
    expect(await open(again)).toMatchObject({
      result: 'confirm_login',
      email: ada.email,
      full_name: 'Ada Lovelace',
      first_login: true,
      terms: { version: TERMS, must_accept: true },
      place,
    });
    const done = await complete(again, { full_name: ' Ada King ', major_release_mails: true });
    expect(done).toMatchObject({ result: 'signed_in', user: { email: ada.email, full_name: 'Ada King' }, next_page: 'upgrade', next_path: `/realm/${realm.uuid}/upgrade/`, place });
    const [user] = await usersOf(realm);
    expect(user).toMatchObject({ user_uuid: ada.uuid, email: ada.email, state: 'confirmed', tos_version: TERMS, last_login: billing.clock.now(), major_release_mails: true, maintenance_release_mails: false });
    expect(await acts()).toEqual(['mail_requested', 'link_opened', 'user_confirmed', 'login']);
  });

  test('gets one mail, in the language that was asked for, without a word of the request', async () => {
    await billing.db.updateTable('bridge.remote_server').set({ hostname: realm.host }).where('id', '=', server.id).execute();
    const token = await billing.access(server, realm, { ...ada, full_name: 'Buy now at evil.example' });
    await billing.pages('login/mail', { token, email: ada.email, locale: 'fr' });
    await billing.settled();
    const mails = billing.inbox.messages().filter(({ to }) => to.includes(ada.email));
    expect(mails).toHaveLength(1);
    const [{ subject, text, html, links }] = mails as [(typeof mails)[number]];
    expect(subject).toBe('Confirmez votre e-mail pour accéder à la facturation');
    for (const part of [text, html]) expect(part).not.toMatch(new RegExp(`evil\\.example|${realm.host}|${server.hostname}|undefined|<%`));
    expect(links[0]).toMatch(/^http:\/\/billing\.test\/remote-billing-login\/do_confirm\/[a-z2-7]{24}\?lang=fr$/);
  });

  test('has joined when the link was opened, and is in since "Confirm login"', async () => {
    await ask(await billing.access(server, realm, ada));
    const [proven, joined] = [await proof(), billing.clock.now()];
    billing.clock.pass(600);
    await complete(proven);
    expect((await usersOf(realm))[0]).toMatchObject({ date_joined: joined, last_login: billing.clock.now() });
  });

  test('reads the host in the mail once it is proven', async () => {
    await billing.db.updateTable('bridge.remote_server').set({ hostname: realm.host, hostname_verified_at: new Date() }).where('id', '=', server.id).execute();
    await ask(await billing.access(server, realm, ada));
    await billing.settled();
    expect(billing.inbox.messages()[0]!.text).toContain(realm.host);
  });
});

describe('a returning person', () => {
  test('goes straight to "Confirm login", gets no mail and is not limited', async () => {
    await billing.signIn(server, realm, ada);
    billing.inbox.clear();
    for (let count = 0; count < 12; count += 1) {
      const token = await billing.access(server, realm, { ...ada, email: 'renamed@example.org' });
      expect(await open(token)).toMatchObject({ result: 'confirm_login', email: ada.email, first_login: false, terms: { must_accept: false } });
      expect(await complete(token, { accepted_terms: undefined })).toMatchObject({ result: 'signed_in', next_page: 'plans' });
    }
    await billing.settled();
    expect(billing.inbox.messages()).toEqual([]);
    expect(await usersOf(realm)).toHaveLength(1);
  });

  test('keeps name and mails when the form does not say', async () => {
    await billing.signIn(server, realm, ada);
    await complete(await billing.access(server, realm, ada), { full_name: 'A. King', maintenance_release_mails: true });
    await complete(await billing.access(server, realm, ada), {});
    expect((await usersOf(realm))[0]).toMatchObject({ full_name: 'A. King', maintenance_release_mails: true });
  });

  test('may take another address, proven like the first', async () => {
    await billing.signIn(server, realm, ada);
    const token = await billing.access(server, realm, ada);
    expect(await ask(token, ada.email)).toMatchObject({ result: 'known' });
    const other = newPerson().email;
    expect(await ask(token, other)).toMatchObject({ result: 'mailed' });
    const proven = await proof(other);
    expect((await usersOf(realm))[0]?.email).toBe(ada.email);
    expect(await complete(proven)).toMatchObject({ result: 'signed_in', user: { email: other } });
    expect(await acts()).toContain('address_changed');
  });

  test.each([
    ['community', 'sponsorship'],
    ['free', 'plans'],
    ['basic', 'billing'],
    ['business', 'billing'],
    ['legacy', 'billing'],
  ] as const)('with the %s plan lands at %s', async (plan, page) => {
    await billing.signIn(server, realm, ada);
    await billing.db.updateTable('bridge.remote_realm').set({ plan_type: plan }).where('id', '=', realm.uuid).execute();
    expect(await complete(await billing.access(server, realm, ada))).toMatchObject({ next_page: page });
  });
});

test('who has the free plan and another one scheduled lands where it stands', async () => {
  await billing.signIn(server, realm, ada);
  await billing.db.transaction().execute(async (trx) => {
    const { id } = await lockAccount(trx, { realmId: realm.uuid });
    await insertPlan(trx, { accountId: id, type: 'basic', months: 1, seats: 10, unitPrice: 350, currency: 'EUR', taxBasisPoints: 2_000, agreedAt: billing.clock.now() }, 'scheduled');
  });
  expect(await complete(await billing.access(server, realm, ada))).toMatchObject({ next_page: 'billing', next_path: `/realm/${realm.uuid}/billing/` });
  expect(await complete(await billing.access(server, realm, ada, { next_page: 'upgrade' }))).toMatchObject({ next_page: 'upgrade' });
});

// SECURITY 17
describe('a mail scanner', () => {
  test('that opens the link as often as it likes breaks nothing, and proves nothing for the token of who asked', async () => {
    const asked = await billing.access(server, realm, ada);
    await ask(asked);
    const key = await billing.keyTo(ada.email);
    for (let count = 0; count < 4; count += 1) expect(await confirm(key)).toMatchObject({ result: 'proven' });
    expect((await usersOf(realm)).map(({ state }) => state)).toEqual(['pending']);
    expect(await open(asked)).toMatchObject({ result: 'email_form' });
    expect(await complete(asked)).toEqual({ result: 'not_proven' });
    expect(await sessions(realm)).toEqual([]);
    expect((await usersOf(realm)).map(({ state }) => state)).toEqual(['pending']);
    expect(await complete(await proof())).toMatchObject({ result: 'signed_in' });
  });

  test('proves nothing for a later token of who asked either', async () => {
    await ask(await billing.access(server, realm, ada));
    await confirm(await billing.keyTo(ada.email));
    expect(await complete(await billing.access(server, realm, ada))).toEqual({ result: 'not_proven' });
  });

  test('holds nothing of worth once the person is in', async () => {
    await ask(await billing.access(server, realm, ada));
    const scanned = await proof();
    await complete(await proof());
    expect(await complete(scanned)).toMatchObject({ result: 'refused', reason: 'spent' });
  });
});

describe('a token', () => {
  test.each(['', 'x', 'a.b.c.d.e'])('that is none of ours (%j) is unknown, at every step', async (given) => {
    const token = given || `${'A'.repeat(40)}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA`;
    for (const answer of [await open(token), await ask(token), await complete(token)]) expect(answer).toMatchObject({ result: 'refused', reason: 'unknown' });
  });

  test('that was changed is unknown', async () => {
    const parts = (await billing.access(server, realm, ada)).split('.');
    const changed = parts.with(3, `${parts[3]!.startsWith('A') ? 'B' : 'A'}${parts[3]!.slice(1)}`).join('.');
    expect(await open(changed)).toMatchObject({ result: 'refused', reason: 'unknown' });
  });

  test('that the bridge made for something else is unknown (SECURITY 15)', async () => {
    const secret = (await billing.remote('server/register/transfer', { form: { hostname: server.hostname } })).body['verification_secret'];
    expect(await open(String(secret))).toMatchObject({ result: 'refused', reason: 'unknown' });
  });

  test('is over after two hours, and leads back to the wanted page', async () => {
    const token = await billing.access(server, realm, ada, { next_page: 'sponsorship' });
    await later(7_201, async () => {
      for (const answer of [await open(token), await ask(token), await complete(token)]) {
        expect(answer).toMatchObject({ result: 'refused', reason: 'expired', login_url: back('?next_page=sponsorship') });
      }
    });
    expect(await later(7_190, () => open(token))).toMatchObject({ result: 'email_form' });
  });

  test('leads back over http where that is how people came', async () => {
    const token = await billing.access(server, realm, ada, { uri_scheme: 'http://' });
    expect(await later(7_201, () => open(token))).toMatchObject({ login_url: `http://${realm.host}/self-hosted-billing/` });
  });

  test('is spent by the login that it completes', async () => {
    await billing.signIn(server, realm, ada);
    const token = await billing.access(server, realm, ada);
    await complete(token);
    for (const answer of [await open(token), await ask(token), await complete(token)]) expect(answer).toMatchObject({ result: 'refused', reason: 'spent', login_url: back() });
    expect(await acts()).toContain('refused');
  });

  // SECURITY 18
  test('ends with the key of its server, and so do links and sessions', async () => {
    const { body } = await billing.signIn(server, realm, ada);
    const token = await billing.access(server, realm, ada);
    const bob = newPerson();
    await ask(await billing.access(server, realm, bob), bob.email);
    const [key, proven] = [await billing.keyTo(bob.email), await proof(bob.email)];
    await billing.remote('server/register', { form: { ...registrationOf(server), new_org_key: newKey() } });
    for (const answer of [await open(token), await complete(token), await open(proven), await complete(proven), await confirm(key)]) expect(answer).toMatchObject({ result: 'refused', reason: 'revoked' });
    const read = await billing.pages('session/read', { session_id: body['session_id'], kind: 'realm', uuid: realm.uuid });
    expect(read.body).toMatchObject({ result: 'over' });
  });
});

describe('a link', () => {
  test('works for a day from its mail', async () => {
    await ask(await billing.access(server, realm, ada));
    const key = await billing.keyTo(ada.email);
    billing.clock.pass(86_399);
    expect(await confirm(key)).toMatchObject({ result: 'proven' });
    billing.clock.pass(1);
    expect(await confirm(key)).toMatchObject({ result: 'refused', reason: 'expired', login_url: `https://${realm.host}/self-hosted-billing/` });
  });

  test('ends with the login that it led to', async () => {
    await ask(await billing.access(server, realm, ada));
    const key = await billing.keyTo(ada.email);
    await complete(await proof());
    expect(await confirm(key)).toMatchObject({ result: 'refused', reason: 'spent' });
  });

  test('that nobody sent is unknown', async () => {
    expect(await confirm('a'.repeat(24))).toMatchObject({ result: 'refused', reason: 'unknown' });
  });

  test('is withdrawn by "this wasn\'t me", and no further mail goes there', async () => {
    const token = await billing.access(server, realm, ada);
    await ask(token);
    const key = await billing.keyTo(ada.email);
    const [, notMe] = /\/trial\/not-me\?t=([\w-]{43})/.exec(billing.inbox.messages()[0]!.text) ?? [];
    await billing.asProxy('/api/trial/not-me', { token: notMe });
    expect(await confirm(key)).toMatchObject({ result: 'refused', reason: 'revoked' });
    const again = await billing.pages('login/mail', { token, email: ada.email });
    expect([again.status, again.body['field']]).toEqual([400, 'email']);
    expect((await billing.audit({ serverId: server.id })).at(-1)).toMatchObject({ act: 'refused', actor_id: ada.uuid, details: { reason: 'suppressed', step: 'mail' } });
  });

  test('and another one for the same person both work: the second finds the user there', async () => {
    const tokens = [await billing.access(server, realm, ada), await billing.access(server, realm, ada)];
    await ask(tokens[0]!);
    const first = await billing.keyTo(ada.email);
    await ask(tokens[1]!);
    const second = await billing.keyTo(ada.email);
    expect(second).not.toBe(first);
    const proofs = (await Promise.all([confirm(first), confirm(second)])).map(({ token }) => String(token));
    for (const one of proofs) expect(await complete(one)).toMatchObject({ result: 'signed_in' });
    expect(await usersOf(realm)).toHaveLength(1);
  });
});

describe('fifty times at once', () => {
  const FIFTY = Array.from({ length: 50 });

  test('one link is opened: one user', async () => {
    await ask(await billing.access(server, realm, ada));
    const key = await billing.keyTo(ada.email);
    const answers = await Promise.all(FIFTY.map(() => confirm(key)));
    expect(answers.map(({ result }) => result)).toEqual(FIFTY.map(() => 'proven'));
    expect(await usersOf(realm)).toHaveLength(1);
  });

  test('two links of one person are opened and their forms posted: one user, two sessions, and nobody fails', async () => {
    const keys: string[] = [];
    for (let count = 0; count < 2; count += 1) {
      await ask(await billing.access(server, realm, ada));
      keys.push(await billing.keyTo(ada.email));
    }
    const posted = FIFTY.map(async (_one, index) => billing.pages('login/complete', { token: String((await confirm(keys[index % 2]!))['token']), attempt: newAttempt(), accepted_terms: TERMS }));
    const answers = await Promise.all(posted);
    expect(answers.map(({ status }) => status)).toEqual(FIFTY.map(() => 200));
    // Each link leads to one login.
    expect(answers.filter(({ body }) => body['result'] === 'signed_in')).toHaveLength(2);
    expect([await usersOf(realm), await sessions(realm)].map(({ length }) => length)).toEqual([1, 2]);
  });

  test('one form is posted: one user, one session, and everybody gets it', async () => {
    await ask(await billing.access(server, realm, ada));
    const [token, attempt] = [await proof(), newAttempt()];
    const answers = await Promise.all(FIFTY.map(() => complete(token, { attempt })));
    expect(new Set(answers.map((answer) => `${String(answer['result'])} ${String(answer['session_id'])}`)).size).toBe(1);
    expect([await usersOf(realm), await sessions(realm)].map(({ length }) => length)).toEqual([1, 1]);
    expect((await acts()).filter((act) => act === 'login')).toHaveLength(1);
  });

  test('one token is posted by fifty browsers: one is in', async () => {
    await ask(await billing.access(server, realm, ada));
    const token = await proof();
    const answers = await Promise.all(FIFTY.map(() => complete(token)));
    expect(answers.filter(({ result }) => result === 'signed_in')).toHaveLength(1);
    expect(answers.filter(({ reason }) => reason === 'spent')).toHaveLength(49);
  });

  test('fifty tokens of one link are posted: one is in', async () => {
    await ask(await billing.access(server, realm, ada));
    const key = await billing.keyTo(ada.email);
    const tokens = await Promise.all(FIFTY.map(async () => String((await confirm(key))['token'])));
    const answers = await Promise.all(tokens.map((token) => complete(token)));
    expect(answers.filter(({ result }) => result === 'signed_in')).toHaveLength(1);
  });
});

describe('the form whose answer was lost', () => {
  test('is posted again by the same browser: the same session', async () => {
    await ask(await billing.access(server, realm, ada));
    const [token, attempt] = [await proof(), newAttempt()];
    const first = await complete(token, { attempt });
    expect(await complete(token, { attempt })).toEqual(first);
    expect(await complete(token)).toMatchObject({ result: 'refused', reason: 'spent' });
  });

  test('gets no session back that was signed out of', async () => {
    await ask(await billing.access(server, realm, ada));
    const [token, attempt] = [await proof(), newAttempt()];
    const { session_id } = await complete(token, { attempt });
    await billing.pages('session/end', { session_id });
    expect(await complete(token, { attempt })).toMatchObject({ result: 'refused', reason: 'spent' });
  });
});

// SECURITY 19
describe('terms', () => {
  test.each([undefined, '0.9', '1.1', 'yes'])('that were accepted as %j are asked for again, and nothing is spent', async (accepted) => {
    await ask(await billing.access(server, realm, ada));
    const token = await proof();
    expect(await complete(token, { accepted_terms: accepted })).toMatchObject({ result: 'terms_needed', terms: { version: TERMS, must_accept: true } });
    expect(await complete(token)).toMatchObject({ result: 'signed_in' });
  });

  test('that were ticked are kept with version, time and address', async () => {
    await billing.signIn(server, realm, ada);
    const [user] = await usersOf(realm);
    const consents = await billing.db.selectFrom('bridge.billing_consent').selectAll().where('user_id', '=', user!.id).execute();
    expect(consents).toMatchObject([{ version: TERMS, email: ada.email, ticked_at: billing.clock.now(), client_address: expect.stringMatching(/^2001:db8:/) }]);
  });

  test.each([
    ['0.9', true],
    ['1.0', false],
    ['1.7', false],
    [null, true],
  ])('after version %s are asked for: %s', async (version, asked) => {
    await billing.signIn(server, realm, ada);
    await billing.db.updateTable('bridge.billing_user').set({ tos_version: version }).where('realm_id', '=', realm.uuid).execute();
    const token = await billing.access(server, realm, ada);
    expect(await open(token)).toMatchObject({ terms: { must_accept: asked } });
    expect((await complete(token, { accepted_terms: undefined }))['result']).toBe(asked ? 'terms_needed' : 'signed_in');
    expect((await usersOf(realm))[0]?.tos_version).toBe(asked ? version : TERMS);
  });
});

describe('whoever is deactivated meanwhile', () => {
  const refused = { result: 'refused', reason: 'deactivated' };
  test.each<[string, () => Promise<unknown>]>([
    ['the server', () => billing.db.updateTable('bridge.remote_server').set({ deactivated_at: new Date() }).where('id', '=', server.id).execute()],
    ['the realm there', () => billing.db.updateTable('bridge.remote_realm').set({ deactivated: true }).where('id', '=', realm.uuid).execute()],
    ['the realm, gone there', () => billing.report(server, [newRealm()])],
    ['the realm here', () => billing.db.updateTable('bridge.remote_realm').set({ registration_deactivated_at: new Date() }).where('id', '=', realm.uuid).execute()],
    ['the person', () => billing.db.updateTable('bridge.billing_user').set({ state: 'deactivated' }).where('realm_id', '=', realm.uuid).execute()],
  ])('%s is refused at every step', async (_name, deactivate) => {
    const { body } = await billing.signIn(server, realm, ada);
    const token = await billing.access(server, realm, ada);
    const other = newPerson().email;
    await ask(token, other);
    const [key, proven] = [await billing.keyTo(other), await proof(other)];
    await deactivate();
    const read = await billing.pages('session/read', { session_id: body['session_id'], kind: 'realm', uuid: realm.uuid });
    for (const answer of [await open(token), await ask(token), await complete(token), await confirm(key), await open(proven), await complete(proven), read.body]) expect(answer).toMatchObject(refused);
    expect((await billing.billing(server, realm, ada)).status).toBeGreaterThanOrEqual(401);
  });
});

describe('two people of one realm', () => {
  test('confirm and consent each alone', async () => {
    const bob = newPerson({ full_name: 'Bob' });
    await billing.signIn(server, realm, ada);
    const token = await billing.access(server, realm, bob);
    expect(await open(token)).toMatchObject({ result: 'email_form', email: bob.email });
    expect(await complete(token)).toEqual({ result: 'not_proven' });
    await billing.signIn(server, realm, bob);
    expect((await usersOf(realm)).map(({ email }) => email).toSorted()).toEqual([ada.email, bob.email].toSorted());
  });
});

describe('another person in this browser', () => {
  test('is named before being replaced; oneself is not', async () => {
    const { body } = await billing.signIn(server, realm, ada);
    const bob = newPerson({ full_name: 'Bob' });
    await billing.signIn(server, realm, bob);
    expect(await open(await billing.access(server, realm, bob), String(body['session_id']))).toMatchObject({ replaces: { email: ada.email, full_name: 'Ada Lovelace', place: { uuid: realm.uuid } } });
    expect(await open(await billing.access(server, realm, ada), String(body['session_id']))).not.toHaveProperty('replaces');
  });
});

describe('an address', () => {
  test.each(['ada', 'ada@', '@example.org', 'ada@localhost', 'ada@example.org, eve@example.org', 'adä@example.org'])('such as %j is refused by its field', async (email) => {
    const answer = await billing.pages('login/mail', { token: await billing.access(server, realm, ada), email });
    expect([answer.status, answer.body['code'], answer.body['field']]).toEqual([400, 'invalid_request', 'email']);
  });
});

test('no token, key or secret reached the log', async () => {
  const { token } = await billing.signIn(server, realm, ada);
  expect(billing.log()).not.toContain(token);
  for (const secret of [server.key, realm.uuid_owner_secret, await billing.keyTo(ada.email)]) expect(billing.log()).not.toContain(secret);
  const lines = billing.log().trim().split('\n').map((line) => JSON.parse(line) as { level: number });
  expect(lines.filter(({ level }) => level >= 50)).toEqual([]);
});
