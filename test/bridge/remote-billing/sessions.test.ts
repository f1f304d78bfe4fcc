import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { eventually } from '../support/bridge.ts';
import { newAttempt, newPerson, openBilling, TERMS, type PersonOnWire, type RealmOnWire, type Server, type TestBilling } from './support/billing.ts';

let billing: TestBilling;
let server: Server;
let realm: RealmOnWire;
let ada: { person: PersonOnWire; session: string; id: string };
beforeAll(async () => {
  billing = await openBilling();
});
beforeEach(async () => {
  ({ server, realm } = await billing.place());
  ada = await signIn();
});
afterAll(() => billing.close());

async function signIn() {
  const person = newPerson();
  const { body } = await billing.signIn(server, realm, person);
  return { person, session: String(body['session_id']), id: (body['user'] as { id: string }).id };
}

const read = async (session: string, page = 'upgrade', uuid = realm.uuid) => (await billing.pages('session/read', { session_id: session, kind: 'realm', uuid, page })).body;
const deactivate = async (by: string, userId: string) => (await billing.pages('users/deactivate', { session_id: by, user_id: userId })).body;
const waiting = async () => {
  const { rows } = await sql<{ count: string }>`select count(*) as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(billing.db);
  return Number(rows[0]?.count);
};
const back = (page: string) => `https://${realm.host}/self-hosted-billing/?next_page=${page}`;
const age = (seconds: number) => sql`update bridge.billing_session set ends_at = ends_at - make_interval(secs => ${seconds}::float8) where id = ${ada.session}`.execute(billing.db);

describe('a session', () => {
  test('lives two hours from the opening of the link, and no use of it prolongs it', async () => {
    const live = await read(ada.session);
    expect(live).toMatchObject({ result: 'live', user: { id: ada.id, email: ada.person.email }, place: { uuid: realm.uuid } });
    const left = Number(live['ends_at']) - Date.now() / 1000;
    expect(left).toBeGreaterThan(7_150);
    expect(left).toBeLessThanOrEqual(7_200);
    expect((await read(ada.session))['ends_at']).toBe(live['ends_at']);
  });

  test('of a returning person ends two hours after the minting, however late the form was posted', async () => {
    const token = await billing.access(server, realm, ada.person);
    const minted = Math.floor(Date.now() / 1000);
    const original = Date.now;
    Date.now = () => original() + 7_000_000;
    try {
      const { body } = await billing.pages('login/complete', { token, attempt: newAttempt(), accepted_terms: TERMS });
      expect(Number(body['ends_at'])).toBeLessThanOrEqual(minted + 7_200);
    } finally {
      Date.now = original;
    }
  });

  test('that is over leads back to the server, and from there to the wanted page', async () => {
    await age(7_201);
    expect(await read(ada.session)).toEqual({ result: 'over', login_url: back('upgrade') });
  });

  test('says nothing of another realm, and an unknown one nothing at all', async () => {
    const { realm: other } = await billing.place();
    expect([await read(ada.session, 'plans', other.uuid), await read(randomUUID())]).toEqual([{ result: 'unknown' }, { result: 'unknown' }]);
  });

  test('ends by signing out, once', async () => {
    const end = () => billing.pages('session/end', { session_id: ada.session });
    expect([(await end()).body, (await end()).body]).toEqual([{ result: 'ended' }, { result: 'ended' }]);
    expect(await read(ada.session, 'billing')).toEqual({ result: 'over', login_url: back('billing') });
    expect((await billing.audit({ serverId: server.id })).filter(({ act }) => act === 'logout')).toMatchObject([{ actor_kind: 'user', actor_id: ada.id }]);
  });

  test('of an unknown id ends as well', async () => {
    expect((await billing.pages('session/end', { session_id: randomUUID() })).body).toEqual({ result: 'ended' });
  });
});

describe('billing users', () => {
  test('see who may sign in; who never confirmed is not among them', async () => {
    billing.clock.pass(1);
    const bob = await signIn();
    const eve = newPerson();
    await billing.pages('login/mail', { token: await billing.access(server, realm, eve), email: eve.email });
    await billing.pages('login/confirmation', { key: await billing.keyTo(eve.email) });
    const { users } = (await billing.pages('users/list', { session_id: ada.session })).body;
    expect(users).toMatchObject([
      { id: ada.id, email: ada.person.email, state: 'confirmed', you: true },
      { id: bob.id, email: bob.person.email, state: 'confirmed', you: false },
    ]);
  });

  test('deactivate one another: sessions end, links and new sign-ins are refused, and it is kept who did it', async () => {
    const bob = await signIn();
    expect(await deactivate(ada.session, bob.id)).toEqual({ result: 'deactivated' });
    expect(await read(bob.session)).toMatchObject({ result: 'refused', reason: 'deactivated' });
    expect(await billing.billing(server, realm, bob.person)).toMatchObject({ status: 403 });
    expect((await billing.audit({ serverId: server.id })).at(-2)).toMatchObject({ act: 'user_deactivated', actor_kind: 'user', actor_id: ada.id });
    expect((await billing.pages('users/list', { session_id: bob.session })).body).toMatchObject({ result: 'refused', reason: 'deactivated' });
  });

  test('keep the last one standing', async () => {
    expect(await deactivate(ada.session, ada.id)).toEqual({ result: 'last_one' });
    expect((await billing.audit({ serverId: server.id })).at(-1)).toMatchObject({ act: 'refused', actor_id: ada.id, details: { reason: 'last one' } });
    const bob = await signIn();
    expect(await deactivate(ada.session, ada.id)).toEqual({ result: 'deactivated' });
    expect(await deactivate(bob.session, bob.id)).toEqual({ result: 'last_one' });
  });

  test('who deactivate each other at once leave one', async () => {
    const others = [await signIn(), await signIn(), await signIn()];
    const all = [ada, ...others];
    const done: Promise<unknown>[] = [];
    // Held here, all of them have looked around before the first is written.
    await billing.db.transaction().execute(async (trx) => {
      await sql`lock table bridge.billing_session in exclusive mode`.execute(trx);
      done.push(...all.map((one, index) => deactivate(one.session, all[(index + 1) % all.length]!.id)));
      await eventually(async () => (await waiting()) === all.length);
    });
    await Promise.all(done);
    const standing = await billing.db.selectFrom('bridge.billing_user').select('id').where('realm_id', '=', realm.uuid).where('state', '=', 'confirmed').execute();
    expect(standing.length).toBeGreaterThanOrEqual(1);
  });

  test('of another realm are out of reach', async () => {
    const { server: elsewhere, realm: other } = await billing.place();
    const { body } = await billing.signIn(elsewhere, other);
    expect(await deactivate(String(body['session_id']), ada.id)).toEqual({ result: 'unknown' });
    expect(await read(ada.session)).toMatchObject({ result: 'live' });
  });

  test('whose session is over do nothing any more', async () => {
    const bob = await signIn();
    await billing.pages('session/end', { session_id: ada.session });
    expect(await deactivate(ada.session, bob.id)).toMatchObject({ result: 'over' });
    expect((await billing.pages('users/list', { session_id: ada.session })).body).toMatchObject({ result: 'over' });
  });
});
