import type { Access } from './access-token.ts';
import type { RemoteRealm } from './realm.store.ts';
import type { RemoteServer } from './server.store.ts';

/** Whether anything of a server or one of its realms may still be opened. */
export function isDeactivated(server: Pick<RemoteServer, 'deactivated'>, realm: Pick<RemoteRealm, 'deactivated' | 'locallyDeleted' | 'registrationDeactivated'> | undefined): boolean {
  return server.deactivated || (realm !== undefined && (realm.deactivated || realm.locallyDeleted || realm.registrationDeactivated));
}

/** The way back to the server that sent somebody: there the next sign-in begins. */
export function wayBack(uriScheme: Access['uriScheme'], realm: Pick<RemoteRealm, 'host'>, page: string | null): string {
  return `${uriScheme}${realm.host}/self-hosted-billing/${page === null ? '' : `?next_page=${page}`}`;
}
