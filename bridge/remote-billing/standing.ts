import type { UriScheme } from '../db/remote-billing.schema.ts';
import type { Place } from './place.ts';
import type { RemoteRealm } from './realm.store.ts';

/** Why nobody gets on here, as a page says it. */
export type RefusalReason = 'unknown' | 'expired' | 'spent' | 'revoked' | 'deactivated' | 'credentials' | 'plan_conflict';

export interface Refusal {
  result: 'refused';
  reason: RefusalReason;
  /** Where the sign-in begins again. */
  loginUrl: string | undefined;
}

export function refusal(reason: RefusalReason, loginUrl?: string): Refusal {
  return { result: 'refused', reason, loginUrl };
}

/** Whether nothing of a place may be opened any more. */
export function isDeactivated({ server, realm }: { server: { deactivated: boolean }; realm: Pick<RemoteRealm, 'deactivated' | 'locallyDeleted' | 'registrationDeactivated'> | undefined }): boolean {
  return server.deactivated || (realm !== undefined && (realm.deactivated || realm.locallyDeleted || realm.registrationDeactivated));
}

/** The way back to the server that sent somebody; whoever typed a key types it again. */
export function wayBack({ realm }: Place, uriScheme: UriScheme, page: string | null): string | undefined {
  return realm && `${uriScheme}${realm.host}/self-hosted-billing/${page === null ? '' : `?next_page=${page}`}`;
}
