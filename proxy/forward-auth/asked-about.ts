import type { IncomingMessage } from 'node:http';

/** The request that a gateway asks about. */
export interface AskedAbout {
  uri: string;
  method: string;
  /** In lower case. */
  host: string;
}

/**
 * caddy and traefik say `X-Forwarded-Uri`, `-Host`, `-Method`; nginx `X-Original-…` as docs/proxy.md has it; ingress-nginx the whole
 * address in `X-Original-URL`. What is said twice, in whatever words, is not said: one of them may be the browser's.
 */
export function askedAbout(req: Pick<IncomingMessage, 'headersDistinct'>): AskedAbout | undefined {
  const [uri, host, address, method] = [said(req, 'uri'), said(req, 'host'), req.headersDistinct['x-original-url'] ?? [], said(req, 'method')];
  const [whole] = address;
  if (whole === undefined) return uri.length === 1 && host.length === 1 && method.length <= 1 ? about(uri[0], host[0], method[0]) : undefined;
  const [, itsHost, itsUri] = /^https?:\/\/([^/?#]+)(\/.*)$/.exec(whole) ?? [];
  return address.length === 1 && uri.length + host.length === 0 && method.length <= 1 ? about(itsUri, itsHost, method[0]) : undefined;
}

function about(uri: string | undefined, host: string | undefined, method = 'GET'): AskedAbout | undefined {
  return uri === undefined || host === undefined ? undefined : { uri, method, host: host.toLowerCase() };
}

function said({ headersDistinct }: Pick<IncomingMessage, 'headersDistinct'>, what: 'uri' | 'method' | 'host'): string[] {
  return [`x-forwarded-${what}`, `x-original-${what}`].flatMap((name) => headersDistinct[name] ?? []);
}
