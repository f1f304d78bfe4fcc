import express, { Router } from 'express';
import { Webhook } from 'standardwebhooks';

const MOST_KEPT = 1_000;
/** A workspace of the product `prepared` (products.ts) takes so long to make. */
const PREPARING_MILLISECONDS = 3_000;
/** Who is named so waits until somebody says that it is done: for tests. */
const HELD = /^held-/;

export interface ToldEvent {
  id: string;
  type: string;
  at: Date;
  userId: string | null;
  state: string;
}

interface Message {
  type: string;
  timestamp: string;
  data: { id: string; product: string; user_id: string | null; username: string | null; state: string };
}

/** The app's end of webhooks (docs/webhooks.md): verified by the library, each kept once, however often it comes. */
export function hearOfTrials(secret: string): { routes: Router; of(userId: string): readonly ToldEvent[] } {
  const webhook = new Webhook(secret);
  const told = new Map<string, ToldEvent>();
  const begunAt = new Map<string, number>();
  const released = new Set<string>();
  const routes = Router();

  const isPrepared = ({ data: { id, username } }: Message): boolean => {
    if (HELD.test(username ?? '')) return released.has(username ?? '');
    const begun = begunAt.get(id) ?? Date.now();
    begunAt.set(id, begun);
    return Date.now() - begun >= PREPARING_MILLISECONDS;
  };

  routes.post('/webhooks', express.raw({ type: () => true }), (req, res) => {
    let message: Message;
    try {
      message = webhook.verify(String(req.body), req.headers as Record<string, string>) as Message;
    } catch {
      return void res.status(401).end();
    }
    if (message.type === 'trial.created' && message.data.product === 'prepared' && !isPrepared(message)) return void res.status(503).set('Retry-After', '1').end();
    const { type, timestamp, data } = message;
    const id = String(req.headers['webhook-id']);
    told.set(id, { id, type, at: new Date(timestamp), userId: data.user_id, state: data.state });
    const [oldest] = told.keys();
    if (told.size > MOST_KEPT && oldest !== undefined) told.delete(oldest);
    return void res.status(204).end();
  });

  routes.post('/webhooks/release', (req, res) => {
    released.add(String(req.query['username']));
    res.status(204).end();
  });

  return { routes, of: (userId) => [...told.values()].filter((one) => one.userId === userId) };
}
