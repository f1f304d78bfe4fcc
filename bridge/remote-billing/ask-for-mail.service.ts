import { AppError } from '../../platform/problem.ts';
import { canonicalAddress } from '../address/address.ts';
import type { AddressHash } from '../address/address-hash.ts';
import { addJob } from '../db/job.ts';
import type { Db, Trx } from '../db/schema.ts';
import { tooMany } from '../limit/consume.ts';
import { limitKey } from '../../platform/limit-key.ts';
import { isSuppressed } from '../mail/mail.store.ts';
import { recordAct } from './audit.store.ts';
import { insertBillingMail } from './billing-mail.store.ts';
import { findBillingUser } from './billing-user.store.ts';
import type { From } from './caller.ts';
import { judgeToken, recordRefusal, type Judged } from './judge-access.service.ts';
import { insertLoginRequest, lockCounted, requestsSince, type Counted } from './login-request.store.ts';
import { idsOf, isHostProven, type Place } from './place.ts';
import { refusal, type Refusal } from './standing.ts';

const DAY_MILLISECONDS = 86_400_000;
/** A day; the first that is full refuses, and counts against none of the others. */
const MAILS_PER_CLIENT = 5;
const MAILS_PER_SERVER = 10;
const MAILS_PER_MAILBOX = 10;
/** The job queue's back-off reaches 28 hours by then. */
const SEND_ATTEMPTS = 14;

/** `known`: this address is confirmed already, and the token enough. */
export type AskedForMail = { result: 'mailed' | 'known'; email: string; place: Place } | Refusal;

type Using = Parameters<typeof judgeToken>[1] & { hash: AddressHash };

/** Steps 5 and 6: a link to the address, in the same transaction as what it is for. Also for somebody known who wants another address. */
export async function askForMail(db: Db, using: Using, { token, email: written, locale }: { token: string; email: string; locale: string }, from: From): Promise<AskedForMail> {
  const judged = await judgeToken(db, using, token, 'mail', from);
  if (judged.result === 'refused') return judged;
  const { access, place, user } = judged;
  const email = canonicalAddress(written);
  if (email === undefined) throw refusedAddress('must be an e-mail address with an ASCII name and a real domain, such as ada@example.com.');
  if (user?.state === 'confirmed' && user.email === email) return { result: 'known', email, place };
  // Of a whole server, who it is shows only now.
  if (access.realm === undefined && (await findBillingUser(db, { serverId: access.serverId, email }))?.state === 'deactivated') {
    await recordRefusal(db, using, access, 'deactivated', 'mail', from);
    return refusal('deactivated');
  }
  const queued = await db.transaction().execute((trx) => queue(trx, using, judged, { email, locale }, from));
  if (queued === 'suppressed') {
    await recordRefusal(db, using, access, 'suppressed', 'mail', from);
    throw refusedAddress('this address wants no more e-mails from here. Use another one, or write to support.');
  }
  return { result: 'mailed', email, place };
}

async function queue(trx: Trx, using: Using, { access, place }: Judged, { email, locale }: { email: string; locale: string }, from: From): Promise<'queued' | 'suppressed'> {
  const now = using.clock.now();
  const [clientHash, mailboxHash] = [using.hash.client(limitKey(from.clientAddress)), using.hash.mailbox(email)];
  await demandFew(trx, { clientHash }, MAILS_PER_CLIENT, now);
  await demandFew(trx, { serverId: place.server.id }, MAILS_PER_SERVER, now);
  await demandFew(trx, { mailboxHash }, MAILS_PER_MAILBOX, now);
  if (await isSuppressed(trx, mailboxHash)) return 'suppressed';
  const requestId = await insertLoginRequest(trx, {
    ...idsOf(place),
    userUuid: access.realm?.user.uuid ?? null,
    keyGeneration: access.keyGeneration,
    fullName: access.realm?.user.fullName ?? '',
    email,
    mailboxHash,
    clientHash,
    uriScheme: access.uriScheme,
    nextPage: access.nextPage,
    requestedAt: now,
  });
  // A host that nobody has proven is text of the request: it stays out of a mail to an unproven address (SECURITY.md 11).
  const content: Record<string, string> = isHostProven(place) ? { host: place.server.hostname } : {};
  const mailId = await insertBillingMail(trx, { kind: 'billing_login', loginRequestId: requestId, address: email, mailboxHash, locale, content, requestId: from.requestId, queuedAt: now });
  await addJob(trx, 'send_billing_mail', { billing_mail_id: mailId }, { key: `billing-mail:${mailId}`, maxAttempts: SEND_ATTEMPTS });
  await recordAct(trx, {
    at: now,
    act: 'mail_requested',
    actor: { kind: 'person', id: access.realm?.user.uuid },
    serverId: place.server.id,
    realmId: place.realm?.id,
    ...from,
    details: { email },
  });
  return 'queued';
}

/** Holds the lock of what is counted from here on, so that nobody else counts meanwhile. */
async function demandFew(trx: Trx, counted: Counted, most: number, now: Date): Promise<void> {
  await lockCounted(trx, counted);
  const before = await requestsSince(trx, counted, new Date(now.getTime() - DAY_MILLISECONDS));
  const leaves = before.at(-most);
  if (leaves !== undefined) throw tooMany(leaves.getTime() + DAY_MILLISECONDS - now.getTime());
}

function refusedAddress(words: string): AppError {
  return new AppError('invalid_request', `email: ${words}`, { field: 'email' });
}
