import { stack } from './stack.ts';

/** What the admin REST API answers: as loose as JSON is, since tests look at what they expect. */
// oxlint-disable-next-line typescript/no-explicit-any
type Answer = any;

export interface KeycloakAdmin {
  get(path: string): Promise<Answer>;
  post(path: string, body?: unknown): Promise<void>;
  put(path: string, body?: unknown): Promise<void>;
  delete(path: string, body?: unknown): Promise<void>;
  /** Posts, and answers the id of what was made. */
  create(path: string, body: unknown): Promise<string>;
}

const TOKEN_SECONDS = 30;
let token: { value: Promise<string>; until: number } | undefined;

/** The admin REST API of our realm, as the bootstrap admin; paths begin below the realm. */
export function keycloakAdmin(): KeycloakAdmin {
  return adminOf(() => `/${stack().realm}`);
}

/** The same of another realm of that Keycloak. */
export function adminOfRealm(realm: string): KeycloakAdmin {
  return adminOf(() => `/${realm}`);
}

/** The same above all realms: `''` makes a realm, `/<name>` is one. */
export function realmsAdmin(): KeycloakAdmin {
  return adminOf(() => '');
}

function adminOf(prefix: () => string): KeycloakAdmin {
  const send = async (method: string, path: string, body?: unknown): Promise<Response> => {
    const answer = await fetch(`${stack().keycloak}/admin/realms${prefix()}${path}`, {
      method,
      headers: { authorization: `Bearer ${await masterToken()}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${await answer.text()}`);
    return answer;
  };
  return {
    get: async (path) => (await send('GET', path)).json(),
    post: async (path, body) => void (await send('POST', path, body)),
    put: async (path, body) => void (await send('PUT', path, body)),
    delete: async (path, body) => void (await send('DELETE', path, body)),
    create: async (path, body) => (await send('POST', path, body)).headers.get('location')?.split('/').at(-1) ?? '',
  };
}

/** Of the bootstrap admin, who may do anything in every realm. */
export function masterToken(): Promise<string> {
  if (token !== undefined && token.until >= Date.now()) return token.value;
  const asked = { value: signIn(), until: Date.now() + TOKEN_SECONDS * 1000 };
  token = asked;
  // While Keycloak was away: asked again by the next.
  asked.value.catch(() => {
    if (token === asked) token = undefined;
  });
  return asked.value;
}

async function signIn(): Promise<string> {
  const { keycloak, admin } = stack();
  const answer = await fetch(`${keycloak}/realms/master/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: 'admin-cli', grant_type: 'password', ...admin }),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}
