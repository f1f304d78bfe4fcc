import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

/** An app with web-sockets, which the sample app has not. */
export async function startEcho(): Promise<{ url: string; stop(): void }> {
  const server = createServer((_req, res) => res.end('echo'));
  new WebSocketServer({ server }).on('connection', (socket) => socket.send('hello'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
