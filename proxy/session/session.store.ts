import { sql, type Kysely, type Selectable } from 'kysely';
import type { SessionTable, Tables } from '../db/tables.ts';
import type { Identity } from '../provider/provider.ts';
import { oneCopy, oneCopyOfList } from './one-copy.ts';

export interface StoredSession extends Identity {
  /** The app has not made this person's workspace yet: nobody is let in. */
  preparing: boolean;
  idHash: Buffer;
  /** Host of the site that it was opened at. */
  site: string;
  createdAt: Date;
  lastSeenAt: Date;
  /** The nearest of the absolute end, the trial's and the provider's. */
  endsAt: Date;
  absoluteEndAt: Date;
  /** When the access token ends; null where there is nothing to refresh with. */
  refreshDueAt: Date | null;
}

export interface NewSession extends StoredSession {
  sealedTokens: string;
  endWithoutTrialAt: Date;
}

/** With what tells its row from any other content that it may have: what a notice is sent for (migration 0002) changes it. */
export interface ReadSession {
  session: StoredSession;
  fingerprint: number;
}

type Db = Kysely<Tables>;

const COLUMNS = [
  'id_hash', 'site', 'sub', 'sid', 'email', 'name', 'roles', 'groups', 'trial_app', 'trial_ends_at', 'trial_access_until', 'claims', 'preparing',
  'created_at', 'last_seen_at', 'ends_at', 'absolute_end_at', 'refresh_due_at',
] as const satisfies readonly (keyof SessionTable)[];

/** Where an older release wrote the row, what it wrote tells as much. */
const END_WITHOUT_TRIAL = sql<Date>`coalesce(end_without_trial_at, case when ends_at < trial_access_until then ends_at else absolute_end_at end)`;

export async function insertSession(db: Db, session: NewSession): Promise<void> {
  await db
    .insertInto('proxy.session')
    .values({
      id_hash: session.idHash,
      site: session.site,
      sealed_tokens: session.sealedTokens,
      created_at: session.createdAt,
      last_seen_at: session.lastSeenAt,
      ends_at: session.endsAt,
      end_without_trial_at: session.endWithoutTrialAt,
      absolute_end_at: session.absoluteEndAt,
      refresh_due_at: session.refreshDueAt,
      refresh_lease_until: null,
      ...identityColumns(session),
    })
    .execute();
}

const FINGERPRINT = sql<number>`hashtext(row(site, sub, sid, email, name, roles, groups, trial_app, trial_ends_at, trial_access_until, claims, preparing, ends_at, absolute_end_at, refresh_due_at)::text)`;

export async function findSession(db: Db, idHash: Buffer): Promise<ReadSession | undefined> {
  const row = await db.selectFrom('proxy.session').select(COLUMNS).select(FINGERPRINT.as('fingerprint')).where('id_hash', '=', idHash).executeTakeFirst();
  return row && { session: toSession(row), fingerprint: row.fingerprint };
}

/** Of these sessions, named by their hash in base64, those that are gone or have another fingerprint. As texts: arrays would cost more than the question. */
export async function findChangedSessions(db: Db, asked: readonly { key: string; fingerprint: number }[]): Promise<readonly string[]> {
  const [keys, fingerprints] = [asked.map(({ key }) => key).join(' '), asked.map(({ fingerprint }) => fingerprint).join(' ')];
  const { rows } = await sql<{ key: string }>`
    select asked.key from unnest(string_to_array(${keys}, ' '), string_to_array(${fingerprints}, ' ')::integer[]) as asked(key, fingerprint)
    where not exists (select from proxy.session where id_hash = decode(asked.key, 'base64') and ${FINGERPRINT} = asked.fingerprint)`.execute(db);
  return rows.map(({ key }) => key);
}

