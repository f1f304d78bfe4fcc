import { sql, type Kysely } from 'kysely';
import type { Tables } from '../db/tables.ts';
import { FINGERPRINT } from './session.store.ts';

type Db = Kysely<Tables>;

/** Of these sessions, named by their hash in base64, those that are gone or have another fingerprint. As texts: arrays would cost more than the question. */
export async function findChangedSessions(db: Db, asked: readonly { key: string; fingerprint: number }[]): Promise<readonly string[]> {
  const [keys, fingerprints] = [asked.map(({ key }) => key).join(' '), asked.map(({ fingerprint }) => fingerprint).join(' ')];
  const { rows } = await sql<{ key: string }>`
    select asked.key from unnest(string_to_array(${keys}, ' '), string_to_array(${fingerprints}, ' ')::integer[]) as asked(key, fingerprint)
    where not exists (select from proxy.session where id_hash = decode(asked.key, 'base64') and ${FINGERPRINT} = asked.fingerprint)`.execute(db);
  return rows.map(({ key }) => key);
}

/** A row that somebody else has in hand is left out: nobody waits for this, and it for nobody. Answers with the keys of these. */
export async function touchSessions(db: Db, seen: ReadonlyMap<string, Date>): Promise<readonly string[]> {
  const [keys, milliseconds] = [[...seen.keys()].join(' '), Array.from(seen.values(), (at) => at.getTime()).join(' ')];
  const { rows } = await sql<{ key: string }>`
    with told as (
      select key, decode(key, 'base64') as id_hash, timestamptz 'epoch' + milliseconds::bigint * interval '1 millisecond' as at
      from unnest(string_to_array(${keys}, ' '), string_to_array(${milliseconds}, ' ')) as one(key, milliseconds)
    ), free as (
      select session.id_hash, told.at from told join proxy.session on session.id_hash = told.id_hash and session.last_seen_at < told.at
      for no key update of session skip locked
    ), written as (
      update proxy.session set last_seen_at = free.at from free where session.id_hash = free.id_hash returning session.id_hash
    )
    select key from told join proxy.session on session.id_hash = told.id_hash and session.last_seen_at < told.at
    where not exists (select from written where written.id_hash = told.id_hash)`.execute(db);
  return rows.map(({ key }) => key);
}

export async function countSessions(db: Db, endingAfter: Date, seenAfter: Date): Promise<number> {
  const { count } = await db
    .selectFrom('proxy.session')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('ends_at', '>', endingAfter)
    .where('last_seen_at', '>', seenAfter)
    .executeTakeFirstOrThrow();
  return Number(count);
}

export async function deleteEndedSessions(db: Db, endedBefore: Date, idleSince: Date): Promise<void> {
  await db
    .deleteFrom('proxy.session')
    .where((where) => where.or([where('ends_at', '<', endedBefore), where('last_seen_at', '<', idleSince)]))
    .execute();
}
