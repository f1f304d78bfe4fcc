import type { Db, GivenAtStep, Trx } from '../db/schema.ts';
import type { Given } from './questions.ts';

export interface KeptAnswer {
  id: string;
  /** Of a consent: the version. */
  value: string;
  at: Date;
  step: GivenAtStep;
}

export interface KeptAnswers {
  attributes: readonly KeptAnswer[];
  consents: readonly KeptAnswer[];
}

/** What came with the address that this invitation was sent to. */
export async function findGivenAtSignUp(db: Db | Trx, invitationId: string): Promise<(Given & { at: Date }) | undefined> {
  return db
    .selectFrom('bridge.invitation')
    .innerJoin('bridge.mail', 'bridge.mail.id', 'bridge.invitation.mail_id')
    .innerJoin('bridge.sign_up_request', 'bridge.sign_up_request.id', 'bridge.mail.sign_up_request_id')
    .select(['bridge.sign_up_request.attributes', 'bridge.sign_up_request.consents', 'bridge.sign_up_request.requested_at as at'])
    .where('bridge.invitation.id', '=', invitationId)
    .executeTakeFirst();
}

/** In the place of what the attempt had. */
export async function replaceAnswers(trx: Trx, attemptId: string, { attributes, consents }: KeptAnswers): Promise<void> {
  await trx.deleteFrom('bridge.given_attribute').where('attempt_id', '=', attemptId).execute();
  await trx.deleteFrom('bridge.given_consent').where('attempt_id', '=', attemptId).execute();
  if (attributes.length > 0) {
    await trx
      .insertInto('bridge.given_attribute')
      .values(attributes.map(({ id, value, at, step }) => ({ attempt_id: attemptId, attribute: id, value, given_at: at, step })))
      .execute();
  }
  if (consents.length > 0) {
    await trx
      .insertInto('bridge.given_consent')
      .values(consents.map(({ id, value, at, step }) => ({ attempt_id: attemptId, consent: id, version: value, given_at: at, step })))
      .execute();
  }
}
