import type { IncomingMessage } from 'node:http';

/**
 * Whether the client holds its body back until it hears 100 (RFC 9110 10.1.1). It hears that once somebody is going to read the body;
 * whoever is refused need not send it.
 */
export function awaitsContinue(req: Pick<IncomingMessage, 'headers' | 'httpVersionMinor'>): boolean {
  return req.headers.expect !== undefined && req.httpVersionMinor === 1;
}
