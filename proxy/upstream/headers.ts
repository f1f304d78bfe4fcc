import { epochSeconds } from '../../platform/clock.ts';
import { setsOwnCookie, withoutOwnCookies } from '../cookie.ts';
import { IDENTITY_TOKEN_HEADER } from '../identity/identity-token.ts';
import type { Identity } from '../provider/provider.ts';

/** RFC 9110 7.6.1, and what older proxies kept between hops. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect', 'http2-settings']);

/** Names that an app believes because a proxy is said to have written them. */
const SPOOFABLE = /^(?:x-(?:user|trial|forwarded|auth-request|remote|vestibule|original-(?:ur[il]|host)|rewrite-url|real-ip|client-ip|cluster-client-ip|request-id)|forwarded|via|remote-(?:user|groups|email|name)|true-client-ip|proxy)(?:-|$)/;

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
  const headers = endToEnd(raw, (lowerName) => lowerName !== 'host' && lowerName !== 'cookie' && !isSpoofable(lowerName));
  const cookie = withoutOwnCookies(allValues(raw, 'cookie').join('; '));
  if (cookie !== undefined) headers.push('Cookie', cookie);
  const ours = {
    Host: passage.public.host,
    'X-Forwarded-For': passage.clientAddress,
    'X-Forwarded-Host': passage.public.host,
    'X-Forwarded-Proto': passage.public.protocol,
    'X-Request-Id': passage.requestId,
  };
  const signed = passage.identityToken === undefined ? [] : [IDENTITY_TOKEN_HEADER, passage.identityToken];
  return [...headers, ...Object.entries(ours).flat(), ...identityHeaders(identity), ...signed];
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

export const NO_IDENTITY_HEADERS: readonly string[] = identityHeaders({ sub: '', sid: null, email: '', name: '', roles: [], groups: [], trial: null });

/** The app's headers for the browser; the app can't set a cookie of ours. */
export function headersFromApp(raw: readonly string[]): string[] {
  return endToEnd(raw, (lowerName, value) => lowerName !== 'x-request-id' && !(lowerName === 'set-cookie' && setsOwnCookie(value)));
}

/** What is not for one hop, and passes. */
function endToEnd(raw: readonly string[], passes: (lowerName: string, value: string) => boolean): string[] {
  const named = connectionNames(raw);
  const headers: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const [name = '', value = ''] = [raw[at], raw[at + 1]];
    const lowerName = name.toLowerCase();
    if (!HOP_BY_HOP.has(lowerName) && !named.has(lowerName) && passes(lowerName, value)) headers.push(name, value);
  }
  return headers;
}

/** `X_User` and `X.User` become the same variable as `X-User` in CGI-like servers. */
function isSpoofable(lowerName: string): boolean {
  return SPOOFABLE.test(lowerName.replace(/[^a-z0-9]/g, '-'));
}

/** Headers that `Connection` names are for one hop; it can't take away what we add afterwards (CVE-2024-45410). */
function connectionNames(raw: readonly string[]): Set<string> {
  return new Set(
    allValues(raw, 'connection')
      .flatMap((value) => value.toLowerCase().split(','))
      .map((name) => name.trim())
      // A browser's `Connection: keep-alive, Content-Length` must not change how a body is read.
      .filter((name) => name !== '' && name !== 'content-length' && name !== 'host'),
  );
}

function allValues(raw: readonly string[], lowerName: string): string[] {
  return raw.filter((_value, at) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === lowerName);
}

/** A name with a comma would be two. */
function listed(names: readonly string[]): string {
  return names.filter((name) => !name.includes(',')).map(inHeader).join(',');
}

/** UTF-8 bytes, as other auth proxies send them; control characters never. */
function inHeader(value: string): string {
  // eslint-disable-next-line no-control-regex
  return Buffer.from(value.replace(/[\u0000-\u001f\u007f]/g, ' '), 'utf8').toString('latin1');
}
