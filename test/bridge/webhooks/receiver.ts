import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export interface Told {
  type: string;
  timestamp: string;
  data: { id: string; product: string; user_id: string | null; username: string | null; state: string; trial_ends_at: number | null; trial_access_until: number | null; plan: string | null; trial_app: string | null; at: number; request_id: string | null; rehearsal: boolean };
}

export interface Received {
  /** `webhook-id`. */
  id: string;
  told: Told;
  /** As it came. */
  headers: Record<string, string>;
  body: string;
}

/** The app's end: an HTTP server that believes what the library verifies. */
export interface Receiver {
  url: string;
  /** Verified messages in the order of their coming, repeated ones included. */
  received: Received[];
  /** Of one trial, in order. */
  of(id: string): Received[];
  typesOf(id: string): string[];
  /** What did not verify. */
  unverified: string[];
  /** How to answer; 204 unless told. */
  answer: (res: ServerResponse, told: Told) => void;
  stop(): Promise<void>;
}

export const takes = (res: ServerResponse): void => void res.writeHead(204).end();
export const refuses = (res: ServerResponse): void => void res.writeHead(500).end('{"error":"no"}');

export async function startReceiver(secret: string): Promise<Receiver> {
  const webhook = new Webhook(secret);
  const onBody = (req: IncomingMessage, res: ServerResponse, body: string): void => {
    const headers = Object.fromEntries(Object.entries(req.headers).map(([name, value]) => [name, String(value)]));
    try {
      const told = webhook.verify(body, headers) as Told;
      receiver.received.push({ id: headers['webhook-id'] ?? '', told, headers, body });
      receiver.answer(res, told);
    } catch (error) {
      receiver.unverified.push(String(error));
      res.writeHead(401).end();
    }
  };
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => onBody(req, res, Buffer.concat(chunks).toString('utf8')));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks`,
    received: [],
    unverified: [],
    of: (id) => receiver.received.filter(({ told }) => told.data.id === id),
    typesOf: (id) => receiver.of(id).map(({ told }) => told.type),
    answer: takes,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return receiver;
}
