import { sql } from 'kysely';
import type { Db } from '../db/schema.ts';

/** Of the trials that began on one day, how many came how far by now: each number is a part of the one before. */
export interface FunnelDay {
  /** `YYYY-MM-DD`, UTC. */
  day: string;
  product: string;
  invited: number;
  opened: number;
  registered: number;
  active: number;
  converted: number;
}

/** Days without a trial are left out. `to` is the first day that is not counted. */
export async function readFunnel(db: Db, { from, to, product }: { from: string; to: string; product: string | undefined }): Promise<readonly FunnelDay[]> {
  const { rows } = await sql<FunnelDay>`
    with reached as (
      select (life.began_at at time zone 'UTC')::date as day, life.product,
        coalesce(seen.opened, false) as opened, coalesce(seen.registered, false) as registered, coalesce(seen.signed_in, false) as signed_in, coalesce(seen.converted, false) as converted
      from bridge.life, lateral (
        select bool_or(kind = 'link_opened' and detail ->> 'by' = 'person') as opened,
          count(*) filter (where kind = 'registered') > count(*) filter (where kind = 'released') as registered,
          bool_or(kind = 'signed_in') as signed_in, bool_or(kind = 'converted') as converted
        from bridge.life_event where life_id = life.id and kind in ('link_opened', 'registered', 'released', 'signed_in', 'converted')
      ) as seen
      where life.began_at >= ${from}::timestamp at time zone 'UTC' and life.began_at < ${to}::timestamp at time zone 'UTC'
        and not life.rehearsal and (${product ?? null}::text is null or life.product = ${product ?? null})
    )
    select to_char(day, 'YYYY-MM-DD') as day, product, count(*)::int as invited,
      count(*) filter (where opened or registered or signed_in or converted)::int as opened,
      count(*) filter (where registered or signed_in or converted)::int as registered,
      count(*) filter (where signed_in or converted)::int as active,
      count(*) filter (where converted)::int as converted
    from reached group by day, product order by day, product`.execute(db);
  return rows;
}