export async function findSealedTokens(db: Db, idHash: Buffer): Promise<string | undefined> {
  const row = await db.selectFrom('proxy.session').select('sealed_tokens').where('id_hash', '=', idHash).executeTakeFirst();
  return row?.sealed_tokens;
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

/** Brings the end nearer, never further away. */
export async function shortenSession(db: Db, idHash: Buffer, endsAt: Date): Promise<void> {
  await db
    .updateTable('proxy.session')
    .set({ ends_at: sql<Date>`least(ends_at, ${endsAt})`, end_without_trial_at: sql<Date>`least(${END_WITHOUT_TRIAL}, ${endsAt})` })
    .where('id_hash', '=', idHash)
    .execute();
}

/** Moves the end of the trial of everybody who is signed in as this person at this site, nearer or further away; null: no end any more. `preparing` as {@link StoredSession}. */
export async function moveTrialEnd(db: Db, { sub, site }: { sub: string; site: string }, trial: { endsAt: Date | null; accessUntil: Date | null; preparing: boolean }): Promise<void> {
  const [endsAt, accessUntil] = [sql<Date | null>`${trial.endsAt}::timestamptz`, sql<Date | null>`${trial.accessUntil}::timestamptz`];
  await db
    .updateTable('proxy.session')
    .set({ trial_ends_at: endsAt, trial_access_until: accessUntil, preparing: trial.preparing, ends_at: sql<Date>`least(${END_WITHOUT_TRIAL}, ${accessUntil})` })
    .where('sub', '=', sub)
    .where('site', '=', site)
    // Each replica comes with the same word; a row that holds it already is not told about again.
    .where(sql<boolean>`(trial_ends_at, trial_access_until, preparing) is distinct from (${endsAt}, ${accessUntil}, ${trial.preparing}::boolean)`)
    .execute();
}

export async function findSessionsOf(db: Db, subs: readonly string[]): Promise<readonly { idHash: Buffer; sub: string; site: string }[]> {
  return db.selectFrom('proxy.session').select(['id_hash as idHash', 'sub', 'site']).where('sub', 'in', subs).execute();
}

/** With `sid`: every session of that Keycloak session. `sites`: hosts of those that the provider signs people in at. Answers which were deleted. */
export async function deleteSessions(db: Db, which: { sites: readonly string[]; idHash?: Buffer; sid?: string | null; sub?: string }): Promise<Buffer[]> {
  const { sites, idHash, sid, sub } = which;
  const rows = await db
    .deleteFrom('proxy.session')
    .where('site', 'in', [...sites])
    .where((where) =>
      where.or([
        ...(idHash === undefined ? [] : [where('id_hash', '=', idHash)]),
        ...(sid ? [where('sid', '=', sid)] : []),
        ...(sub === undefined ? [] : [where('sub', '=', sub)]),
      ]),
    )
    .returning('id_hash')
    .execute();
  return rows.map((row) => row.id_hash);
}

/** One caller on one replica gets it until `until`, and with it the tokens. */
export async function takeRefresh(db: Db, idHash: Buffer, now: Date, due: Date, until: Date): Promise<string | undefined> {
  const row = await db
    .updateTable('proxy.session')
    .set({ refresh_lease_until: until })
    .where('id_hash', '=', idHash)
    .where('refresh_due_at', '<=', due)
    .where((where) => where.or([where('refresh_lease_until', 'is', null), where('refresh_lease_until', '<=', now)]))
    .returning('sealed_tokens')
    .executeTakeFirst();
  return row?.sealed_tokens;
}

export async function saveRefreshed(
  db: Db,
  idHash: Buffer,
  fresh: { identity: Identity & Pick<StoredSession, 'preparing'>; sealedTokens: string; refreshDueAt: Date | null; endsAt: Date; endWithoutTrialAt: Date },
): Promise<void> {
  await db
    .updateTable('proxy.session')
    .set({ ...identityColumns(fresh.identity), sealed_tokens: fresh.sealedTokens, refresh_due_at: fresh.refreshDueAt, ends_at: fresh.endsAt, end_without_trial_at: fresh.endWithoutTrialAt, refresh_lease_until: null })
    .where('id_hash', '=', idHash)
    .execute();
}

export async function postponeRefresh(db: Db, idHash: Buffer, askAgainAt: Date): Promise<void> {
  await db.updateTable('proxy.session').set({ refresh_due_at: askAgainAt, refresh_lease_until: null }).where('id_hash', '=', idHash).execute();
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

function identityColumns({ sub, sid, email, name, roles, groups, trial, claims, preparing }: Identity & Pick<StoredSession, 'preparing'>) {
  return {
    preparing,
    sub,
    sid,
    email,
    name,
    roles: [...roles],
    groups: [...groups],
    trial_app: trial?.app ?? null,
    trial_ends_at: trial?.endsAt ?? null,
    trial_access_until: trial?.accessUntil ?? null,
    claims: claims && JSON.stringify(claims),
  };
}

function toSession(row: Pick<Selectable<SessionTable>, (typeof COLUMNS)[number]>): StoredSession {
  const idHash = Buffer.alloc(row.id_hash.length);
  // A copy: what the driver gives is a piece of a larger memory, which would stay as long.
  row.id_hash.copy(idHash);
  return {
    idHash,
    site: oneCopy(row.site),
    sub: row.sub,
    sid: row.sid,
    email: row.email,
    name: row.name,
    roles: oneCopyOfList(row.roles),
    groups: oneCopyOfList(row.groups),
    trial: row.trial_access_until === null && row.trial_app === null ? null : { app: row.trial_app, endsAt: row.trial_ends_at ?? row.trial_access_until, accessUntil: row.trial_access_until },
    claims: row.claims,
    preparing: row.preparing,
    createdAt: row.created_at,
    lastSeenAt: row.last_seen_at,
    endsAt: row.ends_at,
    absoluteEndAt: row.absolute_end_at.getTime() === row.ends_at.getTime() ? row.ends_at : row.absolute_end_at,
    refreshDueAt: row.refresh_due_at,
  };
}
