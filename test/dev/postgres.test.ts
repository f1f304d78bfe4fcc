import { expect, test } from '@jest/globals';
import { withClient } from '../../dev/postgres.ts';
import { freshDatabase } from '../support/database.ts';

test('each test database belongs to both roles, and is gone once dropped', async () => {
  const database = await freshDatabase();
  for (const url of [database.bridgeUrl, database.proxyUrl]) {
    const role = new URL(url).username;
    const rows = await withClient(url, async (client) => {
      await client.query(`create schema made_by_${role}`);
      return (await client.query('select current_user as role')).rows as unknown[];
    });
    expect(rows).toEqual([{ role }]);
  }
  await database.drop();
  await expect(withClient(database.bridgeUrl, (client) => client.query('select 1'))).rejects.toThrow('does not exist');
});
