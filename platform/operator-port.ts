import type { ServerResponse } from 'node:http';
import { collectDefaultMetrics, type Registry } from 'prom-client';
import { healthAnswer, type Health } from './health.ts';
import { startServer, type RunningServer } from './http.ts';
import type { Log } from './log.ts';

export interface OperatorPort {
  host: string;
  port: number;
}

/** `GET /livez`, `/readyz`, `/metrics` on a port of their own, so that they are never public; with the process's own metrics. */
export function startOperatorPort(address: OperatorPort, { registry, health, log }: { registry: Registry; health: Health; log: Log }): Promise<RunningServer> {
  collectDefaultMetrics({ register: registry });
  const answer = async (path: string, res: ServerResponse): Promise<void> => {
    res.setHeader('Cache-Control', 'no-store');
    if (path === '/metrics') return void res.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics());
    const about = await healthAnswer(health, path, (dependency, cause) => log.warn({ err: cause, dependency }, 'dependency is down'));
    if (!about) return void res.writeHead(404).end();
    return void res.writeHead(about.status, { 'content-type': 'application/json' }).end(JSON.stringify(about.body));
  };
  return startServer((req, res) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') return void res.writeHead(405, { allow: 'GET, HEAD' }).end();
    return void answer(req.url ?? '', res).catch((error: unknown) => {
      log.error({ err: error }, 'what an operator asked for could not be answered');
      res.writeHead(500).end();
    });
  }, address);
}
