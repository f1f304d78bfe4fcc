import type { Log } from '../../platform/log.ts';
import type { BillingMailKind } from '../db/remote-billing.schema.ts';
import type { MailKind } from '../db/schema.ts';
import type { Meter } from '../metrics/meter.ts';
import { isRefused, isRefusedForGood, type Message, type Transport } from './transport.ts';

interface Using {
  transport: Transport;
  meter: Pick<Meter, 'mail'>;
  log: Log;
}

/**
 * Hands one mail to the mail server. Undefined: sent. A text: given up, and why. Throws while it is worth another try.
 * `takeBack` runs where the server refused it: without an answer the mail may have arrived, and its links with it.
 */
export async function deliver(
  using: Using,
  mail: { id: string; kind: MailKind | BillingMailKind; requestId: string | null },
  message: Message,
  lastTry: boolean,
  takeBack: () => Promise<void>,
): Promise<string | undefined> {
  const fields = { mail_id: mail.id, kind: mail.kind, request_id: mail.requestId };
  try {
    await using.transport.send(message);
  } catch (error) {
    if (isRefused(error)) await takeBack();
    const forGood = isRefusedForGood(error);
    using.meter.mail(mail.kind, forGood ? 'refused' : lastTry ? 'given_up' : 'postponed');
    if (!forGood && !lastTry) throw new Error('The mail server did not take the mail', { cause: error });
    using.log.warn({ ...fields, err: error }, 'mail failed');
    return forGood ? 'refused by the mail server' : 'given up after too many tries';
  }
  using.meter.mail(mail.kind, 'sent');
  using.log.info(fields, 'mail sent');
  return undefined;
}
