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
  issuer: string;
  clientId: string;
  sealedTokens: string;
  endWithoutTrialAt: Date;
}

/** With what tells its row from any other content that it may have: what a notice is sent for (migration 0002) changes it. */
export interface ReadSession {
  session: StoredSession;
  fingerprint: number;
}

/** By whom it was made, or the tokens that tell it of a row of an older release. */
export type StoredMaker = { issuer: string; clientId: string } | { sealedTokens: string };

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
      issuer: session.issuer,
      client_id: session.clientId,
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

/** Of every column that a notice is sent for. */
export const FINGERPRINT = sql<number>`hashtext(row(site, sub, sid, email, name, roles, groups, trial_app, trial_ends_at, trial_access_until, claims, preparing, ends_at, absolute_end_at, refresh_due_at)::text)`;

export async function findSession(db: Db, idHash: Buffer): Promise<(ReadSession & { maker: StoredMaker }) | undefined> {
  const row = await db
    .selectFrom('proxy.session')
    .select(COLUMNS)
    .select(['issuer', 'client_id', FINGERPRINT.as('fingerprint'), sql<string | null>`case when client_id is null then sealed_tokens end`.as('tokens_without_client')])
    .where('id_hash', '=', idHash)
    .executeTakeFirst();
  if (!row) return undefined;
  const { issuer, client_id: clientId, fingerprint } = row;
  return { session: toSession(row), maker: issuer === null || clientId === null ? { sealedTokens: row.tokens_without_client ?? '' } : { issuer, clientId }, fingerprint };
}

export async function findSealedTokens(db: Db, idHash: Buffer): Promise<string | undefined> {
  const row = await db.selectFrom('proxy.session').select('sealed_tokens').where('id_hash', '=', idHash).executeTakeFirst();
  return row?.sealed_tokens;
}

/** Brings the end nearer, for good: no refresh and no longer trial moves it away again. */
export async function shortenSession(db: Db, idHash: Buffer, endsAt: Date): Promise<void> {
  await db
    .updateTable('proxy.session')
    .set({ ends_at: sql<Date>`least(ends_at, ${endsAt})`, absolute_end_at: sql<Date>`least(absolute_end_at, ${endsAt})`, end_without_trial_at: sql<Date>`least(${END_WITHOUT_TRIAL}, ${endsAt})` })
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

/** Of people who are forgotten: name and address do not wait for the sweep. */
export async function deleteOverSessionsOf(db: Db, subs: readonly string[]): Promise<void> {
  if (subs.length > 0) await db.deleteFrom('proxy.session').where('sub', 'in', subs).where('ends_at', '<=', sql<Date>`now()`).execute();
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

export function identityColumns({ sub, sid, email, name, roles, groups, trial, claims, preparing }: Identity & Pick<StoredSession, 'preparing'>) {
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
