import type { BillingMailKind } from '../db/remote-billing.schema.ts';
import type { Db, Trx } from '../db/schema.ts';

export interface BillingMail {
  id: string;
  kind: BillingMailKind;
  loginRequestId: string | null;
  address: string;
  mailboxHash: Buffer;
  locale: string;
  content: Readonly<Record<string, string>>;
  requestId: string;
}

export async function insertBillingMail(trx: Trx, mail: Omit<BillingMail, 'id'> & { queuedAt: Date }): Promise<string> {
  const { id } = await trx
    .insertInto('bridge.billing_mail')
    .values({
      kind: mail.kind,
      login_request_id: mail.loginRequestId,
      address: mail.address,
      mailbox_hash: mail.mailboxHash,
      locale: mail.locale,
      content: JSON.stringify(mail.content),
      request_id: mail.requestId,
      queued_at: mail.queuedAt,
      sent_at: null,
      failure: null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

export async function countBillingMails(trx: Trx, { kind, mailboxHash }: Pick<BillingMail, 'kind' | 'mailboxHash'>, since: Date): Promise<number> {
  const { count } = await trx
    .selectFrom('bridge.billing_mail')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('mailbox_hash', '=', mailboxHash)
    .where('queued_at', '>', since)
    .where('kind', '=', kind)
    .executeTakeFirstOrThrow();
  return Number(count);
}

export async function findQueuedBillingMail(db: Db, id: string): Promise<BillingMail | undefined> {
  return db
    .selectFrom('bridge.billing_mail')
    .select(['id', 'kind', 'login_request_id as loginRequestId', 'address', 'mailbox_hash as mailboxHash', 'locale', 'content', 'request_id as requestId'])
    .where('id', '=', id)
    .where('state', '=', 'queued')
    .executeTakeFirst();
}

export async function markBillingMail(db: Db, id: string, as: { state: 'sent'; at: Date } | { state: 'failed'; failure: string }): Promise<void> {
  await db
    .updateTable('bridge.billing_mail')
    .set(as.state === 'sent' ? { state: 'sent', sent_at: as.at } : { state: 'failed', failure: as.failure })
    .where('id', '=', id)
    .where('state', '=', 'queued')
    .execute();
}

export async function insertMailToken(db: Db, token: { tokenHash: Buffer; mailId: string; purpose: 'confirmation' | 'not_me'; expiresAt: Date | null }): Promise<void> {
  await db
    .insertInto('bridge.billing_mail_token')
    .values({ token_hash: token.tokenHash, mail_id: token.mailId, purpose: token.purpose, expires_at: token.expiresAt })
    .execute();
}

export async function deleteMailTokens(db: Db, tokenHashes: readonly Buffer[]): Promise<void> {
  await db.deleteFrom('bridge.billing_mail_token').where('token_hash', 'in', tokenHashes).execute();
}

export async function findBillingNotMe(db: Db, tokenHash: Buffer): Promise<{ address: string; mailboxHash: Buffer } | undefined> {
  return db
    .selectFrom('bridge.billing_mail_token as t')
    .innerJoin('bridge.billing_mail as m', 'm.id', 't.mail_id')
    .select(['m.address', 'm.mailbox_hash as mailboxHash'])
    .where('t.token_hash', '=', tokenHash)
    .where('t.purpose', '=', 'not_me')
    .executeTakeFirst();
}
