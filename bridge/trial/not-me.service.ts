import type { Clock } from '../../platform/clock.ts';
import { hashToken } from '../../platform/token.ts';
import type { Db } from '../db/schema.ts';
import { findNotMe, suppressMailbox } from '../mail/mail.store.ts';
import { revokeInvitations } from './invitation.store.ts';

/** "This wasn't me": no open invitation of that address works any more, and no further mail goes there (SECURITY.md 12). */
export async function disown(db: Db, clock: Clock, token: string): Promise<void> {
  const disowned = await findNotMe(db, hashToken(token));
  if (disowned === undefined) return;
  await db.transaction().execute(async (trx) => {
    await revokeInvitations(trx, disowned.address);
    await suppressMailbox(trx, disowned.mailboxHash, clock.now());
  });
}
