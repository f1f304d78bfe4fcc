import type { Db, Trx } from '../db/schema.ts';

export interface SignUpRequest {
  id: string;
  product: string;
  address: string;
  locale: string;
  firstName: string | null;
  lastName: string | null;
  nextPage: string | null;
  requestId: string;
  result: string | null;
}

export interface NewSignUpRequest {
  product: string;
  address: string;
  addressHash: Buffer;
  locale: string;
  firstName: string | null;
  lastName: string | null;
  company: string | null;
  nextPage: string | null;
  attributes: Readonly<Record<string, string>>;
  consents: readonly { id: string; version: string }[];
  requestId: string;
  requestedAt: Date;
}

export async function insertSignUpRequest(trx: Trx, request: NewSignUpRequest): Promise<string> {
  const { id } = await trx
    .insertInto('bridge.sign_up_request')
    .values({
      product: request.product,
      address: request.address,
      address_hash: request.addressHash,
      locale: request.locale,
      first_name: request.firstName,
      last_name: request.lastName,
      company: request.company,
      next_page: request.nextPage,
      attributes: JSON.stringify(request.attributes),
      consents: JSON.stringify(request.consents),
      request_id: request.requestId,
      requested_at: request.requestedAt,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

export async function findSignUpRequest(db: Db | Trx, id: string): Promise<SignUpRequest | undefined> {
  return db
    .selectFrom('bridge.sign_up_request')
    .select(['id', 'product', 'address', 'locale', 'first_name as firstName', 'last_name as lastName', 'next_page as nextPage', 'request_id as requestId', 'result'])
    .where('id', '=', id)
    .executeTakeFirst();
}

/** Compare-and-set: false when another run of the job came first. */
export async function settleSignUpRequest(trx: Trx, id: string, result: string): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('bridge.sign_up_request')
    .set({ result })
    .where('id', '=', id)
    .where('result', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** One that no mail answers. False when another run of the job came first. */
export async function deleteSignUpRequest(trx: Trx, id: string): Promise<boolean> {
  const { numDeletedRows } = await trx.deleteFrom('bridge.sign_up_request').where('id', '=', id).where('result', 'is', null).executeTakeFirst();
  return numDeletedRows === 1n;
}

export async function findNewestRequest(db: Db | Trx, of: { product: string; address: string }): Promise<string | undefined> {
  const row = await db.selectFrom('bridge.sign_up_request').select('id').where('product', '=', of.product).where('address', '=', of.address).orderBy('requested_at', 'desc').executeTakeFirst();
  return row?.id;
}
