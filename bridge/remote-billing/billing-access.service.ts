import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { AppError } from '../../platform/problem.ts';
import { matchesToken } from '../../platform/token.ts';
import type { BillingPage, UriScheme } from '../db/remote-billing.schema.ts';
import type { Db } from '../db/schema.ts';
import type { AccessTokens, AccessUser } from './access-token.ts';
import { recordAct } from './audit.store.ts';
import { findBillingUser } from './billing-user.store.ts';
import type { From } from './caller.ts';
import { findRealm } from './realm.store.ts';
import type { RemoteServer } from './server.store.ts';
import { isDeactivated } from './standing.ts';

export interface BillingAccessRequest {
  realm: { id: string; ownerSecret: string; deactivated: boolean };
  user: AccessUser;
  uriScheme: UriScheme;
  nextPage: BillingPage | null;
}

interface Using {
  clock: Clock;
  log: Log;
  tokens: AccessTokens;
  billingUrl: string;
}

/** Step 3: the address that signs a server's person in. Whether the person may is the server's to judge. */
export async function giveBillingAccess(db: Db, using: Using, server: RemoteServer, request: BillingAccessRequest, from: From): Promise<string> {
  const realm = await findRealm(db, request.realm.id);
  // A realm that the server had deleted and names again: its next report brings it back.
  if (realm === undefined || (realm.serverId === server.id && realm.locallyDeleted)) {
    throw new AppError('remote_realm_missing', 'Organization not registered');
  }
  const refuse = async (reason: string, error: AppError): Promise<never> => {
    const at = using.clock.now();
    await recordAct(db, { at, act: 'refused', actor: { kind: 'server', id: server.id }, serverId: server.id, realmId: realm.id, ...from, details: { reason, step: 'server/billing' } });
    throw error;
  };
  if (realm.serverId !== server.id || !matchesToken(request.realm.ownerSecret, realm.ownerSecretHash)) {
    const reason = realm.serverId === server.id ? 'owner secret' : 'another server';
    using.log.warn({ server_id: server.id, realm_id: realm.id, reason }, 'a server asked for a realm that is not its own');
    return refuse(reason, new AppError('remote_realm_mismatch', 'Your organization is registered to a different server. Please contact support for assistance in resolving this issue.'));
  }
  if (isDeactivated({ server, realm }) || request.realm.deactivated) {
    return refuse('deactivated', new AppError('registration_deactivated', 'The registration of this organization is deactivated. Please contact support.'));
  }
  const user = await findBillingUser(db, { realmId: realm.id, userUuid: request.user.uuid });
  if (user?.state === 'deactivated') {
    return refuse('deactivated', new AppError('registration_deactivated', 'This person may not sign in to billing any more. Ask another billing user of the organization, or support.'));
  }
  const token = await using.tokens.mint({
    serverId: server.id,
    keyGeneration: server.keyGeneration,
    realm: { id: realm.id, user: request.user },
    uriScheme: request.uriScheme,
    nextPage: request.nextPage,
    proof: undefined,
  });
  return `${using.billingUrl}/remote-billing-login/${token}`;
}
