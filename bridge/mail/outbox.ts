import { addJob } from '../db/job.ts';
import type { Trx } from '../db/schema.ts';
import { insertMail, type NewMail } from './mail.store.ts';

/** The job queue's back-off reaches 28 hours by then. */
const SEND_ATTEMPTS = 14;

/** A mail and the job that sends it, in the transaction of what it tells. */
export async function putInOutbox(trx: Trx, mail: NewMail): Promise<void> {
  const mailId = await insertMail(trx, mail);
  await addJob(trx, 'send_mail', { mail_id: mailId }, { key: `mail:${mailId}`, maxAttempts: SEND_ATTEMPTS });
}
