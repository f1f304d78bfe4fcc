import { sql } from 'kysely';
import type { Db, Trx } from '../db/schema.ts';
import type { LifeState } from './transitions.ts';

/** One trial, from its invitation on, with the ends of its trial row. Instants are domain time. */
export interface Life {
  id: string;
  product: string;
  /** Null once erased. */
  address: string | null;
  locale: string;
  state: LifeState;
  /** Null while invited. */
  userId: string | null;
  plan: string | null;
  rehearsal: boolean;
  version: number;
  keptVersion: number;
  remindedAt: Date | null;
  beganAt: Date;
  /** From here on the trial is over and nobody acts on it. */
  eraseAskedAt: Date | null;
  erasedAt: Date | null;
  secondAllowedAt: Date | null;
  /** What people are told; null while invited and once converted. */
  trialEndsAt: Date | null;
  /** What is enforced; null with `trialEndsAt`. */
  trialAccessUntil: Date | null;
  /** Null while invited. */
  trialAppId: string | null;
}

function selectLives(db: Db | Trx) {
  return db
    .selectFrom('bridge.life')
    .leftJoin('bridge.trial', (join) => join.onRef('bridge.trial.user_id', '=', 'bridge.life.user_id').onRef('bridge.trial.product', '=', 'bridge.life.product'))
    .leftJoin('bridge.trial_app', 'bridge.trial_app.trial_id', 'bridge.trial.id')
    .select([
      'bridge.life.id',
      'bridge.life.product',
      'bridge.life.address',
      'bridge.life.locale',
      'bridge.life.state',
      'bridge.life.user_id as userId',
      'bridge.life.plan',
      'bridge.life.rehearsal',
      'bridge.life.version',
      'bridge.life.kept_version as keptVersion',
      'bridge.life.reminded_at as remindedAt',
      'bridge.life.began_at as beganAt',
      'bridge.life.erase_asked_at as eraseAskedAt',
      'bridge.life.erased_at as erasedAt',
      'bridge.life.second_allowed_at as secondAllowedAt',
      'bridge.trial.trial_ends_at as trialEndsAt',
      'bridge.trial.trial_access_until as trialAccessUntil',
      'bridge.trial_app.id as trialAppId',
    ]);
}

type Row = Awaited<ReturnType<ReturnType<typeof selectLives>['executeTakeFirstOrThrow']>>;

function toLife(row: Row): Life {
  return { ...row, version: Number(row.version), keptVersion: Number(row.keptVersion) };
}

export async function findLife(db: Db | Trx, id: string): Promise<Life | undefined> {
  const row = await selectLives(db).where('bridge.life.id', '=', id).executeTakeFirst();
  return row && toLife(row);
}

/** From here on nobody else changes this life. Rows that name it may still be written: they share its key. */
export async function lockLife(trx: Trx, id: string): Promise<Life | undefined> {
  await trx.selectFrom('bridge.life').select('id').where('id', '=', id).forNoKeyUpdate().execute();
  return findLife(trx, id);
}

export async function findLifeOfUser(db: Db | Trx, product: string, userId: string): Promise<Life | undefined> {
  const row = await selectLives(db).where('bridge.life.user_id', '=', userId).where('bridge.life.product', '=', product).executeTakeFirst();
  return row && toLife(row);
}

/** Those that began under this address, newest first. */
export async function listLivesByAddress(db: Db | Trx, product: string, address: string): Promise<readonly Life[]> {
  const rows = await selectLives(db).where('bridge.life.address', '=', address).where('bridge.life.product', '=', product).orderBy('bridge.life.began_at', 'desc').execute();
  return rows.map(toLife);
}

/** The life that an invitation to this address belongs to: one that is invited, or whose registration is not settled yet. */
export async function findOpenLife(trx: Trx, { product, address }: { product: string; address: string }): Promise<string | undefined> {
  const row = await trx
    .selectFrom('bridge.life')
    .select('id')
    .where('product', '=', product)
    .where('address', '=', address)
    .where((eb) =>
      eb.or([
        eb('state', '=', 'invited'),
        // Decided before its account was there.
        eb.and([eb('state', '=', 'converted'), eb('user_id', 'is', null), eb('erase_asked_at', 'is', null)]),
        eb.exists(
          eb
            .selectFrom('bridge.registration')
            .select('attempt_id')
            .whereRef('bridge.registration.user_id', '=', 'bridge.life.user_id')
            .whereRef('bridge.registration.product', '=', 'bridge.life.product')
            .where('bridge.registration.state', '=', 'pending'),
        ),
      ]),
    )
    .orderBy('began_at', 'desc')
    .executeTakeFirst();
  return row?.id;
}

export async function insertLife(trx: Trx, life: { product: string; address: string; locale: string; beganAt: Date }): Promise<string> {
  const { id } = await trx
    .insertInto('bridge.life')
    .values({ product: life.product, address: life.address, locale: life.locale, began_at: life.beganAt })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

export interface LifeChange {
  state: LifeState;
  nextDeadline: Date | null;
  remindedAt?: Date;
  plan?: string | null;
}

/** Under its lock. Its version rises. */
export async function changeLife(trx: Trx, id: string, change: LifeChange): Promise<void> {
  await trx
    .updateTable('bridge.life')
    .set((eb) => ({
      state: change.state,
      next_deadline: change.nextDeadline,
      version: eb('version', '+', '1'),
      ...(change.remindedAt && { reminded_at: change.remindedAt }),
      ...(change.plan !== undefined && { plan: change.plan }),
    }))
    .where('id', '=', id)
    .execute();
}

/** Nothing changed but when to look again. */
export async function setDeadline(trx: Trx, id: string, nextDeadline: Date | null): Promise<void> {
  await trx.updateTable('bridge.life').set({ next_deadline: nextDeadline }).where('id', '=', id).execute();
}

/** The first that no other sweep has in hand, of these products; of what was erased, whatever its product was. */
export async function lockLifeDue(trx: Trx, now: Date, { products, without }: { products: readonly string[]; without: readonly string[] }): Promise<string | undefined> {
  const row = await trx
    .selectFrom('bridge.life')
    .select('id')
    .where('next_deadline', '<=', now)
    .where((eb) => eb.or([eb('product', 'in', products), eb('erased_at', 'is not', null)]))
    .where('id', '<>', sql<string>`all(${without}::uuid[])`)
    .orderBy('next_deadline')
    .limit(1)
    .forNoKeyUpdate()
    .skipLocked()
    .executeTakeFirst();
  return row?.id;
}

/** Keycloak is known to hold this version. */
export async function markKept(db: Db | Trx, id: string, version: number): Promise<void> {
  await db.updateTable('bridge.life').set({ kept_version: String(version) }).where('id', '=', id).where('kept_version', '<', String(version)).execute();
}
