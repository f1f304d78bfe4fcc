import { sql } from 'kysely';
import type { Db } from '../../db/schema.ts';

export type Matched = 'uuid' | 'host' | 'contact_email' | 'billing_user' | 'confirmation' | 'invoice_recipient';

/** A place that fits, by its ids; `realmId` null: a whole server. */
export interface Match {
  serverId: string;
  realmId: string | null;
  matched: Matched;
}

export async function matchesOfUuid(db: Db, uuid: string, most: number): Promise<readonly Match[]> {
  const { rows } = await sql<Match>`
    (select id as "serverId", null::uuid as "realmId", 'uuid' as matched from bridge.remote_server where id = ${uuid})
    union (select server_id, id, 'uuid' from bridge.remote_realm where id = ${uuid})
    union (select coalesce(u.server_id, r.server_id), u.realm_id, 'billing_user' from bridge.billing_user u left join bridge.remote_realm r on r.id = u.realm_id
           where u.id = ${uuid} or u.user_uuid = ${uuid} limit ${most})`.execute(db);
  return rows;
}

export async function matchesOfAddress(db: Db, { address, mailboxHash, written }: { address: string; mailboxHash: Buffer; written: string }, most: number): Promise<readonly Match[]> {
  const { rows } = await sql<Match>`
    (select id as "serverId", null::uuid as "realmId", 'contact_email' as matched from bridge.remote_server where lower(contact_email) = ${written} limit ${most})
    union (select coalesce(u.server_id, r.server_id), u.realm_id, 'billing_user' from bridge.billing_user u left join bridge.remote_realm r on r.id = u.realm_id where u.email = ${address} limit ${most})
    union (select server_id, realm_id, 'confirmation' from bridge.billing_login_request where mailbox_hash = ${mailboxHash} limit ${most})
    union (select coalesce(a.server_id, r.server_id), a.realm_id, 'invoice_recipient' from bridge.billing_account a left join bridge.remote_realm r on r.id = a.realm_id
           where a.invoice_recipients ? ${address} limit ${most})`.execute(db);
  return rows;
}

export async function pendingRequests(db: Db, most: number) {
  const { rows } = await sql<{ serverId: string; realmId: string | null; requestedPlan: string; requestedAt: Date }>`
    select coalesce(a.server_id, r.server_id) as "serverId", a.realm_id as "realmId", s.requested_plan as "requestedPlan", s.requested_at as "requestedAt"
    from bridge.sponsorship_request s join bridge.billing_account a on a.id = s.account_id left join bridge.remote_realm r on r.id = a.realm_id
    where s.state = 'pending' order by s.requested_at, s.id limit ${most}`.execute(db);
  return rows;
}

/** Hosts that contain this text. */
export async function matchesOfHost(db: Db, part: string, most: number): Promise<readonly Match[]> {
  const { rows } = await sql<Match>`
    (select id as "serverId", null::uuid as "realmId", 'host' as matched from bridge.remote_server where strpos(lower(hostname), ${part}) > 0 order by hostname limit ${most})
    union (select server_id, id, 'host' from bridge.remote_realm where strpos(lower(host), ${part}) > 0 order by host limit ${most})`.execute(db);
  return rows;
}
