import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  rawHeaders: string[];
  body: string;
}

export interface TestServer {
  http: Server;
  url: string;
  received: Received[];
  /** The newest request. */
  last(): Received;
  /** How to answer; the default is a plain 200 (bridge: 202). */
  answer: (req: IncomingMessage, res: ServerResponse, body: string) => void;
  stop(): Promise<void>;
}

async function startServer(answer: TestServer['answer'], port: number, apart: (req: IncomingMessage, res: ServerResponse) => boolean = () => false): Promise<TestServer> {
  const listener: RequestListener = (req, res) => {
    if (apart(req, res)) return;
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
    http,
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

/** What a test makes the bridge tell of trials. */
export interface TestFeed {
  /** To everybody who listens. */
  tell(change: { user_id: string; product?: string; trial_ends_at?: number; trial_access_until: number | null; ready?: boolean; forgotten?: boolean; version?: number }): void;
  /** Of the requests for it so far: the version that was asked from. */
  askedAfter: number[];
  /** Answers otherwise: `refused` breaks connections off, `silent` lets nothing through but whole answers, `restarted` says so once. */
  mode: 'well' | 'refused' | 'silent' | 'restarted';
  listeners(): number;
}

const ALIVE_EVERY_MILLISECONDS = 1_000;

function testFeed(): TestFeed & { answer(req: IncomingMessage, res: ServerResponse): void } {
  const open = new Set<ServerResponse>();
  const events: { version: number; text: string }[] = [];
  let mode: TestFeed['mode'] = 'well';
  const feed: ReturnType<typeof testFeed> = {
    get mode() {
      return mode;
    },
    // Silent streams stay open; every other change begins with new ones.
    set mode(next) {
      if (next !== mode && next !== 'silent') for (const res of open) res.destroy();
      mode = next;
    },
    askedAfter: [],
    listeners: () => open.size,
    tell: (change) => {
      const version = change.version ?? (events.at(-1)?.version ?? 0) + 1;
      const text = `event: change\nid: ${version}\ndata: ${JSON.stringify({ product: 'app', trial_ends_at: change.trial_access_until, ...change, version })}\n\n`;
      events.push({ version, text });
      if (feed.mode === 'well') for (const res of open) res.write(`${text}: alive\n\n`);
    },
    answer: (req, res) => {
      const after = Number(req.headers['last-event-id']);
      feed.askedAfter.push(after);
      if (feed.mode === 'refused') return void res.destroy();
      const restarted = feed.mode === 'restarted';
      // As after a backup came back: what was told since is not known any more.
      if (restarted) events.length = 0;
      if (restarted) mode = 'well';
      const known = events.filter(({ version }) => version > after).map(({ text }) => text);
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      const follows = req.url?.includes('follow=false') !== true;
      if (feed.mode === 'silent' && follows) return res.flushHeaders();
      res.write(`${restarted ? 'event: restarted\ndata: {}\n\n' : ''}${known.join('')}: alive\n\n`);
      if (!follows) return void res.end();
      open.add(res);
      const alive = setInterval(() => feed.mode === 'well' && res.write(': alive\n\n'), ALIVE_EVERY_MILLISECONDS);
      res.once('close', () => {
        clearInterval(alive);
        open.delete(res);
      });
    },
  };
  return feed;
}

/** The bridge as the proxy sees it: accepts every sign-up, and tells of trials what a test makes it tell. */
export async function startBridge(port = 0): Promise<TestServer & { feed: TestFeed }> {
  const feed = testFeed();
  const server = await startServer((req, res) => {
    if (req.url === '/livez') return void res.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"alive"}');
    return void res.writeHead(202, { 'content-type': 'application/json' }).end('{"status":"accepted"}');
  }, port, (req, res) => req.url?.startsWith('/api/trial/changes?') === true && (feed.answer(req, res), true));
  return Object.assign(server, { feed });
}
