import { plainSegment } from '../platform/request-target.ts';

/** First path segments that are the proxy's own and never reach the app (MODEL.md, "Paths"). */
const RESERVED = new Set(['api', 'trial', 'embed', 'staff', 'remote-billing-login', 'realm', 'server', 'serverlogin', 'livez', 'readyz']);
const FIRST_SEGMENT = /^[^/?]*\/([^/?]*)/;

/** Compared decoded and in lower case, so that no spelling of a reserved path reaches an app that is less exact. */
export function isReserved(target: string): boolean {
  const segment = FIRST_SEGMENT.exec(target)?.[1] ?? '';
  return RESERVED.has(plainSegment(segment).toLowerCase());
}
