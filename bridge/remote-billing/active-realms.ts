import type { Db, Trx } from '../db/schema.ts';
import { findRealmsOfServer, type RemoteRealm } from './realm.store.ts';
import type { RemoteServer } from './server.store.ts';
import { isDeactivated } from './standing.ts';

/** The organizations of people on a server; its own for bots is none. */
export async function findActiveRealms(db: Db | Trx, server: RemoteServer): Promise<readonly RemoteRealm[]> {
  return (await findRealmsOfServer(db, server.id)).filter((realm) => !realm.isSystemBotRealm && !isDeactivated({ server, realm }));
}
