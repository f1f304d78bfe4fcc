import type { Trx } from '../db/schema.ts';
import { hashToken } from '../../platform/token.ts';
import { endBillingSessions } from './billing-session.store.ts';
import { renewServerKey } from './server.store.ts';

/** The old key, its tokens and links are over with it: they carry its generation. Sessions end here (SECURITY.md 18). `at` is real time. */
export async function renewKey(trx: Trx, serverId: string, key: string, at: Date): Promise<void> {
  await renewServerKey(trx, serverId, hashToken(key));
  await endBillingSessions(trx, { serverId }, at);
}
