import type { IncomingMessage, ServerResponse } from 'node:http';
import { isReserved } from '../request-target.ts';
import type { Meter, RequestKind } from './meter.ts';

/** Of the bridge (routes.ts). */
const FORWARDED = new Set(['/api/trial/register', '/api/legacy/trial/register', '/api/v1/remotes/server/analytics', '/api/v1/remotes/*path']);

/** Counts the answer by its route pattern: what was asked for may hold anything. */
export function countRequest(meter: Pick<Meter, 'request'>, req: IncomingMessage, res: ServerResponse): void {
  const target = req.url ?? '';
  res.once('close', () => {
    const route = routeOf(req);
    meter.request(kindOf(target, route), route, res.statusCode);
  });
}

/** Express leaves the route that it chose on the request; the way to the app has none. */
function routeOf(req: IncomingMessage): string {
  return (req as { route?: { path: string } }).route?.path ?? 'none';
}

function kindOf(target: string, route: string): RequestKind {
  if (FORWARDED.has(route)) return 'forwarded';
  return isReserved(target) ? 'page' : 'app';
}
