import type { Access } from './config.ts';
import { Refusal } from './refusal.ts';

const TIME_LIMIT_MS = 30_000;
const RENEW_BEFORE_MS = 10_000;

/** The admin REST API of one realm; paths begin below it. */
export interface RealmAdmin {
  get<T>(path: string): Promise<T>;
  /** Undefined where there is no such thing. */
  find<T>(path: string): Promise<T | undefined>;
  /** Answers the id of what was made. */
  post(path: string, body: unknown): Promise<string>;
  put(path: string, body: unknown): Promise<void>;
  delete(path: string, body?: unknown): Promise<void>;
  accessToken(): Promise<string>;
}

/** Refuses at the first call what can't be dialled or signed in to. */
export function realmAdmin(access: Access): RealmAdmin {
  let current: Promise<{ token: string; until: number }> | undefined;
  const accessToken = async (): Promise<string> => {
    const known = await current;
    if (known !== undefined && known.until > Date.now()) return known.token;
    current = signIn(access);
    return (await current).token;
  };
  const send = async (method: string, path: string, body?: unknown): Promise<Response> => {
    const answer = await dial(`${access.url}/admin/realms/${encodeURIComponent(access.realm)}${path}`, {
      method,
      headers: { authorization: `Bearer ${await accessToken()}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (answer.ok || (answer.status === 404 && method === 'GET' && path !== '')) return answer;
    throw refused(answer, method, path, access, await answer.text());
  };
  const find = async <T>(path: string): Promise<T | undefined> => {
    const answer = await send('GET', path);
    return answer.status === 404 ? undefined : ((await answer.json()) as T);
  };
  return {
    accessToken,
    find,
    get: async <T>(path: string) => {
      const found = await find<T>(path);
      if (found === undefined) throw new Error(`Keycloak has no ${path} in realm ${access.realm}. Somebody else is changing the realm: run the command again.`);
      return found;
    },
    post: async (path, body) => (await send('POST', path, body)).headers.get('location')?.split('/').at(-1) ?? '',
    put: async (path, body) => void (await send('PUT', path, body)),
    delete: async (path, body) => void (await send('DELETE', path, body)),
  };
}

async function signIn({ url, signInAt, credentials }: Access): Promise<{ token: string; until: number }> {
  const secrets = credentials.grant_type === 'password' ? { password: credentials.password.reveal() } : { client_secret: credentials.client_secret.reveal() };
  const answer = await dial(`${url}/realms/${encodeURIComponent(signInAt)}/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({ ...credentials, ...secrets } as unknown as Record<string, string>),
  });
  if (!answer.ok) {
    throw new Refusal(`Keycloak did not let the admin in at realm ${signInAt} (${answer.status}). Set REALM_ADMIN_USERNAME and REALM_ADMIN_PASSWORD, or REALM_ADMIN_CLIENT_ID and REALM_ADMIN_CLIENT_SECRET, to those of an account that may manage the realm.`);
  }
  const { access_token: token, expires_in: seconds } = (await answer.json()) as { access_token: string; expires_in: number };
  return { token, until: Date.now() + seconds * 1000 - RENEW_BEFORE_MS };
}

async function dial(url: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...request, signal: AbortSignal.timeout(TIME_LIMIT_MS) });
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? ((cause as { code?: string }).code ?? cause.message) : message;
    throw new Refusal(`Keycloak does not answer at ${new URL(url).origin}: ${reason}. Correct KEYCLOAK_INTERNAL_URL, or see that Keycloak runs; then run the command again.`, { cause: error });
  }
}

function refused(answer: Response, method: string, path: string, { realm }: Access, body: string): Error {
  if (answer.status === 404 && path === '') return new Refusal(`There is no realm ${realm}. Set KEYCLOAK_REALM.`);
  if (answer.status === 403) return new Refusal(`The admin may not ${method} ${path || 'the realm'} of ${realm}. Give the account manage-realm, manage-clients, manage-users and manage-identity-providers of the realm, or take an admin of the master realm.`);
  return new Error(`Keycloak answered ${answer.status} to ${method} ${path}: ${reasonIn(body)} What was done so far stays and does no harm: run the command again.`);
}

/** Keycloak's own words; never the body as it came, which may repeat what was sent. */
function reasonIn(body: string): string {
  try {
    const { errorMessage, error } = JSON.parse(body) as { errorMessage?: string; error?: string };
    return `${errorMessage ?? error ?? 'no reason given'}.`;
  } catch {
    return 'no reason given.';
  }
}
