import { setsOwnCookie, withoutOwnCookies } from '../cookie.ts';
import { plainName, type IdentityHeaders } from '../identity/identity-headers.ts';
import { IDENTITY_TOKEN_HEADER } from '../identity/identity-token.ts';
import type { Identity } from '../provider/provider.ts';
import { passOn, rememberedFates, type Fate } from './hop-by-hop.ts';

/** Names that an app believes because a proxy is said to have written them; {@link IdentityHeaders.names} besides. */
const SPOOFABLE = new RegExp(`^(?:${[
  'x-(?:user|trial|forwarded|remote|vestibule|request-id)',
  'x-original-(?:ur[il]|host)|x-rewrite-url',
  '(?:x-(?:real|client|cluster-client)|true-client)-ip|cf-connecting',
  // What other proxies and clouds say about who somebody is.
  'x-(?:auth-(?:request|user)|authenticated|webauth|authentik|pomerium|goog-(?:authenticated|iap)|amzn-oidc|ms-client-principal|ssl-client)',
  'remote-(?:user|groups|email|name)|cf-access|ssl-client',
  'forwarded|via|proxy',
].join('|')})(?:-|$)`);

/** RFC 9110 6.5.1 */
const NEVER_TRAILING = /^(?:host|cookie|set-cookie2?|authorization|www-authenticate|content-.*|cache-control|location|vary|age|date|expires|retry-after|max-forwards|range|if-.*|access-control-.*|strict-transport-security)$/;

export interface Passage {
  clientAddress: string;
  requestId: string;
  /** The only host that the app hears of; what the request says is not passed on (SECURITY.md 10). */
  public: { host: string; protocol: string; identityHeaders: IdentityHeaders; /** Where the app's `/` stands, if not at `/`. */ prefix?: string };
  /** What the app may check instead of trusting the network (identity/). */
  identityToken: string | undefined;
  /** Takes the place of what the app says about CORS, as name, value …; undefined: the app's own words pass. */
  cors?: readonly string[] | undefined;
  /** The policy of answers that say nothing themselves about who may show them in a frame; undefined: none. */
  framePolicy?: string | undefined;
  /** The last word on the headers of the app's answer, as name, value … */
  rewrite?: (headers: string[]) => string[];
  /** Hears when the app begins to answer, and whether it says how long its answer is. */
  onAnswer?: (hasLength: boolean) => void;
}

/** The headers for the app as name, value, name, value …: what came in, less what is ours to say, and then what we say. */
export function headersForApp(raw: readonly string[], identity: Identity, { public: site, clientAddress, requestId, identityToken }: Passage): string[] {
  const { host, protocol, identityHeaders, prefix } = site;
  const headers: string[] = [];
  const cookies = passOn(raw, headers, ofSite(identityHeaders).fromClient);
  const cookie = cookies === undefined ? undefined : withoutOwnCookies(cookies.length === 1 ? cookies[0] : cookies.join('; '));
  if (cookie !== undefined) headers.push('Cookie', cookie);
  headers.push(
    'Host', host,
    'X-Forwarded-For', clientAddress,
    'X-Forwarded-Host', host,
    'X-Forwarded-Proto', protocol,
    'Forwarded', `for=${forwardedNode(clientAddress)};host="${host}";proto=${protocol}`,
    'X-Request-Id', requestId,
  );
  if (prefix !== undefined) headers.push('X-Forwarded-Prefix', prefix);
  headers.push(...identityHeaders.of(identity));
  if (identityToken !== undefined) headers.push(IDENTITY_TOKEN_HEADER, identityToken);
  return headers;
}

/** The app's headers for the browser; the app can't set a cookie of ours. */
export function headersFromApp(raw: readonly string[], { requestId, cors, framePolicy, rewrite }: Pick<Passage, 'requestId' | 'cors' | 'framePolicy' | 'rewrite'>): string[] {
  const headers: string[] = [];
  const cookies = passOn(raw, headers, cors ? fromAppBehindCors : fromApp);
  for (const value of cookies ?? []) if (!setsOwnCookie(value)) headers.push('Set-Cookie', value);
  if (framePolicy !== undefined && !saysWhoMayFrame(headers)) headers.push('Content-Security-Policy', framePolicy);
  headers.push('X-Request-Id', requestId);
  if (cors) headers.push(...cors);
  return rewrite ? rewrite(headers) : headers;
}

const FRAME_ANCESTORS = /(?:^|[;,])\s*frame-ancestors(?:[\s;,]|$)/i;

/** By their lengths first: asked of every answer. */
function saysWhoMayFrame(headers: readonly string[]): boolean {
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] ?? '';
    if (name.length === 15 && name.toLowerCase() === 'x-frame-options') return true;
    if (name.length === 23 && name.toLowerCase() === 'content-security-policy' && FRAME_ANCESTORS.test(headers[at + 1] ?? '')) return true;
  }
  return false;
}

/** Fields that may follow a body, either way: none that says who it is, how to read the message, or that a header of ours says (SECURITY.md 21). */
export function trailersThatPass(raw: readonly string[], identityHeaders: IdentityHeaders): string[] {
  const trailers: string[] = [];
  if (raw.length > 0) passOn(raw, trailers, ofSite(identityHeaders).trailing);
  return trailers;
}

const fromApp = rememberedFates(fateFromApp);
const fromAppBehindCors = rememberedFates((lowerName) => (lowerName.startsWith('access-control-') ? 'ends' : fateFromApp(lowerName)));

function fateFromApp(lowerName: string): Fate | undefined {
  if (lowerName === 'set-cookie') return 'cookie';
  return lowerName === 'x-request-id' ? 'ends' : undefined;
}

interface FatesOfSite {
  fromClient: (name: string) => Fate;
  trailing: (name: string) => Fate;
}

const fatesOfSites = new WeakMap<IdentityHeaders, FatesOfSite>();

/** Which names nobody may say depends on the site's identity headers. */
function ofSite(identityHeaders: IdentityHeaders): FatesOfSite {
  let fates = fatesOfSites.get(identityHeaders);
  if (fates === undefined) {
    const isSpoofable = (lowerName: string): boolean => SPOOFABLE.test(plainName(lowerName)) || identityHeaders.names.has(plainName(lowerName));
    fates = {
      fromClient: rememberedFates((lowerName) => {
        if (lowerName === 'cookie') return 'cookie';
        return lowerName === 'host' || isSpoofable(lowerName) ? 'ends' : undefined;
      }),
      trailing: rememberedFates((lowerName) => (NEVER_TRAILING.test(lowerName) || isSpoofable(lowerName) ? 'ends' : undefined)),
    };
    fatesOfSites.set(identityHeaders, fates);
  }
  return fates;
}

/** RFC 7239 6: an IPv6 address stands in brackets and quotes. */
function forwardedNode(address: string): string {
  return address.includes(':') ? `"[${address}]"` : address;
}
