import KeycloakAdminClient from '@keycloak/keycloak-admin-client';
import { adminClient } from '../keycloak/accounts.ts';
import type { DoctorConfig } from './config.ts';

const TIME_LIMIT_MILLISECONDS = 30_000;
/** A token of admin-cli lives for a minute. */
const RENEW_MILLISECONDS = 30_000;

/** Keycloak shows this to nobody with so few rights. */
export class NotAllowed extends Error {}

export interface AdminReader {
  /** GET of the admin API, below a realm; `undefined` for 404. Throws {@link NotAllowed} for 401 and 403. */
  read<T>(path: string, realm?: string): Promise<T | undefined>;
  /** The same for lists: none for 404. */
  list<T>(path: string, realm?: string): Promise<readonly T[]>;
  accessToken(): Promise<string>;
}

/** As the admin of `DOCTOR_ADMIN_USERNAME`, else as the bridge's own account. */
export function adminReader(config: DoctorConfig): AdminReader {
  const { internalUrl, realm: ownRealm } = config.keycloak;
  const accessToken = config.admin === undefined ? ofTheBridge(config) : ofTheAdmin(internalUrl, config.admin);
  const read = async <T>(path: string, realm = ownRealm): Promise<T | undefined> => {
    const answer = await fetch(`${internalUrl}/admin/realms/${encodeURIComponent(realm)}${path}`, {
      headers: { authorization: `Bearer ${await accessToken()}` },
      signal: AbortSignal.timeout(TIME_LIMIT_MILLISECONDS),
    });
    if (answer.status === 404) return undefined;
    if (answer.status === 401 || answer.status === 403) throw new NotAllowed(`Keycloak does not show ${path || 'the realm'} to this account`);
    if (!answer.ok) throw new Error(`Keycloak answered ${answer.status} for ${path || 'the realm'}`);
    return (await answer.json()) as T;
  };
  return { read, list: async <T>(path: string, realm?: string) => (await read<T[]>(path, realm)) ?? [], accessToken };
}

function ofTheBridge(config: DoctorConfig): () => Promise<string> {
  const client = adminClient({ ...config.keycloak, clientId: config.clientId, clientSecret: config.clientSecret });
  return async () => (await client.getAccessToken()) ?? '';
}

function ofTheAdmin(baseUrl: string, { username, password }: NonNullable<DoctorConfig['admin']>): () => Promise<string> {
  let current: { token: Promise<string>; at: number } | undefined;
  const signIn = async () => {
    const client = new KeycloakAdminClient({ baseUrl, realmName: 'master', timeout: TIME_LIMIT_MILLISECONDS });
    await client.auth({ grantType: 'password', clientId: 'admin-cli', username, password: password.reveal() });
    return client.accessToken ?? '';
  };
  return () => {
    if (current === undefined || Date.now() - current.at > RENEW_MILLISECONDS) current = { token: signIn(), at: Date.now() };
    return current.token;
  };
}
