import type { Db, Trx } from '../../db/schema.ts';

export interface SponsorshipWish {
  organizationType: string;
  website: string;
  description: string;
  expectedUsers: string;
  paidUsers: string;
  requestedPlan: string;
}

export interface SponsorshipRequest extends SponsorshipWish {
  id: string;
  state: 'pending' | 'granted' | 'declined';
  requestedAt: Date;
}

export async function findPendingSponsorship(db: Db | Trx, accountId: string): Promise<SponsorshipRequest | undefined> {
  return selectRequests(db).where('account_id', '=', accountId).where('state', '=', 'pending').executeTakeFirst();
}

export async function findLastSponsorship(db: Db | Trx, accountId: string): Promise<SponsorshipRequest | undefined> {
  return selectRequests(db).where('account_id', '=', accountId).orderBy('requested_at', 'desc').limit(1).executeTakeFirst();
}

function selectRequests(db: Db | Trx) {
  return db
    .selectFrom('bridge.sponsorship_request')
    .select([
      'id',
      'organization_type as organizationType',
      'website',
      'description',
      'expected_users as expectedUsers',
      'paid_users as paidUsers',
      'requested_plan as requestedPlan',
      'state',
      'requested_at as requestedAt',
    ]);
}

/** False while another one is pending. */
export async function insertSponsorship(trx: Trx, wish: SponsorshipWish & { accountId: string; userId: string; requestedAt: Date }): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('bridge.sponsorship_request')
    .values({
      account_id: wish.accountId,
      user_id: wish.userId,
      organization_type: wish.organizationType,
      website: wish.website,
      description: wish.description,
      expected_users: wish.expectedUsers,
      paid_users: wish.paidUsers,
      requested_plan: wish.requestedPlan,
      requested_at: wish.requestedAt,
      decided_at: null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

export async function decideRequest(trx: Trx, { id, accountId, state, at }: { id: string; accountId: string; state: 'granted' | 'declined'; at: Date }): Promise<{ askedAt: Date } | 'decided before' | 'unknown'> {
  const request = await trx.selectFrom('bridge.sponsorship_request').select(['state', 'requested_at as askedAt']).where('id', '=', id).where('account_id', '=', accountId).forUpdate().executeTakeFirst();
  if (request === undefined) return 'unknown';
  if (request.state !== 'pending') return 'decided before';
  await trx.updateTable('bridge.sponsorship_request').set({ state, decided_at: at }).where('id', '=', id).execute();
  return { askedAt: request.askedAt };
}
