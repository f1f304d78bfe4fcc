import type { AddressHash } from '../address/address-hash.ts';
import type { MailKind, Trx } from '../db/schema.ts';
import { recordEvent } from './event.store.ts';
import type { Life } from './life.store.ts';
import { putInOutbox } from '../mail/outbox.ts';

/** Tells the person of a trial what happened to it, by time alone or by somebody's act. Nobody where the address was erased. */
export async function queueLifeMail(trx: Trx, { hash }: { hash: AddressHash }, life: Life, kind: MailKind, at: Date, by?: { actor: string; requestId: string }): Promise<void> {
  if (life.address === null) return;
  await putInOutbox(trx, {
    signUpRequestId: null,
    lifeId: life.id,
    kind,
    product: life.product,
    address: life.address,
    mailboxHash: hash.mailbox(life.address),
    locale: life.locale,
    queuedAt: at,
    requestId: by?.requestId,
  });
  await recordEvent(trx, { lifeId: life.id, at, kind: 'mail_queued', actor: by?.actor ?? 'sweep', requestId: by?.requestId, detail: { mail: kind } });
}
