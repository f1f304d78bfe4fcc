import type { Db, Trx } from '../db/schema.ts';
import type { LifeState } from './transitions.ts';

/** Everything that a timeline tells. Transitions carry both states. */
export type LifeEventKind =
  | 'invited'
  | 'mail_queued'
  | 'mail_sent'
  | 'mail_failed'
  | 'link_opened'
  | 'form_shown'
  | 'refused'
  | 'joined'
  | 'registered'
  | 'released'
  | 'confirmed'
  | 'provisioned'
  | 'webhook_failed'
  | 'signed_in'
  | 'embeds_revoked'
  | 'reminded'
  | 'ended'
  | 'expired'
  | 'extended'
  | 'converted'
  | 'revoked'
  | 'erase_asked'
  | 'erased'
  | 'second_allowed';

export interface NewLifeEvent {
  lifeId: string;
  /** Domain time. */
  at: Date;
  kind: LifeEventKind;
  from?: LifeState;
  to?: LifeState;
  /** `person`, `scanner`, `keycloak`, `app`, `bridge`, `sweep`, `staff:<sub>` or `client:<id>`. */
  actor: string;
  reason?: string | undefined;
  requestId?: string | undefined;
  idempotencyKey?: string | undefined;
  /** Never an address, a name or a token: it outlives an erasure. */
  detail?: Readonly<Record<string, unknown>>;
}

export interface LifeEvent {
  id: number;
  at: Date;
  kind: LifeEventKind;
  from: LifeState | null;
  to: LifeState | null;
  actor: string;
  reason: string | null;
  requestId: string | null;
  detail: Readonly<Record<string, unknown>>;
}

const COLUMNS = ['id', 'at', 'kind', 'from_state as from', 'to_state as to', 'actor', 'reason', 'request_id as requestId', 'detail'] as const;

/** The only writer besides the triggers of migration 0015. In the transaction of what it tells. */
export async function recordEvent(trx: Trx, event: NewLifeEvent): Promise<void> {
  await recordEvents(trx, [event]);
}

/** Several in one statement, in their order. */
export async function recordEvents(trx: Trx, events: readonly NewLifeEvent[]): Promise<void> {
  if (events.length > 0) await trx.insertInto('bridge.life_event').values(events.map(toRow)).execute();
}

function toRow(event: NewLifeEvent) {
  return {
    life_id: event.lifeId,
    at: event.at,
    kind: event.kind,
    from_state: event.from ?? null,
    to_state: event.to ?? null,
    actor: event.actor,
    reason: event.reason ?? null,
    request_id: event.requestId ?? null,
    idempotency_key: event.idempotencyKey ?? null,
    detail: JSON.stringify(event.detail ?? {}),
  };
}

export async function findEventByKey(db: Db | Trx, lifeId: string, idempotencyKey: string): Promise<LifeEvent | undefined> {
  const row = await db.selectFrom('bridge.life_event').select(COLUMNS).where('life_id', '=', lifeId).where('idempotency_key', '=', idempotencyKey).executeTakeFirst();
  return row && { ...row, id: Number(row.id) };
}

/** Oldest first. */
export async function listEvents(db: Db | Trx, lifeId: string): Promise<readonly LifeEvent[]> {
  const rows = await db.selectFrom('bridge.life_event').select(COLUMNS).where('life_id', '=', lifeId).orderBy('id').execute();
  return rows.map((row) => ({ ...row, id: Number(row.id) }));
}
