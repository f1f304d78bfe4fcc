import type { Clock } from '../../platform/clock.ts';
import { hashToken } from '../../platform/token.ts';
import type { Db } from '../db/schema.ts';
import { findNotMe, lockMailbox, suppressMailbox } from '../mail/mail.store.ts';
import { findBillingNotMe } from '../remote-billing/billing-mail.store.ts';
import { revokeLoginRequests } from '../remote-billing/login-request.store.ts';
import { revokeInvitations } from './invitation.store.ts';

/** "This wasn't me": no open invitation or billing link of that address works any more, and no further mail goes there (SECURITY.md 12). */
export async function disown(db: Db, clock: Clock, token: string): Promise<void> {
  const disowned = (await findNotMe(db, hashToken(token))) ?? (await findBillingNotMe(db, hashToken(token)));
  if (disowned === undefined) return;
  await db.transaction().execute(async (trx) => {
    // Of a mail that is about to go out, the link is found, or not made.
    await lockMailbox(trx, disowned.mailboxHash);
    await revokeInvitations(trx, disowned.address);
    await revokeLoginRequests(trx, disowned.address, clock.now());
    await suppressMailbox(trx, disowned.mailboxHash, clock.now());
  });
}
