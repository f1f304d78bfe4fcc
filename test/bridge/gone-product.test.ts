import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { addJob } from '../../bridge/db/job.ts';
import { loadProducts, type Product, type Products } from '../../platform/products.ts';
import { signedUp, read } from './life/person.ts';
import { NOW, openBridge, type TestBridge } from './support/bridge.ts';

const DAY = 86_400;
const [APP] = loadProducts('products.yaml');
const OTHER: Product = { ...APP, id: 'other', name: 'Other' };
/** What the file says by now. */
const offered: Product[] = [];

let bridge: TestBridge;
let address: string;
beforeAll(async () => {
  offered.push(OTHER, APP);
  bridge = await openBridge({ products: offered as unknown as Products });
});
afterAll(() => bridge.close());
beforeEach(() => {
  bridge.clock.set(NOW);
  address = `ada.${randomUUID()}@example.com`;
  offered.splice(0, 2, OTHER, APP);
});

const register = async () => {
  await bridge.send('/api/trial/register', { body: { username: address, product: APP.id } });
  await bridge.settled();
};
const isGone = () => void offered.splice(1);
const unfinished = async () => (await sql<{ task: string }>`select task_identifier as task from graphile_worker.jobs where attempts > 0 or task_identifier not like 'sweep%'`.execute(bridge.db)).rows;

test('a request for it is settled at once, without a mail', async () => {
  bridge.accounts.fail(true);
  await register();
  bridge.accounts.fail(false);
  isGone();
  await bridge.hurry();
  expect(await unfinished()).toEqual([]);
  expect(await bridge.db.selectFrom('bridge.sign_up_request').select('result').where('address', '=', address).execute()).toEqual([{ result: 'not_offered' }]);
  expect(await bridge.db.selectFrom('bridge.mail').select('id').where('address', '=', address).execute()).toEqual([]);
});

test('a mail about it fails at once with the reason, and makes no link; those that are out count as withdrawn', async () => {
  await register();
  const { id, life_id: lifeId } = await bridge.db.updateTable('bridge.mail').set({ state: 'queued' }).where('address', '=', address).returning(['id', 'life_id']).executeTakeFirstOrThrow();
  isGone();
  await addJob(bridge.db, 'send_mail', { mail_id: id });
  await bridge.settled();
  expect(await unfinished()).toEqual([]);
  expect(await bridge.db.selectFrom('bridge.mail').select(['state', 'failure']).where('id', '=', id).execute()).toEqual([{ state: 'failed', failure: 'not_offered' }]);
  expect(await bridge.db.selectFrom('bridge.invitation').select('state').where('address', '=', address).execute()).toHaveLength(1);
  const [mail, ...others] = bridge.inbox.messages().filter(({ to }) => to === address);
  expect(others).toEqual([]);
  const token = mail?.links.map((link) => new URL(link).searchParams.get('invitation_token')).find((one) => one != null);
  expect((await bridge.asStep('/api/trial/verify', { token })).body).toMatchObject({ valid: false, reason: 'revoked' });
  offered.push(APP);
  expect((await read(bridge, { id: lifeId ?? '' })).timeline.at(-1)).toMatchObject({ kind: 'mail_failed', detail: { mail: 'invitation', failure: 'not_offered' } });
});

test('Keycloak hears how a trial of it ends, at the clients that it had; what is open ends', async () => {
  bridge.keeper.fail(true);
  const { userId } = await signedUp(bridge, address);
  bridge.clock.pass(30 * DAY);
  await addJob(bridge.db, 'sweep_lives', {});
  await bridge.settled();
  isGone();
  bridge.keeper.fail(false);
  await bridge.hurry();
  expect(await unfinished()).toEqual([]);
  expect(bridge.keeper.ended).toContain(userId);
  expect(bridge.keeper.stampOf(userId)).toMatchObject({ state: 'expired', clients: APP.clients });
  expect(bridge.log()).toContain('the product of a trial is no longer in the products file');
});
