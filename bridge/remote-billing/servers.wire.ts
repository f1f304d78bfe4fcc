import type { AccessUser } from './access-token.ts';
import type { Report } from './realm-sync.service.ts';
import type { RemoteRealm, ReportedRealm } from './realm.store.ts';
import type { AnalyticsForm, AuditRowOnWire, RealmOnWire } from './servers.schemas.ts';
import { isDeactivated } from './standing.ts';

/** Keys of Zulip's `extra_data`: counts of people by role. */
const ROLE_COUNT = '10';
const HUMANS = '11';
const GUEST = '600';
/** So many guests take a seat. */
const GUESTS_PER_SEAT = 5;

export function realmFromWire(realm: RealmOnWire): ReportedRealm & { ownerSecret: string } {
  return {
    id: realm.uuid,
    localId: realm.id,
    host: realm.host,
    url: realm.url,
    name: realm.name,
    orgType: realm.org_type,
    dateCreated: new Date(Math.floor(realm.date_created * 1000)),
    authenticationMethods: realm.authentication_methods,
    isSystemBotRealm: realm.is_system_bot_realm,
    deactivated: realm.deactivated,
    ownerSecret: realm.uuid_owner_secret,
  };
}

export function userFromWire(user: { uuid: string; email: string; full_name: string }): AccessUser {
  return { uuid: user.uuid, email: user.email, fullName: user.full_name };
}

export function reportFromWire(form: AnalyticsForm): Report {
  return {
    realms: form.realms?.map(realmFromWire),
    seats: (form.realmauditlog_rows ?? []).flatMap(seatsOf),
    marks: {
      lastRealmCountId: highestId(form.realm_counts),
      lastInstallationCountId: highestId(form.installation_counts),
      lastRealmauditlogId: highestId(form.realmauditlog_rows),
    },
    version: form.version ?? null,
  };
}

/** What a row of the server's audit log says of seats: members, or a seat for every five guests where those are more. */
export function seatsOf({ realm, event_time, extra_data }: AuditRowOnWire): Report['seats'] {
  const humans = at(at(typeof extra_data === 'string' ? parsed(extra_data) : extra_data, ROLE_COUNT), HUMANS);
  if (typeof humans !== 'object' || humans === null) return [];
  const counts = Object.entries(humans).filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1]) && entry[1] >= 0);
  const total = (guests: boolean) => counts.filter(([role]) => (role === GUEST) === guests).reduce((sum, [, count]) => sum + count, 0);
  const seats = Math.max(total(false), Math.ceil(total(true) / GUESTS_PER_SEAT));
  return seats > 2_147_483_647 ? [] : [{ localId: realm, seats, at: new Date(Math.floor(event_time * 1000)) }];
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function highestId(rows: readonly { id: number }[] | null | undefined): number {
  return (rows ?? []).reduce((highest, { id }) => Math.max(highest, id), 0);
}

/** We send no push notifications; an active realm may go on with them. */
export function reportToWire(realms: readonly RemoteRealm[]) {
  return {
    realms: Object.fromEntries(realms.map((realm) => [realm.id, { can_push: !isDeactivated({ server: { deactivated: false }, realm }), expected_end_timestamp: null }])),
  };
}
