import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  rawHeaders: string[];
  body: string;
}

export interface TestServer {
  url: string;
  received: Received[];
  /** The newest request. */
  last(): Received;
  /** How to answer; the default is a plain 200 (bridge: 202). */
  answer: (req: IncomingMessage, res: ServerResponse, body: string) => void;
  stop(): Promise<void>;
}

async function startServer(answer: TestServer['answer'], port: number): Promise<TestServer> {
  const listener: RequestListener = (req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      server.received.push({ method: req.method ?? '', url: req.url ?? '', headers: req.headers, rawHeaders: req.rawHeaders, body });
      server.answer(req, res, body);
    });
  };
  const http = createServer(listener);
  http.listen(port, '127.0.0.1');
  await once(http, 'listening');
  const server: TestServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    received: [],
    last: () => {
      const newest = server.received.at(-1);
      if (!newest) throw new Error('nothing was received');
      return newest;
    },
    answer,
    stop: async () => {
      http.close();
      http.closeAllConnections();
      await once(http, 'close');
    },
  };
  return server;
}

/** The app behind the proxy. */
export function startApp(port = 0): Promise<TestServer> {
  return startServer((_req, res) => {
    res.writeHead(200, { 'content-type': 'text/plain' }).end('the app');
  }, port);
}

/** The bridge as the proxy sees it: accepts every sign-up. */
export function startBridge(port = 0): Promise<TestServer> {
  return startServer((req, res) => {
    if (req.url === '/livez') return void res.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"alive"}');
    return void res.writeHead(202, { 'content-type': 'application/json' }).end('{"status":"accepted"}');
  }, port);
}
