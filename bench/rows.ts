import { createHash } from 'node:crypto';
import type { Client } from 'pg';
import { withClient } from '../dev/postgres.ts';

/** Fills tables with rows that fit each other, as fast as Postgres can. `adminUrl` is the superuser's. */
export async function fillTables(adminUrl: string, tables: readonly string[], fill: (client: Client) => Promise<void>): Promise<void> {
  await withClient(adminUrl, async (client) => {
    // No foreign keys, no triggers and no indexes while it fills: rows that fit are written, and indexed all at once.
    await client.query('set session_replication_role = replica');
    await client.query(`set maintenance_work_mem = '256MB'`);
    await client.query('update pg_index set indisready = false, indisvalid = false where indrelid = any($1::regclass[])', [tables]);
    await fill(client);
    for (const table of tables) {
      await client.query(`reindex table ${table}`);
      await client.query(`vacuum (analyze) ${table}`);
    }
    await client.query('checkpoint');
  });
}

/** In SQL: the id of row `n`, with version and variant as requests must have them; `uuidOf` is the same here. */
export function uuid(what: string, n = 'n'): string {
  return `overlay(overlay(md5('${what}' || ${n}) placing '4' from 13) placing '8' from 17)::uuid`;
}

export function uuidOf(what: string, n: number): string {
  return md5(what, n).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5');
}

export function md5(what: string, n: number): string {
  return createHash('md5').update(`${what}${n}`).digest('hex');
}

export function upTo(most: number): number {
  return 1 + Math.floor(Math.random() * most);
}
