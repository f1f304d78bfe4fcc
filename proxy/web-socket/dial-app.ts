import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { AppError } from '../../platform/problem.ts';
import type { UpstreamRule } from '../site/site.ts';

/** Opens the app's end, paused, with the sub-protocols that the browser offers. Throws when the app does not take it, or not in time. */
export function dialApp({ to, limits }: Pick<UpstreamRule, 'to' | 'limits'>, req: IncomingMessage, headers: readonly string[], largestMessageBytes: number): Promise<WebSocket> {
  const url = new URL(req.url ?? '/', to);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const app = new WebSocket(url, offered(req), {
    headers: grouped(headers),
    finishRequest: (request) => {
      request.once('socket', (socket) => socket.once('connect', () => limit(limits.answerMilliseconds)));
      request.end();
    },
    maxPayload: largestMessageBytes,
    perMessageDeflate: false,
  });
  let timer: NodeJS.Timeout | undefined;
  let isLate = false;
  const limit = (milliseconds: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      isLate = true;
      app.terminate();
    }, milliseconds);
  };
  limit(limits.connectMilliseconds);
  const opening = new Promise<WebSocket>((resolve, reject) => {
    app.once('open', () => {
      app.pause();
      resolve(app);
    });
    app.once('unexpected-response', (_request, response) => {
      response.resume();
      app.terminate();
      reject(new AppError('bad_gateway', `The app does not take a web-socket here: it answers ${response.statusCode}.`));
    });
    app.once('error', (error) => reject(new AppError(isLate ? 'gateway_timeout' : 'bad_gateway', 'Try again in a minute.', { cause: error })));
  });
  return opening.finally(() => clearTimeout(timer));
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
