import { Client } from 'pg';
import type { Stand } from './stand.ts';

/** Behind the proxy's back; answers with the rows of the last statement that has any. */
export async function asSuperuser<T>({ database }: Pick<Stand, 'database'>, statements: string): Promise<T[]> {
  const client = new Client({ connectionString: database.adminUrl });
  await client.connect();
  const results = [await client.query(statements)].flat();
  await client.end();
  return (results.findLast(({ rows }) => rows.length > 0)?.rows ?? []) as T[];
}
