import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { openDatabase, type Database } from '../../platform/database.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';

let fresh: TestDatabase;
let database: Database<unknown>;
beforeAll(async () => {
  fresh = await freshDatabase();
  database = openDatabase(fresh.proxyUrl, { poolSize: 1, name: 'test', onError: () => {}, silenceMilliseconds: 300 });
});
afterAll(async () => {
  await database.close();
  await fresh.drop();
});

test('a connection without an answer is given up, and the next statement gets another', async () => {
  await expect(sql`select pg_sleep(60)`.execute(database.db)).rejects.toThrow(/Postgres did not answer within 300 ms|Connection terminated/);
  const { rows } = await sql<{ one: number }>`select 1 as one`.execute(database.db);
  expect(rows).toEqual([{ one: 1 }]);
});
