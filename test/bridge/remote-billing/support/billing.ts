import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { openBridge, type Answer, type TestBridge, type TestBridgeOptions } from '../../support/bridge.ts';

/** What a self-hosted server knows of itself. */
export interface Server {
  id: string;
  key: string;
  hostname: string;
  contactEmail: string;
}

/** As it stands in a server's messages. */
export interface RealmOnWire {
  id: number;
  host: string;
  url: string;
  name: string;
  org_type: number;
  date_created: number;
  deactivated: boolean;
  is_system_bot_realm: boolean;
  authentication_methods: Record<string, boolean>;
  uuid: string;
  uuid_owner_secret: string;
}

export interface PersonOnWire {
  uuid: string;
  email: string;
  full_name: string;
}

export interface Reply {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

export interface Remote {
  form?: Readonly<Record<string, string>>;
  as?: Pick<Server, 'id' | 'key'>;
  /** The client's address, behind a trusted proxy. */
  from?: string;
  headers?: Readonly<Record<string, string>>;
  method?: string;
}

export interface TestBilling extends TestBridge {
  /** As a self-hosted server calls `/api/v1/remotes/<path>`. */
  remote(path: string, call?: Remote): Promise<Reply>;
  /** A registered server, with the realms that it told of. */
  server(given?: Partial<Server>): Promise<Server>;
  report(server: Server, realms: readonly RealmOnWire[], more?: Readonly<Record<string, string>>): Promise<Reply>;
  /** A registered server with one realm. */
  place(): Promise<{ server: Server; realm: RealmOnWire }>;
  billing(server: Server, realm: RealmOnWire, user?: PersonOnWire, more?: Readonly<Record<string, string>>): Promise<Reply>;
  /** As the proxy calls `/api/remote-billing/<path>` for a person at an address. */
  pages(path: string, body: object, from?: string): Promise<Answer>;
  /** The token of step 3. */
  access(server: Server, realm: RealmOnWire, user?: PersonOnWire, more?: Readonly<Record<string, string>>): Promise<string>;
  /** The key of the newest link that went to an address. */
  keyTo(email: string): Promise<string>;
  /** The ten steps of a new person, to the session. */
  signIn(server: Server, realm: RealmOnWire, user?: PersonOnWire): Promise<{ token: string; body: Record<string, unknown> }>;
  audit(of: { serverId: string }): Promise<{ act: string; actor_kind: string; actor_id: string | null; details: unknown }[]>;
}

export async function openBilling(options: TestBridgeOptions = {}): Promise<TestBilling> {
  const bridge = await openBridge({ ...options, env: { TRUSTED_PROXIES: '127.0.0.1/32', ...options.env } });
  const remote: TestBilling['remote'] = async (path, { form, as, from = randomAddress(), headers = {}, method = form === undefined ? 'GET' : 'POST' } = {}) => {
    const response = await fetch(`${bridge.url}/api/v1/remotes/${path}`, {
      method,
      headers: { 'x-forwarded-for': from, ...(as === undefined ? {} : { authorization: basic(as) }), ...headers },
      ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  };
  const report: TestBilling['report'] = (server, realms, more = {}) =>
    remote('server/analytics', { as: server, form: { realms: JSON.stringify(realms), realm_counts: '[]', installation_counts: '[]', ...more } });
  const server: TestBilling['server'] = async (given = {}) => {
    const one = newServer(given);
    const answer = await remote('server/register', { form: registrationOf(one) });
    if (answer.status !== 200) throw new Error(`The server was not registered: ${JSON.stringify(answer.body)}`);
    return one;
  };
  const pages: TestBilling['pages'] = async (path, body, from = randomAddress()) =>
    bridge.send(`/api/remote-billing/${path}`, { body, headers: { authorization: `Bearer ${await bridge.realm.serviceToken('vestibule-proxy', 'billing-pages')}`, 'x-forwarded-for': from } });
  const billing: TestBilling['billing'] = (one, realm, user = newPerson(), more = {}) =>
    remote('server/billing', { as: one, form: { user: JSON.stringify(user), realm: JSON.stringify(realm), ...more } });
  const access: TestBilling['access'] = async (...given) => {
    const { body } = await billing(...given);
    return String(body['billing_access_url']).split('/').at(-1)!;
  };
  const keyTo: TestBilling['keyTo'] = async (email) => {
    await bridge.settled();
    const mail = bridge.inbox.messages().find(({ to, text }) => to.includes(email) && text.includes('do_confirm'));
    const [, key] = /\/do_confirm\/([a-z2-7]{24})\?lang=/.exec(mail?.text ?? '') ?? [];
    if (key === undefined) throw new Error(`No link went to ${email}`);
    return key;
  };
  return {
    ...bridge,
    pages,
    access,
    keyTo,
    signIn: async (one, realm, user = newPerson()) => {
      const first = await access(one, realm, user);
      await pages('login/mail', { token: first, email: user.email });
      const proven = await pages('login/confirmation', { key: await keyTo(user.email) });
      const token = String(proven.body['token']);
      return { token, body: (await pages('login/complete', { token, attempt: newAttempt(), accepted_terms: TERMS })).body };
    },
    remote,
    report,
    server,
    place: async () => {
      const one = await server();
      const realm = newRealm();
      const answer = await report(one, [realm]);
      if (answer.status !== 200) throw new Error(`The realm was not registered: ${JSON.stringify(answer.body)}`);
      return { server: one, realm };
    },
    billing,
    audit: async ({ serverId }) =>
      bridge.db.selectFrom('bridge.billing_audit').select(['act', 'actor_kind', 'actor_id', 'details']).where('server_id', '=', serverId).orderBy('id').execute(),
  };
}

/** Of billing.yaml. */
export const TERMS = '1.0';

export function newAttempt(): string {
  return randomBytes(32).toString('base64url');
}

export function newServer(given: Partial<Server> = {}): Server {
  return { id: randomUUID(), key: newKey(), hostname: `zulip-${randomBytes(6).toString('hex')}.example.org`, contactEmail: 'admin@example.org', ...given };
}

export function newKey(): string {
  return randomBytes(32).toString('hex');
}

export function newRealm(given: Partial<RealmOnWire> = {}): RealmOnWire {
  const host = `org-${randomBytes(6).toString('hex')}.example.org`;
  return {
    id: randomInt(1, 1_000_000),
    host,
    url: `https://${host}`,
    name: 'Analytical Society',
    org_type: 10,
    date_created: 1_700_000_000.25,
    deactivated: false,
    is_system_bot_realm: false,
    authentication_methods: { Email: true, Google: false },
    uuid: randomUUID(),
    uuid_owner_secret: randomBytes(16).toString('hex'),
    ...given,
  };
}

export function newPerson(given: Partial<PersonOnWire> = {}): PersonOnWire {
  return { uuid: randomUUID(), email: `ada.${randomBytes(4).toString('hex')}@example.org`, full_name: 'Ada Lovelace', ...given };
}

export function registrationOf(server: Server): Record<string, string> {
  return { zulip_org_id: server.id, zulip_org_key: server.key, hostname: server.hostname, contact_email: server.contactEmail };
}

/** Of the keys, the limits and the audit: what else goes on in the process is none of a call's. */
export function billingStatements(all: readonly string[]): readonly string[] {
  return all.filter((text) => /remote_server|rate_limit|billing_audit/.test(text));
}

/** Limits by client address count none of these twice. */
export function randomAddress(): string {
  return `2001:db8:${Array.from({ length: 6 }, () => randomInt(65_536).toString(16)).join(':')}`;
}

export function basic({ id, key }: Pick<Server, 'id' | 'key'>): string {
  return `Basic ${Buffer.from(`${id}:${key}`).toString('base64')}`;
}
