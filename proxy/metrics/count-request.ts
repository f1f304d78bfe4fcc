import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Meter } from './meter.ts';

/** Of the bridge (routes.ts). */
const FORWARDED = new Set(['/api/trial/register', '/api/legacy/trial/register', '/api/v1/remotes/server/analytics', '/api/v1/remotes/*path']);

/** Counts the answer by its route pattern: what was asked for may hold anything. `isOurs`: not for the app. */
export function countRequest(meter: Pick<Meter, 'request'>, req: IncomingMessage, res: ServerResponse, isOurs: boolean): void {
  res.on('close', () => {
    const route = routeOf(req);
    meter.request(FORWARDED.has(route) ? 'forwarded' : isOurs ? 'page' : 'app', route, res.statusCode);
  });
}

/** Express leaves the route that it chose on the request; the way to the app has none. */
function routeOf(req: IncomingMessage): string {
  return (req as { route?: { path: string } }).route?.path ?? 'none';
}
