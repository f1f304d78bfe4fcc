import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CompiledQuery } from 'kysely';
import { openDatabase, type Database } from '../../platform/database.ts';
import { freshDatabase } from '../support/database.ts';

let database: Database<unknown>;
let drop: () => Promise<void>;
beforeAll(async () => {
  const fresh = await freshDatabase();
  drop = fresh.drop;
  database = openDatabase(fresh.bridgeUrl, { poolSize: 1, name: 'test', onError: () => {} });
});
afterAll(async () => {
  await database.close();
  await drop();
});

const run = async (text: string, values: readonly unknown[]) => (await database.db.executeQuery(CompiledQuery.raw(text, [...values]))).rows;
const planned = (part: string) => run('select name, statement from pg_prepared_statements where statement like $1', [`%as ${part}%`]);

test('a marked statement is planned once for its connection, others not at all', async () => {
  const text = '/* prepared: sum */ select $1::int + 1 as sum';
  expect([await run(text, [1]), await run(text, [2]), await run('select $1::int as plain', [3])]).toEqual([[{ sum: 2 }], [{ sum: 3 }], [{ plain: 3 }]]);
  expect([await planned('sum'), await planned('plain')]).toEqual([[{ name: 'sum', statement: text }], []]);
});

test('one name is one text', async () => {
  await run('/* prepared: one */ select $1::int as one', [1]);
  await expect(run('/* prepared: one */ select $1::int as two', [1])).rejects.toThrow('Prepared statements must be unique');
});

test('in a transaction as well, and after an error', async () => {
  const text = '/* prepared: division */ select 6 / $1::int as result';
  await expect(database.db.transaction().execute((trx) => trx.executeQuery(CompiledQuery.raw(text, [0])))).rejects.toThrow('division by zero');
  expect((await database.db.transaction().execute((trx) => trx.executeQuery(CompiledQuery.raw(text, [2])))).rows).toEqual([{ result: 3 }]);
});
