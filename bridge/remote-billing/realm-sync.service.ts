import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { AppError } from '../../platform/problem.ts';
import { hashToken, matchesToken } from '../../platform/token.ts';
import type { Db, Trx } from '../db/schema.ts';
import { recordAct, type BillingAct } from './audit.store.ts';
import type { From } from './caller.ts';
import { findRealms, findRealmsOfServer, insertRealm, markLocallyDeleted, reportSeats, updateRealm, type RemoteRealm, type ReportedRealm } from './realm.store.ts';
import { findServerForUpdate, readReportMarks, writeReport, type ReportMarks } from './server.store.ts';

/** What a server uploads from time to time. */
export interface Report {
  /** Undefined: it says nothing of its realms this time. */
  realms: readonly (ReportedRealm & { ownerSecret: string })[] | undefined;
  /** How many people a realm had, by its local id, as of an instant. */
  seats: readonly { localId: number; seats: number; at: Date }[];
  marks: ReportMarks;
  version: string | null;
}

interface Using {
  clock: Clock;
  log: Log;
}

/** Registers new realms, takes over changes, marks absent ones as deleted there and restores those that are back. Answers with the realms that were told of. */
export async function takeReport(db: Db, using: Using, serverId: string, report: Report, from: From): Promise<readonly RemoteRealm[]> {
  try {
    return await take(db, using, serverId, report, from);
  } catch (error) {
    if (error instanceof NotItsOwn) throw await duplicate(db, using, serverId, error, from);
    throw error;
  }
}

async function take(db: Db, using: Using, serverId: string, report: Report, from: From): Promise<readonly RemoteRealm[]> {
  return db.transaction().execute(async (trx) => {
    // One report of a server after the other.
    await findServerForUpdate(trx, serverId);
    if (report.realms !== undefined) await syncRealms(trx, using, serverId, report.realms, from);
    const realms = await findRealmsOfServer(trx, serverId);
    for (const { localId, seats, at } of report.seats) {
      const realm = realms.find((one) => one.localId === localId);
      if (realm !== undefined) await reportSeats(trx, realm.id, seats, at);
    }
    await writeReport(trx, serverId, latest(await readReportMarks(trx, serverId), report.marks), report.version);
    const told = new Set(report.realms?.map(({ id }) => id));
    return realms.filter(({ id }) => told.has(id));
  });
}

async function syncRealms(trx: Trx, using: Using, serverId: string, told: NonNullable<Report['realms']>, from: From): Promise<void> {
  const at = using.clock.now();
  const record = (act: BillingAct, realmId: string, details = {}) => recordAct(trx, { at, act, actor: { kind: 'server', id: serverId }, serverId, realmId, ...from, details });
  const known = new Map((await findRealms(trx, told.map(({ id }) => id))).map((realm) => [realm.id, realm]));
  // In one order, so that two servers that tell of the same realms don't wait for each other.
  for (const realm of told.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const before = known.get(realm.id);
    if (before === undefined) {
      if (!(await insertRealm(trx, serverId, realm, hashToken(realm.ownerSecret), at))) throw new NotItsOwn(realm.id, 'another server');
      await record('realm_registered', realm.id, { host: realm.host });
      continue;
    }
    const { ownerSecret, ...now } = realm;
    if (before.serverId !== serverId) throw new NotItsOwn(realm.id, 'another server');
    if (!matchesToken(ownerSecret, before.ownerSecretHash)) throw new NotItsOwn(realm.id, 'owner secret');
    const changed = changesOf(before, now);
    if (Object.keys(changed).length > 0) await record('realm_changed', realm.id, changed);
    if (before.locallyDeleted) await record('realm_restored', realm.id);
    if (before.locallyDeleted || Object.keys(changed).length > 0) await updateRealm(trx, realm);
  }
  const gone = (await findRealmsOfServer(trx, serverId)).filter(({ id, locallyDeleted }) => !locallyDeleted && !told.some((one) => one.id === id));
  await markLocallyDeleted(trx, gone.map(({ id }) => id), at);
  for (const { id } of gone) await record('realm_locally_deleted', id);
}

/** `field: [before, now]`. */
function changesOf(before: RemoteRealm, now: ReportedRealm): Record<string, readonly unknown[]> {
  return Object.fromEntries(
    Object.entries(now).flatMap(([name, value]) => {
      const old = before[name as keyof ReportedRealm];
      return JSON.stringify(inOrder(old)) === JSON.stringify(inOrder(value)) ? [] : [[name, [old, value]]];
    }),
  );
}

/** Postgres gives the keys of JSON back in an order of its own. */
function inOrder(value: unknown): unknown {
  return typeof value === 'object' && value !== null && !(value instanceof Date) ? Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)) : value;
}

function latest(before: ReportMarks, now: ReportMarks): ReportMarks {
  return {
    lastRealmCountId: Math.max(before.lastRealmCountId, now.lastRealmCountId),
    lastInstallationCountId: Math.max(before.lastInstallationCountId, now.lastInstallationCountId),
    lastRealmauditlogId: Math.max(before.lastRealmauditlogId, now.lastRealmauditlogId),
  };
}

/** Ends the transaction of a report: it is refused whole. */
class NotItsOwn extends Error {
  readonly realmId: string;
  readonly reason: 'another server' | 'owner secret';
  constructor(realmId: string, reason: NotItsOwn['reason']) {
    super(reason);
    this.realmId = realmId;
    this.reason = reason;
  }
}

/** Another server has this realm, or somebody knows its UUID and not its secret: who asks learns no more. */
async function duplicate(db: Db, using: Using, serverId: string, { realmId, reason }: NotItsOwn, from: From): Promise<AppError> {
  using.log.warn({ server_id: serverId, realm_id: realmId, reason }, 'a server told of a realm that is not its own');
  await recordAct(db, { at: using.clock.now(), act: 'refused', actor: { kind: 'server', id: serverId }, serverId, realmId, ...from, details: { reason, step: 'server/analytics' } });
  return new AppError('invalid_request', 'Duplicate registration detected.');
}
