import type { IncomingMessage, RequestListener } from 'node:http';
import type { BlockList } from 'node:net';
import { isTrusted } from '../../platform/client-address.ts';
import type { SessionKeeping } from '../session/session.service.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { IdentityHeaders } from '../identity/identity-headers.ts';
import type { CorsRules } from './cors.ts';
import type { UpstreamRule } from './site.ts';

/** A site with everything that answers for it. */
export interface ServedSite {
  publicUrl: string;
  host: string;
  /** `http` or `https`, as browsers see it. */
  protocol: string;
  express: RequestListener;
  sessions: SessionKeeping;
  rules: readonly UpstreamRule[];
  upstreams: ReadonlyMap<UpstreamRule, Upstream>;
  identityHeaders: IdentityHeaders;
  cors: CorsRules | undefined;
  /** Of the app's answers that have none about frames. */
  framePolicy: string | undefined;
}

/**
 * The site that a request is for, by the host that the browser named; a trusted proxy says it in `X-Forwarded-Host`. Where there is
 * one site only, it takes every request, whatever the host: nothing is built from it.
 */
export function chooseSite(sites: readonly ServedSite[], req: IncomingMessage, trustedProxies: BlockList): ServedSite | undefined {
  if (sites.length === 1) return sites[0];
  return sites.find((site) => isAt(site, req, trustedProxies));
}

/** In lower case; the default port may be said. */
export function siteOfHost(sites: readonly ServedSite[], host: string): ServedSite | undefined {
  return sites.find((site) => isHostOf(site, host));
}

/** In lower case; the default port may be said. */
export function isHostOf(site: ServedSite, host: string): boolean {
  return site.host === host || withDefaultPort(site) === host;
}

/** Whether a request is for this host, as the browser or a trusted proxy says. */
export function isAt(site: Pick<ServedSite, 'host' | 'protocol'>, req: IncomingMessage, trustedProxies: BlockList): boolean {
  const forwarded = isTrusted(req.socket.remoteAddress, trustedProxies) ? req.headers['x-forwarded-host'] : undefined;
  const host = (typeof forwarded === 'string' ? forwarded : req.headers.host)?.toLowerCase();
  return host === site.host || host === withDefaultPort(site);
}

function withDefaultPort({ host, protocol }: Pick<ServedSite, 'host' | 'protocol'>): string {
  return `${host}:${protocol === 'https' ? 443 : 80}`;
}
