import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { addJob } from '../../bridge/db/job.ts';
import { deleteMarkedLife, insertMarkedLife, passTime } from '../../bridge/rehearsal/rehearsal.store.ts';
import { creationOf, openBridge, type TestBridge } from './support/bridge.ts';
import { read, signedUp } from './life/person.ts';

const DAY = 86_400;

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge();
});
afterAll(() => bridge.close());

let count = 0;
async function marked(): Promise<{ id: string; address: string; userId: string; attemptId: string }> {
  count += 1;
  const address = `ops+rehearsal-${count}@example.com`;
  const id = await bridge.db.transaction().execute((trx) => insertMarkedLife(trx, { product: 'app', address, locale: 'en', beganAt: bridge.clock.now() }));
  const creation = creationOf(await bridge.invite({ address, lifeId: id }), { username: address });
  await bridge.asStep('/api/trial/creation', creation);
  return { id, address, userId: creation.user_id, attemptId: creation.attempt_id };
}
const commit = async ({ attemptId, userId, address }: Awaited<ReturnType<typeof marked>>) => {
  await bridge.asStep('/api/trial/creation/outcome', { attempt_id: attemptId, user_id: userId, outcome: 'committed' });
  bridge.accounts.add({ id: userId, username: address });
};
const passes = (id: string, seconds: number) => bridge.db.transaction().execute((trx) => passTime(trx, id, seconds));

/** Every row of every table. */
async function everything(): Promise<Record<string, string>> {
  const { rows } = await sql<{ name: string }>`select table_name as name from information_schema.tables where table_schema = 'bridge'`.execute(bridge.db);
  const all = await Promise.all(rows.map(async ({ name }) => [name, (await sql<{ rows: string }>`select coalesce(string_agg(one::text, '|' order by one::text), '') as rows from ${sql.table(`bridge.${name}`)} as one`.execute(bridge.db)).rows[0]!.rows] as const));
  return Object.fromEntries(all);
}

/** SECURITY.md 27 */
test('SECURITY 27: time goes by for a marked trial, and for nobody else', async () => {
  const ada = await signedUp(bridge);
  await bridge.settled();
  const before = await everything();
  expect(await passes(ada.id, 3 * DAY)).toBe(false);
  expect(await everything()).toEqual(before);
  const one = await marked();
  await commit(one);
  const [hers, its] = [await read(bridge, ada), await read(bridge, one)];
  expect(await passes(one.id, 3 * DAY)).toBe(true);
  expect(await read(bridge, one)).toMatchObject({ began_at: Number(its['began_at']) - 3 * DAY, trial_ends_at: Number(its['trial_ends_at']) - 3 * DAY, trial_access_until: Number(its['trial_access_until']) - 3 * DAY });
  expect(await read(bridge, ada)).toEqual(hers);
  expect((await bridge.asStep(`/api/trial/infos?user_id=${one.userId}`)).body).toMatchObject({ days_left: 11 });
});

test('SECURITY 27: nobody real can be marked', async () => {
  const ada = await signedUp(bridge);
  await expect(bridge.db.updateTable('bridge.life').set({ rehearsal: true }).where('id', '=', ada.id).execute()).rejects.toThrow('life_rehearsal');
  await expect(bridge.db.transaction().execute((trx) => deleteMarkedLife(trx, ada.id))).resolves.toBe(false);
  expect(await read(bridge, ada)).toMatchObject({ state: 'active' });
});

test('a rehearsal that was killed is taken away by the bridge itself, at whatever it was', async () => {
  const [confirmed, pending] = [await marked(), await marked()];
  await commit(confirmed);
  for (const { id } of [confirmed, pending]) await addJob(bridge.db, 'end_rehearsal', { life_id: id });
  await bridge.settled();
  expect(bridge.keeper.removed).toEqual([confirmed.userId]);
  const before = await everything();
  expect(before['life']).not.toContain(confirmed.id);
  // Its registration may still come through.
  expect(before['life']).toContain(pending.id);
  bridge.clock.pass(DAY);
  await bridge.hurry();
  await bridge.hurry();
  const after = Object.values(await everything()).join('\n');
  for (const { id, address, userId } of [confirmed, pending]) for (const name of [id, address, userId]) expect(after).not.toContain(name);
});

test('whoever is not marked is not taken away', async () => {
  const ada = await signedUp(bridge);
  await addJob(bridge.db, 'end_rehearsal', { life_id: ada.id }, { maxAttempts: 1 });
  await bridge.settled();
  expect(await read(bridge, ada)).toMatchObject({ state: 'active', erasure: null });
});
