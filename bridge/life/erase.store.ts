import { sql } from 'kysely';
import type { Db, Trx } from '../db/schema.ts';
import type { LifeState } from './transitions.ts';

interface Registrant {
  product: string;
  address: string;
}

interface Person extends Registrant {
  /** Null: nobody registered. */
  userId: string | null;
}

/** An attempt that Keycloak may still commit: pending, or given up after this instant. */
export async function hasAttemptSince(trx: Trx, { product, address }: Registrant, since: Date): Promise<boolean> {
  const row = await trx
    .selectFrom('bridge.registration')
    .select('attempt_id')
    .where('product', '=', product)
    .where('address', '=', address)
    .where((eb) => eb.or([eb('state', '=', 'pending'), eb.and([eb('state', '!=', 'confirmed'), eb('attempted_at', '>', since)])]))
    .executeTakeFirst();
  return row !== undefined;
}

export async function markErasureAsked(trx: Trx, id: string, { at, addressHash }: { at: Date; addressHash: Buffer }): Promise<void> {
  await trx.updateTable('bridge.life').set({ erase_asked_at: at, address_hash: addressHash }).where('id', '=', id).execute();
}

/** Every trial of this person under this address; whoever had the address before, or has it now, with an account of their own is somebody else. */
export async function listLivesOf(trx: Trx, { product, address, userId }: Person): Promise<readonly { id: string; state: LifeState }[]> {
  return trx
    .selectFrom('bridge.life')
    .select(['id', 'state'])
    .where('product', '=', product)
    .where('address', '=', address)
    .where((eb) => eb.or([eb('user_id', 'is', null), ...(userId === null ? [] : [eb('user_id', '=', userId)])]))
    .orderBy('id')
    .forNoKeyUpdate()
    .execute();
}

/**
 * All rows about a person and a product, from what names others to what is named. What the trial of somebody else stands
 * on, who had the same address before, stays. Answers every id that this address registered under.
 */
export async function forgetPerson(trx: Trx, { product, address, userId, lifeIds }: Person & { lifeIds: readonly string[] }): Promise<readonly string[]> {
  if (userId !== null) await trx.deleteFrom('bridge.trial').where('user_id', '=', userId).where('product', '=', product).execute();
  const registered = await sql<{ user_id: string | null }>`delete from bridge.registration as one where product = ${product} and (address = ${address} or user_id = ${userId})
    and not exists (select from bridge.trial where attempt_id = one.attempt_id) returning user_id`.execute(trx);
  await sql`delete from bridge.invitation as one where ((product = ${product} and address = ${address}) or life_id = any(${lifeIds}::uuid[]))
    and not exists (select from bridge.registration where invitation_id = one.id)`.execute(trx);
  const mails = sql`select id from bridge.mail as one where ((product = ${product} and address = ${address} and (life_id is null or life_id = any(${lifeIds}::uuid[]))) or life_id = any(${lifeIds}::uuid[]))
    and not exists (select from bridge.invitation where mail_id = one.id)`;
  await sql`delete from bridge.not_me where mail_id in (${mails})`.execute(trx);
  await sql`delete from bridge.mail where id in (${mails})`.execute(trx);
  await sql`delete from bridge.sign_up_request as one where product = ${product} and address = ${address}
    and not exists (select from bridge.mail where sign_up_request_id = one.id)`.execute(trx);
  return registered.rows.flatMap(({ user_id }) => user_id ?? []);
}

/** Staff's own words and callers' keys may name a person. Why it was erased stays: whoever wrote that knew it would. */
export async function forgetWords(trx: Trx, lifeId: string): Promise<void> {
  await sql`update bridge.life_event set idempotency_key = null, reason = case kind when 'erase_asked' then reason end
    where life_id = ${lifeId} and (reason is not null or idempotency_key is not null)`.execute(trx);
}

/** `addressHashOf`: the life that erasure was asked for, which has the hash. `lookAgainAt`: when the last ids are to go, of that one. */
export async function markErased(trx: Trx, id: string, { at, addressHashOf, state, lookAgainAt }: { at: Date; addressHashOf: string; state: LifeState; lookAgainAt: Date | null }): Promise<void> {
  await trx
    .updateTable('bridge.life')
    .set((eb) => ({
      state,
      address: null,
      user_id: null,
      next_deadline: lookAgainAt,
      version: eb('version', '+', '1'),
      erase_asked_at: eb.fn.coalesce('erase_asked_at', eb.val(at)),
      erased_at: at,
      address_hash: eb.selectFrom('bridge.life as asked').select('asked.address_hash').where('asked.id', '=', addressHashOf),
    }))
    .where('id', '=', id)
    .execute();
}

/** The feed's last word about who is erased, told once more, and about ids that came to nothing: it stays for proxies that are away, until {@link forgetIds}. */
export async function markForgotten(trx: Trx, { userIds, product }: { userIds: readonly string[]; product: string }, lifeId: string): Promise<void> {
  // The trigger that tells waits for the commit, and would undo this.
  await sql`set constraints all immediate`.execute(trx);
  // As that trigger: whoever has seen a version has seen all before it (docs/decisions/0024).
  await sql`select pg_advisory_xact_lock(hashtext('vestibule trial changes'))`.execute(trx);
  await sql`update bridge.trial_change as told set forgotten_by = ${lifeId}, version = nextval('bridge.trial_change_version') where product = ${product} and user_id = any(${userIds}::text[])
    and not exists (select from bridge.trial where trial.user_id = told.user_id and trial.product = told.product)`.execute(trx);
  await sql`select pg_notify('bridge_trial_change', '')`.execute(trx);
}

/** Every id that others were still to hear of. */
export async function forgetIds(trx: Trx, lifeId: string): Promise<void> {
  await trx.deleteFrom('bridge.trial_change').where('forgotten_by', '=', lifeId).execute();
  await sql`update bridge.webhook set user_id = null from bridge.life, bridge.life as asked
    where asked.id = ${lifeId} and life.product = asked.product and life.address_hash = asked.address_hash and life.erased_at is not null
      and webhook.life_id = life.id and webhook.user_id is not null`.execute(trx);
}

/** The decision is about the address: whichever of its erased trials it was made at. */
export async function allowSecond(trx: Trx, id: string, at: Date): Promise<void> {
  await sql`update bridge.life as one set second_allowed_at = ${at} from bridge.life as asked
    where asked.id = ${id} and one.product = asked.product and one.address_hash = asked.address_hash and one.erased_at is not null and one.second_allowed_at is null`.execute(trx);
}

/** Whether an address was erased from this product, and nobody decided that it may have another trial. */
export async function isErased(db: Db | Trx, product: string, addressHash: Buffer): Promise<boolean> {
  const row = await db
    .selectFrom('bridge.life')
    .select('id')
    .where('address_hash', '=', addressHash)
    .where('product', '=', product)
    .where('second_allowed_at', 'is', null)
    .executeTakeFirst();
  return row !== undefined;
}

/** Asked for before this instant, and not done. */
export async function listErasuresUnderWay(db: Db, before: Date): Promise<readonly { id: string; userId: string | null; askedAt: Date }[]> {
  return db
    .selectFrom('bridge.life')
    .select(['id', 'user_id as userId', 'erase_asked_at as askedAt'])
    .where('erase_asked_at', '<', before)
    .where('erased_at', 'is', null)
    .$narrowType<{ askedAt: Date }>()
    .orderBy('erase_asked_at')
    .execute();
}
