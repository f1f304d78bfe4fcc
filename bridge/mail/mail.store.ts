import { sql } from 'kysely';
import type { Db, MailKind, MailState, Trx } from '../db/schema.ts';

export interface Mail {
  id: string;
  kind: MailKind;
  product: string;
  address: string;
  mailboxHash: Buffer;
  locale: string;
  state: MailState;
  /** What the request behind it asked for. */
  firstName: string | null;
  lastName: string | null;
  nextPage: string | null;
  requestId: string;
}

export interface NewMail {
  signUpRequestId: string;
  kind: MailKind;
  product: string;
  address: string;
  mailboxHash: Buffer;
  locale: string;
  queuedAt: Date;
}

export async function insertMail(trx: Trx, mail: NewMail): Promise<string> {
  const { id } = await trx
    .insertInto('bridge.mail')
    .values({
      sign_up_request_id: mail.signUpRequestId,
      kind: mail.kind,
      product: mail.product,
      address: mail.address,
      mailbox_hash: mail.mailboxHash,
      locale: mail.locale,
      queued_at: mail.queuedAt,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

export async function findMail(db: Db | Trx, id: string): Promise<Mail | undefined> {
  return db
    .selectFrom('bridge.mail')
    .innerJoin('bridge.sign_up_request', 'bridge.sign_up_request.id', 'bridge.mail.sign_up_request_id')
    .select([
      'bridge.mail.id',
      'bridge.mail.kind',
      'bridge.mail.product',
      'bridge.mail.address',
      'bridge.mail.mailbox_hash as mailboxHash',
      'bridge.mail.locale',
      'bridge.mail.state',
      'bridge.sign_up_request.first_name as firstName',
      'bridge.sign_up_request.last_name as lastName',
      'bridge.sign_up_request.next_page as nextPage',
      'bridge.sign_up_request.request_id as requestId',
    ])
    .where('bridge.mail.id', '=', id)
    .executeTakeFirst();
}

export async function markSent(db: Db | Trx, id: string, at: Date): Promise<void> {
  await db.updateTable('bridge.mail').set({ state: 'sent', sent_at: at }).where('id', '=', id).where('state', '=', 'queued').execute();
}

export async function markFailed(db: Db | Trx, id: string, failure: string): Promise<void> {
  await db.updateTable('bridge.mail').set({ state: 'failed', failure }).where('id', '=', id).where('state', '=', 'queued').execute();
}

/** One mailbox's mails are counted one after the other. */
export async function lockMailbox(trx: Trx, mailboxHash: Buffer): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`mailbox ${mailboxHash.toString('base64url')}`}, 0))`.execute(trx);
}

/** Mails queued or sent to a mailbox since an instant; failed ones reached nobody. */
export async function countMails(trx: Trx, mailboxHash: Buffer, since: Date): Promise<{ count: number; newest: Date | null }> {
  const { count, newest } = await trx
    .selectFrom('bridge.mail')
    .select((eb) => [eb.fn.countAll<string>().as('count'), eb.fn.max('queued_at').as('newest')])
    .where('mailbox_hash', '=', mailboxHash)
    .where('queued_at', '>', since)
    .where('state', '!=', 'failed')
    .executeTakeFirstOrThrow();
  return { count: Number(count), newest };
}

export async function isSuppressed(db: Db | Trx, mailboxHash: Buffer): Promise<boolean> {
  const row = await db.selectFrom('bridge.suppressed_mailbox').select('since').where('mailbox_hash', '=', mailboxHash).executeTakeFirst();
  return row !== undefined;
}

export async function suppressMailbox(trx: Trx, mailboxHash: Buffer, since: Date): Promise<void> {
  await trx
    .insertInto('bridge.suppressed_mailbox')
    .values({ mailbox_hash: mailboxHash, since })
    .onConflict((conflict) => conflict.column('mailbox_hash').doNothing())
    .execute();
}

export async function insertNotMe(db: Db | Trx, tokenHash: Buffer, mail: Mail): Promise<void> {
  await db
    .insertInto('bridge.not_me')
    .values({ token_hash: tokenHash, address: mail.address, mailbox_hash: mail.mailboxHash, mail_id: mail.id })
    .execute();
}

export async function deleteNotMe(db: Db | Trx, tokenHash: Buffer): Promise<void> {
  await db.deleteFrom('bridge.not_me').where('token_hash', '=', tokenHash).execute();
}

export async function findNotMe(db: Db | Trx, tokenHash: Buffer): Promise<{ address: string; mailboxHash: Buffer } | undefined> {
  return db
    .selectFrom('bridge.not_me')
    .select(['address', 'mailbox_hash as mailboxHash'])
    .where('token_hash', '=', tokenHash)
    .executeTakeFirst();
}
