import type { AddressHash } from '../address/address-hash.ts';
import { addJob } from '../db/job.ts';
import type { MailKind, Trx } from '../db/schema.ts';
import { insertMail } from '../mail/mail.store.ts';
import { recordEvent } from './event.store.ts';
import type { Life } from './life.store.ts';

/** The job queue's back-off reaches 28 hours by then. */
const SEND_ATTEMPTS = 14;

/** Tells the person of a trial what happened to it. Nobody where the address was erased. */
export async function queueLifeMail(trx: Trx, { hash }: { hash: AddressHash }, life: Life, kind: MailKind, at: Date): Promise<void> {
  if (life.address === null) return;
  const mailId = await insertMail(trx, {
    signUpRequestId: null,
    lifeId: life.id,
    kind,
    product: life.product,
    address: life.address,
    mailboxHash: hash.mailbox(life.address),
    locale: life.locale,
    queuedAt: at,
  });
  await recordEvent(trx, { lifeId: life.id, at, kind: 'mail_queued', actor: 'sweep', detail: { mail: kind } });
  await addJob(trx, 'send_mail', { mail_id: mailId }, { key: `mail:${mailId}`, maxAttempts: SEND_ATTEMPTS });
}
