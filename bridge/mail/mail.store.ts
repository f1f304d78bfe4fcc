import { sql } from 'kysely';
import type { Db, MailKind, MailState, Trx } from '../db/schema.ts';
import type { LifeState } from '../life/transitions.ts';

export interface Mail {
  id: string;
  lifeId: string | null;
  kind: MailKind;
  product: string;
  address: string;
  mailboxHash: Buffer;
  locale: string;
  state: MailState;
  /** Whose account it offers a trial to; null: it offers none. */
  accountId: string | null;
  /** What the request behind it asked for. */
  firstName: string | null;
  lastName: string | null;
  nextPage: string | null;
  /** Of the trial that it is about, as it is now. */
  life: { state: LifeState; userId: string | null; trialEndsAt: Date | null; trialAccessUntil: Date | null } | null;
  requestId: string | null;
}

export interface NewMail {
  signUpRequestId: string | null;
  lifeId: string | null;
  kind: MailKind;
  product: string;
  address: string;
  mailboxHash: Buffer;
  locale: string;
  queuedAt: Date;
  /** Of the act that it tells about. */
  requestId?: string | undefined;
  /** Whose account it offers a trial to. */
  accountId?: string | null;
}

export async function insertMail(trx: Trx, mail: NewMail): Promise<string> {
  const { id } = await trx
    .insertInto('bridge.mail')
    .values({
      sign_up_request_id: mail.signUpRequestId,
      life_id: mail.lifeId,
      kind: mail.kind,
      product: mail.product,
      address: mail.address,
      mailbox_hash: mail.mailboxHash,
      locale: mail.locale,
      queued_at: mail.queuedAt,
      request_id: mail.requestId ?? null,
      account_id: mail.accountId ?? null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

export async function findMail(db: Db | Trx, id: string): Promise<Mail | undefined> {
  const row = await db
    .selectFrom('bridge.mail')
    .leftJoin('bridge.sign_up_request', 'bridge.sign_up_request.id', 'bridge.mail.sign_up_request_id')
    .leftJoin('bridge.life', 'bridge.life.id', 'bridge.mail.life_id')
    .leftJoin('bridge.trial', (join) => join.onRef('bridge.trial.user_id', '=', 'bridge.life.user_id').onRef('bridge.trial.product', '=', 'bridge.life.product'))
    .select((eb) => [
      'bridge.mail.id',
      'bridge.mail.life_id as lifeId',
      'bridge.mail.kind',
      'bridge.mail.product',
      'bridge.mail.address',
      'bridge.mail.mailbox_hash as mailboxHash',
      'bridge.mail.locale',
      'bridge.mail.state',
      'bridge.mail.account_id as accountId',
      'bridge.sign_up_request.first_name as firstName',
      'bridge.sign_up_request.last_name as lastName',
      'bridge.sign_up_request.next_page as nextPage',
      eb.fn.coalesce('bridge.mail.request_id', 'bridge.sign_up_request.request_id').as('requestId'),
      'bridge.life.state as lifeState',
      'bridge.life.user_id as userId',
      'bridge.trial.trial_ends_at as trialEndsAt',
      'bridge.trial.trial_access_until as trialAccessUntil',
    ])
    .where('bridge.mail.id', '=', id)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { lifeState, userId, trialEndsAt, trialAccessUntil, ...mail } = row;
  return { ...mail, life: lifeState && { state: lifeState, userId, trialEndsAt, trialAccessUntil } };
}

/** Whose account was offered the trial that this life is invited to; undefined: whoever makes one was invited. */
export async function findOfferedAccount(db: Db | Trx, lifeId: string): Promise<string | undefined> {
  const row = await db.selectFrom('bridge.mail').select('account_id as accountId').where('life_id', '=', lifeId).where('kind', 'in', ['invitation', 'welcome_back']).orderBy('queued_at', 'desc').executeTakeFirst();
  return row?.accountId ?? undefined;
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
