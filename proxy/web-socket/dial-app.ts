import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { AppError } from '../../platform/problem.ts';

const HANDSHAKE_LIMIT_MILLISECONDS = 5_000;

/** Opens the app's end, paused, with the sub-protocols that the browser offers. Throws when the app does not take it. */
export function dialApp(to: string, req: IncomingMessage, headers: readonly string[], largestMessageBytes: number): Promise<WebSocket> {
  const url = new URL(req.url ?? '/', to);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const app = new WebSocket(url, offered(req), {
    headers: grouped(headers),
    handshakeTimeout: HANDSHAKE_LIMIT_MILLISECONDS,
    maxPayload: largestMessageBytes,
    perMessageDeflate: false,
  });
  return new Promise((resolve, reject) => {
    app.once('open', () => {
      app.pause();
      resolve(app);
    });
    app.once('unexpected-response', (_request, response) => {
      response.resume();
      app.terminate();
      reject(new AppError('bad_gateway', `The app does not take a web-socket here: it answers ${response.statusCode}.`));
    });
    app.once('error', (error) => reject(new AppError('bad_gateway', 'Try again in a minute.', { cause: error })));
  });
}

function offered(req: IncomingMessage): string[] {
  return (req.headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim()).filter(Boolean);
}

/** The library makes its own handshake. */
function grouped(pairs: readonly string[]): Record<string, string[]> {
  const headers: Record<string, string[]> = {};
  for (let at = 0; at < pairs.length; at += 2) {
    const name = pairs[at] ?? '';
    if (!/^sec-websocket-/i.test(name)) (headers[name.toLowerCase()] ??= []).push(pairs[at + 1] ?? '');
  }
  return headers;
}
