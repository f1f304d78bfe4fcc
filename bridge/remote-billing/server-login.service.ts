import type { BillingPage } from '../db/remote-billing.schema.ts';
import type { Db } from '../db/schema.ts';
import type { AccessTokens } from './access-token.ts';
import type { BillingLimits } from './billing-limits.ts';
import type { From } from './caller.ts';
import type { Place } from './place.ts';
import { knowServer } from './server-access.service.ts';
import { refusal, type Refusal } from './standing.ts';
import { recordAct } from './audit.store.ts';
import type { Clock } from '../../platform/clock.ts';

export type OpenedServerLogin = { result: 'email_form'; token: string; place: Place } | Refusal;

interface Using {
  clock: Clock;
  limits: BillingLimits;
  tokens: AccessTokens;
}

/** The variant for a whole server: whoever knows its key may ask for a mail. One answer for an unknown id, a wrong key and a deactivated server. */
export async function openServerLogin(db: Db, using: Using, typed: { id: string; key: string; nextPage: BillingPage | null }, from: From): Promise<OpenedServerLogin> {
  const id = typed.id.trim().toLowerCase();
  const tries = await using.limits.typedKey(from.clientAddress, id);
  const server = await knowServer(db, { id, key: typed.key.trim() });
  if (server === undefined) {
    await recordAct(db, { at: using.clock.now(), act: 'refused', actor: { kind: 'person' }, ...from, details: { reason: 'credentials', step: 'server-login', claimed_id: id } });
    return refusal('credentials');
  }
  await tries.forgive();
  const token = await using.tokens.mint({ serverId: server.id, keyGeneration: server.keyGeneration, realm: undefined, uriScheme: 'https://', nextPage: typed.nextPage, proof: undefined });
  return { result: 'email_form', token, place: { server, realm: undefined } };
}
