import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { replay } from '../../../bridge/webhooks/delivery.store.ts';
import { keepSubscriptions } from '../../../bridge/webhooks/subscription.store.ts';
import { skip } from '../../../bridge/webhooks/tell.service.ts';
import { eventually, signedUp, type Person } from '../life/person.ts';
import { NOW } from '../support/bridge.ts';
import { refuses, takes } from './receiver.ts';
import { openToldApp, type ToldApp } from './told-app.ts';

/** The id of somebody who was erased, in what an app has not heard. */
let told: ToldApp;
beforeAll(async () => {
  told = await openToldApp({ env: { WEBHOOK_TRIES: '2' } });
});
afterAll(() => told.close());
beforeEach(() => {
  told.bridge.clock.set(NOW);
});

const rowsOf = ({ id }: Person) => told.bridge.db.selectFrom('bridge.webhook').selectAll().where('life_id', '=', id).execute();
const idsOf = async (one: Person) => (await rowsOf(one)).filter(({ user_id }) => user_id !== null).length;
const isGivenUp = (one: Person) => eventually(async () => (await rowsOf(one)).some(({ delivery }) => delivery === 'dead'));

/** Nobody has told the app of the erasure, nor of anything before. */
async function erased(): Promise<Person> {
  told.app.answer = refuses;
  const ada = await signedUp(told.bridge);
  await isGivenUp(ada);
  expect((await told.bridge.asManager(`/api/trial/${ada.id}`, { reason: 'Their letter.' }, {}, 'DELETE')).body).toMatchObject({ erasure: 'done' });
  expect(await idsOf(ada)).toBe((await rowsOf(ada)).length);
  return ada;
}

test('waits a month for the app, and no longer', async () => {
  const ada = await erased();
  await told.days(30);
  expect(await idsOf(ada)).toBeGreaterThan(0);
  await told.days(1);
  expect(await idsOf(ada)).toBe(0);
});

test('is told to an app that is mended in time, and then forgotten', async () => {
  const ada = await erased();
  told.app.answer = takes;
  await replay(told.bridge.db, { dead: true });
  await eventually(async () => told.app.of(ada.id).some(({ told: { type, data } }) => type === 'trial.erased' && data.user_id === ada.userId));
  await eventually(async () => (await idsOf(ada)) === 0);
});

test('goes with an erasure that an operator leaves out', async () => {
  const ada = await erased();
  for (let left = (await rowsOf(ada)).length; left > 0; left -= 1) {
    await isGivenUp(ada);
    await skip(told.bridge.db, ada.id);
  }
  expect(await idsOf(ada)).toBe(0);
});

test('goes when a bridge starts that tells this app nothing more', async () => {
  const ada = await erased();
  const { db } = told.bridge;
  const subscribed = await db.selectFrom('bridge.webhook_subscription').selectAll().execute();
  await keepSubscriptions(db, [], ['app']);
  expect(await idsOf(ada)).toBe(0);
  await db.insertInto('bridge.webhook_subscription').values(subscribed).execute();
});
