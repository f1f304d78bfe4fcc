import type { IncomingMessage } from 'node:http';
import { AppError } from '../../platform/problem.ts';

export const WEB_SOCKET_VERSION = '13';
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/** RFC 6455 4.2.1. Throws what is wrong; the app hears only of handshakes that can be answered. */
export function assertHandshake({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>): void {
  const isWhole = method === 'GET' && headers['sec-websocket-version'] === WEB_SOCKET_VERSION && KEY.test(headers['sec-websocket-key'] ?? '');
  if (!isWhole) throw new AppError('invalid_request', `Open web-sockets by GET, with Sec-WebSocket-Version: ${WEB_SOCKET_VERSION} and a Sec-WebSocket-Key of 16 bytes.`);
}
