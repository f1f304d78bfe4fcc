import type { Db, Trx } from '../db/schema.ts';
import type { BillingActorKind } from '../db/remote-billing.schema.ts';

export type BillingAct =
  | 'server_registered'
  | 'server_updated'
  | 'key_renewed'
  | 'server_transferred'
  | 'server_deactivated'
  | 'realm_registered'
  | 'realm_changed'
  | 'realm_locally_deleted'
  | 'realm_restored'
  | 'mail_requested'
  | 'link_opened'
  | 'user_confirmed'
  | 'address_changed'
  | 'login'
  | 'logout'
  | 'user_deactivated'
  | 'links_disowned'
  | 'plan_begun'
  | 'plan_scheduled'
  | 'plan_renewed'
  | 'plan_ended'
  | 'plan_moved'
  | 'seats_changed'
  | 'renewal_stopped'
  | 'renewal_resumed'
  | 'schedule_dropped'
  | 'details_changed'
  | 'sponsorship_requested'
  | 'sponsorship_granted'
  | 'sponsorship_declined'
  | 'plan_given'
  | 'server_reactivated'
  | 'realm_deactivated'
  | 'realm_reactivated'
  | 'user_reactivated'
  | 'refused';

export interface AuditEntry {
  at: Date;
  act: BillingAct;
  actor: { kind: BillingActorKind; id?: string | undefined };
  serverId?: string | undefined;
  realmId?: string | undefined;
  userId?: string | undefined;
  clientAddress?: string | undefined;
  requestId: string;
  /** Staff's, for the act. */
  reason?: string | undefined;
  /** Never a token, key or secret. */
  details?: Readonly<Record<string, unknown>>;
}

export async function recordAct(db: Db | Trx, entry: AuditEntry): Promise<void> {
  await db
    .insertInto('bridge.billing_audit')
    .values({
      at: entry.at,
      act: entry.act,
      actor_kind: entry.actor.kind,
      actor_id: entry.actor.id ?? null,
      server_id: entry.serverId ?? null,
      realm_id: entry.realmId ?? null,
      user_id: entry.userId ?? null,
      client_address: entry.clientAddress ?? null,
      request_id: entry.requestId,
      details: JSON.stringify({ ...entry.details, ...(entry.reason === undefined ? {} : { reason: entry.reason }) }),
    })
    .execute();
}

/** What was done to a realm, or to a server with all of its realms; the newest first. */
export async function listActs(db: Db | Trx, of: { realmId: string } | { serverId: string }, most: number) {
  const acts = db.selectFrom('bridge.billing_audit').select(['at', 'act', 'actor_kind as actorKind', 'actor_id as actorId', 'user_id as userId', 'details']);
  const [name, value] = 'realmId' in of ? (['realm_id', of.realmId] as const) : (['server_id', of.serverId] as const);
  return acts.where(name, '=', value).orderBy('at', 'desc').orderBy('id', 'desc').limit(most).execute();
}
