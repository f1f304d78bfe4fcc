/** How a self-hosted server asks for a billing link, in Zulip's messages. Imports nothing of Vestibule's: copy the folder into a product. */

/** Everything together: who waits for a link is told to try again after that. */
const ANSWER_LIMIT_MILLISECONDS = 15_000;

export const NEXT_PAGES = ['sponsorship', 'upgrade', 'billing', 'plans'] as const;
export type NextPage = (typeof NEXT_PAGES)[number];

/** An organization of this server, as it stands in the messages. */
export interface Realm {
  id: number;
  uuid: string;
  /** Made once by this server, told to nobody else: whoever has it owns the realm at the billing service. */
  uuid_owner_secret: string;
  /** Name and port, nothing else of an address. */
  host: string;
  url: string;
  name: string;
  org_type: number;
  /** Epoch seconds. */
  date_created: number;
  deactivated: boolean;
  is_system_bot_realm: boolean;
  authentication_methods: Readonly<Record<string, boolean>>;
}

export interface Person {
  /** Stays the same for ever; the address may change. */
  uuid: string;
  email: string;
  full_name: string;
}

/** What the billing service issued to this server (or took from it, at registration). */
export interface Credentials {
  /** Base address of the billing service. */
  bridgeUrl: string;
  /** UUID. */
  serverId: string;
  /** 64 characters. */
  serverKey: string;
}

export type Failure = 'unreachable' | 'not_accepted' | 'other_server' | 'deactivated' | 'limited' | 'refused';
export type Asked = { result: 'url'; url: string } | { result: Failure; cause: unknown };

interface Wish {
  person: Person;
  realm: Realm;
  /** Told where the service does not know the realm yet. */
  realms: () => Promise<readonly Realm[]>;
  nextPage: NextPage | undefined;
}

/** An address that signs this person in to billing of this realm. A realm that is unknown is reported, and asked for once more. */
export async function askForBillingUrl(credentials: Credentials, wish: Wish): Promise<Asked> {
  const signal = AbortSignal.timeout(ANSWER_LIMIT_MILLISECONDS);
  const form = {
    user: JSON.stringify(wish.person),
    realm: JSON.stringify(wish.realm),
    uri_scheme: `${new URL(wish.realm.url).protocol}//`,
    ...(wish.nextPage && { next_page: wish.nextPage }),
  };
  try {
    let answer = await send(credentials, 'billing', form, signal);
    if (answer.code === 'MISSING_REMOTE_REALM') {
      const reported = await send(credentials, 'analytics', { realms: JSON.stringify(await wish.realms()), realm_counts: '[]', installation_counts: '[]' }, signal);
      answer = reported.status === 200 ? await send(credentials, 'billing', form, signal) : reported;
    }
    return asked(answer);
  } catch (cause) {
    return { result: 'unreachable', cause };
  }
}

/** Introduces this server, or changes its hostname and contact. Call it when one of them changes. Throws what the service says against it. */
export async function registerServer({ bridgeUrl, serverId, serverKey }: Credentials, about: { hostname: string; contactEmail: string }): Promise<void> {
  const form = { zulip_org_id: serverId, zulip_org_key: serverKey, hostname: about.hostname, contact_email: about.contactEmail };
  const answer = await post(`${bridgeUrl}/api/v1/remotes/server/register`, form, {}, AbortSignal.timeout(ANSWER_LIMIT_MILLISECONDS));
  if (answer.status !== 200) throw new Error(`The billing service did not register this server: ${answer.status} ${answer.msg}`);
}

interface Answer {
  status: number;
  code: string | undefined;
  msg: string;
  url: string | undefined;
}

function asked({ status, code, msg, url }: Answer): Asked {
  if (status === 200 && url !== undefined && /^https?:\/\//.test(url)) return { result: 'url', url };
  const cause = new Error(`${status} ${code ?? ''} ${msg}`);
  if (status >= 500 || status === 200) return { result: 'unreachable', cause };
  if (status === 401) return { result: 'not_accepted', cause };
  if (status === 429) return { result: 'limited', cause };
  if (code === 'REMOTE_REALM_SERVER_MISMATCH_ERROR') return { result: 'other_server', cause };
  return { result: code === 'REALM_DEACTIVATED' ? 'deactivated' : 'refused', cause };
}

function send({ bridgeUrl, serverId, serverKey }: Credentials, endpoint: string, form: Record<string, string>, signal: AbortSignal): Promise<Answer> {
  const authorization = `Basic ${Buffer.from(`${serverId}:${serverKey}`).toString('base64')}`;
  return post(`${bridgeUrl}/api/v1/remotes/server/${endpoint}`, form, { authorization }, signal);
}

async function post(url: string, form: Record<string, string>, headers: Record<string, string>, signal: AbortSignal): Promise<Answer> {
  // A redirect would carry the key to another host.
  const response = await fetch(url, { method: 'POST', headers, body: new URLSearchParams(form), signal, redirect: 'error' });
  const text = await response.text();
  const body = readJson(text);
  return { status: response.status, code: asText(body['code']), msg: asText(body['msg']) ?? '', url: asText(body['billing_access_url']) };
}

function readJson(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
