import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { addJob } from '../../../bridge/db/job.ts';
import { sweepLives } from '../../../bridge/life/sweep.service.ts';
import { addressHash } from '../../../bridge/address/address-hash.ts';
import { loadProducts, type Products } from '../../../platform/products.ts';
import { secret } from '../../../platform/secret.ts';
import { NOW, openBridge, type TestBridge } from '../support/bridge.ts';
import { eventually, mailsTo, read, signedUp, type Person } from './person.ts';

const DAY = 86_400;
const [app] = loadProducts('products.yaml');
const withClients = (...clients: string[]): Products => [{ ...app, clients }];
const without: Products = [{ ...app, id: 'another' }];

let bridge: TestBridge;
const replicas: TestBridge[] = [];
const replicaWith = async (products: Products) => {
  const replica = await openBridge({ products, replicaOf: bridge });
  replicas.push(replica);
  return replica;
};
beforeAll(async () => {
  bridge = await openBridge({ products: withClients('vestibule-proxy') });
});
afterEach(() => Promise.all(replicas.splice(0).map((replica) => replica.close())));
afterAll(() => bridge.close());
beforeEach(() => bridge.clock.set(NOW));

const clientsOf = ({ userId }: Person) => bridge.keeper.stampOf(userId)?.clients;
const sweep = async () => {
  await addJob(bridge.db, 'sweep_lives', {}, { key: 'sweep_lives' });
  await bridge.settled();
};
const extend = ({ userId }: Person) => bridge.asManager('/api/trial/extend', { user_id: userId, days: 1, reason: 'They asked.' });

test('a client that a product gains refuses those whose trials began before, also those that are over; a replica of before stamps nobody any more', async () => {
  const eve = await signedUp(bridge);
  bridge.clock.pass(30 * DAY);
  await sweep();
  const ada = await signedUp(bridge);
  await bridge.hurry();
  expect(clientsOf(eve)).toEqual(['vestibule-proxy']);
  const newer = await replicaWith(withClients('vestibule-proxy', 'mobile'));
  // Whichever of the two takes the jobs.
  const told = async (one: Person) => {
    await newer.hurry();
    return clientsOf(one)?.includes('mobile') === true && (await read(newer, one))['held_by_keycloak'] === true;
  };
  await eventually(async () => (await told(eve)) && told(ada));
  expect(bridge.keeper.stampOf(eve.userId)).toMatchObject({ state: 'expired' });

  expect((await extend(ada)).body).toMatchObject({ held_by_keycloak: false });
  await eventually(() => told(ada));
  // Begun by the replica of before, in the hour in which it is replaced.
  const tim = await signedUp(bridge);
  await eventually(() => told(tim));
  // The same again is no change.
  const [before] = await bridge.db.selectFrom('bridge.life').select('version').where('id', '=', tim.id).execute();
  await replicaWith(withClients('mobile', 'vestibule-proxy'));
  expect(await bridge.db.selectFrom('bridge.life').select('version').where('id', '=', tim.id).execute()).toEqual([before]);
});

test('a replica whose products file lacks a product takes nothing from its trials: one that has it goes on', async () => {
  const ada = await signedUp(bridge);
  bridge.clock.pass(30 * DAY);
  const lives = () => bridge.db.selectFrom('bridge.life').selectAll().where('id', '=', ada.id).execute();
  const before = await lives();
  expect(await sweepLives(bridge.db, { products: without, clock: bridge.clock, hash: addressHash(secret('0'.repeat(44))) })).toBe(0);
  expect(await lives()).toEqual(before);
  const lacking = await replicaWith(without);
  expect(lacking.log()).toContain('trials of products that are not in the products file');
  await lacking.stopBridge();
  await sweep();
  expect(await read(bridge, ada)).toMatchObject({ state: 'expired' });
  expect(await mailsTo(bridge, ada.address)).toEqual(['Your trial of Vestibule sample app is over']);
});

test('what Keycloak was not told of, and no job is there for, is told once a replica starts that knows the product', async () => {
  const ada = await signedUp(bridge);
  const both = withClients('vestibule-proxy', 'mobile');
  await replicaWith(both);
  await eventually(async () => {
    await bridge.hurry();
    return (await read(bridge, ada))['held_by_keycloak'] === true;
  });
  await bridge.db.updateTable('bridge.life').set((eb) => ({ version: eb('version', '+', '1') })).where('id', '=', ada.id).execute();
  const last = await replicaWith(both);
  await eventually(async () => {
    await last.hurry();
    return (await read(last, ada))['held_by_keycloak'] === true;
  });
});
