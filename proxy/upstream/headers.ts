import { setsOwnCookie, withoutOwnCookies } from '../cookie.ts';
import { plainName, type IdentityHeaders } from '../identity/identity-headers.ts';
import { IDENTITY_TOKEN_HEADER } from '../identity/identity-token.ts';
import type { Identity } from '../provider/provider.ts';
import { allValues, endToEnd } from './hop-by-hop.ts';

/** Names that an app believes because a proxy is said to have written them; {@link IdentityHeaders.names} besides. */
const SPOOFABLE = /^(?:x-(?:user|trial|forwarded|auth-request|remote|vestibule|original-(?:ur[il]|host)|rewrite-url|real-ip|client-ip|cluster-client-ip|request-id)|forwarded|via|remote-(?:user|groups|email|name)|true-client-ip|proxy)(?:-|$)/;

export interface Passage {
  clientAddress: string;
  requestId: string;
  /** The only host that the app hears of; what the request says is not passed on (SECURITY.md 10). */
  public: { host: string; protocol: string; identityHeaders: IdentityHeaders };
  /** What the app may check instead of trusting the network (identity/). */
  identityToken: string | undefined;
  /** Takes the place of what the app says about CORS, as name, value …; undefined: the app's own words pass. */
  cors?: readonly string[] | undefined;
  /** Hears when the app begins to answer. */
  onAnswer?: () => void;
}

/** The headers for the app as name, value, name, value …: what came in, less what is ours to say, and then what we say. */
export function headersForApp(raw: readonly string[], identity: Identity, { public: site, clientAddress, requestId, identityToken }: Passage): string[] {
  const { host, protocol, identityHeaders } = site;
  const headers = endToEnd(raw, (lowerName) => lowerName !== 'host' && lowerName !== 'cookie' && !isSpoofable(lowerName, identityHeaders.names));
  const cookie = withoutOwnCookies(allValues(raw, 'cookie').join('; '));
  if (cookie !== undefined) headers.push('Cookie', cookie);
  headers.push(
    'Host', host,
    'X-Forwarded-For', clientAddress,
    'X-Forwarded-Host', host,
    'X-Forwarded-Proto', protocol,
    'Forwarded', `for=${forwardedNode(clientAddress)};host="${host}";proto=${protocol}`,
    'X-Request-Id', requestId,
    ...identityHeaders.of(identity),
  );
  if (identityToken !== undefined) headers.push(IDENTITY_TOKEN_HEADER, identityToken);
  return headers;
}

/** The app's headers for the browser; the app can't set a cookie of ours. */
export function headersFromApp(raw: readonly string[], { requestId, cors }: Pick<Passage, 'requestId' | 'cors'>): string[] {
  const headers = endToEnd(
    raw,
    (lowerName, value) => lowerName !== 'x-request-id' && !(lowerName === 'set-cookie' && setsOwnCookie(value)) && !(cors && lowerName.startsWith('access-control-')),
  );
  headers.push('X-Request-Id', requestId);
  if (cors) headers.push(...cors);
  return headers;
}

/** Fields that may follow a body, either way: none that says who it is, how to read the message, or that a header of ours says (SECURITY.md 21). */
export function trailersThatPass(raw: readonly string[], names: ReadonlySet<string>): string[] {
  return endToEnd(raw, (lowerName) => !NEVER_TRAILING.test(lowerName) && !isSpoofable(lowerName, names));
}

/** RFC 9110 6.5.1 */
const NEVER_TRAILING = /^(?:host|cookie|set-cookie2?|authorization|www-authenticate|content-.*|cache-control|location|vary|age|date|expires|retry-after|max-forwards|range|if-.*|access-control-.*|strict-transport-security)$/;

function isSpoofable(lowerName: string, ours: ReadonlySet<string>): boolean {
  const name = plainName(lowerName);
  return SPOOFABLE.test(name) || ours.has(name);
}

/** RFC 7239 6: an IPv6 address stands in brackets and quotes. */
function forwardedNode(address: string): string {
  return address.includes(':') ? `"[${address}]"` : address;
}
