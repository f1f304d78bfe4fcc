import type { Kysely } from 'kysely';
import { decodeJwt } from 'jose';
import type { Tables } from '../db/tables.ts';
import type { Tokens } from '../provider/provider.ts';
import type { Seal } from '../seal.ts';
import { findSession, type ReadSession, type StoredMaker } from './session.store.ts';

/** By whom people are signed in: a client at a provider. */
export interface Client {
  issuer: string;
  clientId: string;
}

/** Undefined: nobody said. */
export function isSameClient(one: Client, other: Client | undefined): boolean {
  return one.issuer === other?.issuer && one.clientId === other.clientId;
}

/**
 * Reads a session that was made by the client which its site has now. One that another made, before the configuration changed, is over:
 * its roles are that other client's, and its refresh token must not be sent to anybody else. Asked where a session is read, so that a
 * request of a known one pays nothing for it.
 */
export function ownSessions(clientBySite: ReadonlyMap<string, Client>, seal: Pick<Seal, 'open'>) {
  return async (db: Kysely<Tables>, idHash: Buffer): Promise<ReadSession | undefined> => {
    const found = await findSession(db, idHash);
    const client = found && clientBySite.get(found.session.site);
    return client && isSameClient(client, makerOf(found.maker, client, seal)) ? found : undefined;
  };
}

/** A row of an older release names no client; its ID token does. */
function makerOf(maker: StoredMaker, client: Client, seal: Pick<Seal, 'open'>): Client | undefined {
  if ('issuer' in maker) return maker;
  const tokens = seal.open<Tokens>('session', maker.sealedTokens);
  if (!tokens) return undefined;
  const { iss = '', aud = [] } = decodeJwt(tokens.idToken);
  return { issuer: iss, clientId: [aud].flat().find((one) => one === client.clientId) ?? '' };
}
