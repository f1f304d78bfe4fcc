import { epochSeconds } from '../../platform/clock.ts';
import { setsOwnCookie, withoutOwnCookies } from '../cookie.ts';
import { IDENTITY_TOKEN_HEADER } from '../identity/identity-token.ts';
import type { Identity } from '../provider/provider.ts';

/** RFC 9110 7.6.1, and what older proxies kept between hops. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect', 'http2-settings']);
const MOST_REMEMBERED_NAMES = 1_000;

/** Names that an app believes because a proxy is said to have written them. */
const SPOOFABLE = /^(?:x-(?:user|trial|forwarded|auth-request|remote|vestibule|original-(?:ur[il]|host)|rewrite-url|real-ip|client-ip|cluster-client-ip|request-id)|forwarded|via|remote-(?:user|groups|email|name)|true-client-ip|proxy)(?:-|$)/;

const PLAIN = /^[\x20-\x7e]*$/;

export interface Passage {
  clientAddress: string;
  requestId: string;
  /** The only host that the app hears of; what the request says is not passed on (SECURITY.md 10). */
  public: { host: string; protocol: string };
  /** What the app may check instead of trusting the network (identity/). */
  identityToken: string | undefined;
  /** Hears when the app begins to answer. */
  onAnswer?: () => void;
}

/** The headers for the app as name, value, name, value …: what came in, less what is ours to say, and then what we say. */
export function headersForApp(raw: readonly string[], identity: Identity, passage: Passage): string[] {
  const headers: string[] = [];
  const cookies = passOn(raw, headers, fromClient);
  const cookie = cookies === undefined ? undefined : withoutOwnCookies(cookies.join('; '));
  if (cookie !== undefined) headers.push('Cookie', cookie);
  const { host, protocol } = passage.public;
  headers.push('Host', host, 'X-Forwarded-For', passage.clientAddress, 'X-Forwarded-Host', host, 'X-Forwarded-Proto', protocol, 'X-Request-Id', passage.requestId);
  headers.push(...identityHeaders(identity));
  if (passage.identityToken !== undefined) headers.push(IDENTITY_TOKEN_HEADER, passage.identityToken);
  return headers;
}

/** Who it is, as name, value, name, value …: every header always, empty where there is nothing to say (SECURITY.md 21). */
export function identityHeaders({ sub, email, name, roles, groups, trial }: Identity): string[] {
  return [
    'X-User', inHeader(sub),
    'X-User-Email', inHeader(email),
    'X-User-Name', inHeader(name),
    'X-User-Roles', listed(roles),
    'X-User-Groups', listed(groups),
    'X-Trial-App', inHeader(trial?.app ?? ''),
    'X-Trial-Ends-At', trial ? String(epochSeconds(trial.endsAt)) : '',
  ];
}

const lists = new WeakMap<readonly string[], string>();

export const NO_IDENTITY_HEADERS: readonly string[] = identityHeaders({ sub: '', sid: null, email: '', name: '', roles: [], groups: [], trial: null });

/** The app's headers for the browser; the app can't set a cookie of ours. */
export function headersFromApp(raw: readonly string[]): string[] {
  const headers: string[] = [];
  const cookies = passOn(raw, headers, fromApp);
  for (const value of cookies ?? []) if (!setsOwnCookie(value)) headers.push('Set-Cookie', value);
  return headers;
}

/** What becomes of a header, by its name: `unless_named` by `Connection`, `cookie` when its value decides. */
type Fate = 'passes' | 'unless_named' | 'connection' | 'cookie' | 'ends';

const fromClient = rememberedFates((lowerName) => {
  if (lowerName === 'cookie') return 'cookie';
  return lowerName === 'host' || isSpoofable(lowerName) ? 'ends' : undefined;
});
const fromApp = rememberedFates((lowerName) => {
  if (lowerName === 'set-cookie') return 'cookie';
  return lowerName === 'x-request-id' ? 'ends' : undefined;
});

/** A name is looked at once: few are sent, again and again. */
function rememberedFates(special: (lowerName: string) => Fate | undefined): (name: string) => Fate {
  const remembered = new Map<string, Fate>();
  return (name) => {
    let fate = remembered.get(name);
    if (fate === undefined) {
      const lowerName = name.toLowerCase();
      fate = special(lowerName) ?? ordinaryFate(lowerName);
      if (remembered.size < MOST_REMEMBERED_NAMES) remembered.set(name, fate);
    }
    return fate;
  };
}

function ordinaryFate(lowerName: string): Fate {
  if (lowerName === 'connection') return 'connection';
  if (HOP_BY_HOP.has(lowerName)) return 'ends';
  // A browser's `Connection: keep-alive, Content-Length` must not change how a body is read.
  return lowerName === 'content-length' ? 'passes' : 'unless_named';
}

/** Adds to `headers` what is not for one hop, and passes; answers with the values of cookie headers, which the caller judges. */
function passOn(raw: readonly string[], headers: string[], fateOf: (name: string) => Fate): string[] | undefined {
  const named = connectionNames(raw, fateOf);
  let cookies: string[] | undefined;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const value = raw[at + 1] ?? '';
    const fate = fateOf(name);
    if (fate === 'ends' || fate === 'connection' || (fate !== 'passes' && named?.has(name.toLowerCase()))) continue;
    if (fate === 'cookie') (cookies ??= []).push(value);
    else headers.push(name, value);
  }
  return cookies;
}

/** `X_User` and `X.User` become the same variable as `X-User` in CGI-like servers. */
function isSpoofable(lowerName: string): boolean {
  return SPOOFABLE.test(lowerName.replace(/[^a-z0-9]/g, '-'));
}

/** Headers that `Connection` names are for one hop; it can't take away what we add afterwards (CVE-2024-45410). */
function connectionNames(raw: readonly string[], fateOf: (name: string) => Fate): Set<string> | undefined {
  let named: Set<string> | undefined;
  for (let at = 0; at < raw.length; at += 2) {
    if (fateOf(raw[at] ?? '') !== 'connection') continue;
    for (const name of (raw[at + 1] ?? '').toLowerCase().split(',')) (named ??= new Set()).add(name.trim());
  }
  return named;
}

/** A name with a comma would be two. Most people have the same few lists, and share them in memory. */
function listed(names: readonly string[]): string {
  if (names.length === 0) return '';
  let list = lists.get(names);
  if (list === undefined) {
    list = names.filter((name) => !name.includes(',')).map(inHeader).join(',');
    lists.set(names, list);
  }
  return list;
}

/** UTF-8 bytes, as other auth proxies send them; control characters never. */
function inHeader(value: string): string {
  if (PLAIN.test(value)) return value;
  // eslint-disable-next-line no-control-regex
  return Buffer.from(value.replace(/[\u0000-\u001f\u007f]/g, ' '), 'utf8').toString('latin1');
}
