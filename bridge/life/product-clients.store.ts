import { sql } from 'kysely';
import type { Db, Trx } from '../db/schema.ts';

/** Sorted; undefined: no replica has said any yet. */
export async function findClients(db: Db | Trx, product: string): Promise<readonly string[] | undefined> {
  const row = await db.selectFrom('bridge.product_clients').select('clients').where('product', '=', product).executeTakeFirst();
  return row?.clients;
}

export async function listClients(db: Db): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await db.selectFrom('bridge.product_clients').select(['product', 'clients']).execute();
  return new Map(rows.map(({ product, clients }) => [product, clients]));
}

/** From its commit on, whoever begins a trial sees these. Those that began before are still to be told where they are others than before. */
export async function storeClients(trx: Trx, product: string, clients: readonly string[]): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('vestibule product clients'))`.execute(trx);
  await sql`insert into bridge.product_clients (product, clients, changed_at, told)
    select ${product}, ${clients}::text[], case when begun then now() else '-infinity' end, not begun
      from (select exists (select from bridge.life where product = ${product} and user_id is not null) as begun) as trials
    on conflict (product) do update set clients = excluded.clients, changed_at = now(), told = false
      where product_clients.clients <> excluded.clients`.execute(trx);
}

/** Every trial of the product that has a person is to be stamped again, once. Answers how many. */
export async function queueStamps(trx: Trx, product: string): Promise<number> {
  const { rows: untold } = await sql`update bridge.product_clients set told = true where product = ${product} and not told returning product`.execute(trx);
  if (untold.length === 0) return 0;
  const { rows } = await sql<{ count: number }>`
    with stamped as (
      select id from bridge.life where product = ${product} and user_id is not null and erase_asked_at is null order by id for no key update
    ), raised as (
      update bridge.life set version = version + 1 from stamped where life.id = stamped.id returning life.id
    )
    select count((graphile_worker.add_job('keep_life', payload => json_build_object('life_id', id), job_key => 'keep:' || id,
      run_at => now() + interval '5 seconds', queue_name => 'keep_life')).id)::int as count from raised`.execute(trx);
  return rows[0]?.count ?? 0;
}

/** Whoever Keycloak has not heard of, and for whom no job is there any more: a replica that did not know the product has ended it. */
export async function queueForgotten(db: Db, product: string): Promise<void> {
  await sql`select graphile_worker.add_job('keep_life', payload => json_build_object('life_id', life.id), job_key => 'keep:' || life.id, queue_name => 'keep_life')
    from bridge.life where product = ${product} and user_id is not null and erase_asked_at is null and kept_version < version
      and not exists (select from graphile_worker.jobs where key = 'keep:' || life.id)`.execute(db);
}

/** Products that trials wait for, and that are none of these. */
export async function listMissingProducts(db: Db, products: readonly string[]): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('bridge.life')
    .select('product')
    .distinct()
    .where('next_deadline', 'is not', null)
    .where('erased_at', 'is', null)
    .where('product', 'not in', products)
    .orderBy('product')
    .execute();
  return rows.map(({ product }) => product);
}
