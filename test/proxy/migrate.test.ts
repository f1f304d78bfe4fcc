import { expect, test } from '@jest/globals';
import { Client } from 'pg';
import { migrate } from '../../proxy/db/migrate.ts';
import { freshDatabase } from '../support/database.ts';

test('ten replicas that start at once migrate an empty database once', async () => {
  const database = await freshDatabase();
  const client = new Client({ connectionString: database.proxyUrl });
  await client.connect();
  await client.query('drop schema proxy cascade');
  await Promise.all(Array.from({ length: 10 }, () => migrate(database.proxyUrl)));
  const { rows } = await client.query('select name from proxy.kysely_migration order by name');
  await client.end();
  await database.drop();
  expect(rows).toEqual([{ name: '0001_session_and_login' }, { name: '0002_live_sessions' }, { name: '0003_kept_claims' }, { name: '0004_trial_ends' }, { name: '0005_preparing' }, { name: '0006_embeds' }, { name: '0007_touches_in_place' }, { name: '0008_whose_and_by_whom' }]);
});
