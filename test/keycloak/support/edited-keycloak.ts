import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { stack } from '../../support/stack.ts';

/** Changes what Keycloak answers at addresses that end like this. */
export interface Edit {
  path: string;
  // oxlint-disable-next-line typescript/no-explicit-any
  edit(answer: any): void;
}

export interface EditedKeycloak {
  url: string;
  close(): Promise<void>;
}

/** The stack's Keycloak as another release, or another cluster, would answer. */
export function keycloakWith({ path, edit }: Edit): Promise<EditedKeycloak> {
  return relay(async (target, answer) => {
    if (!target.pathname.endsWith(path)) return answer.text();
    const body = (await answer.json()) as object;
    edit(body);
    return JSON.stringify(body);
  });
}

/** The stack's Keycloak without this parameter: as one that drops it. */
export function keycloakWithout(parameter: string): Promise<EditedKeycloak> {
  return relay(async (_, answer) => answer.text(), (target) => target.searchParams.delete(parameter));
}

async function relay(change: (target: URL, answer: Response) => Promise<string>, redirect: (target: URL) => void = () => {}): Promise<EditedKeycloak> {
  const server = createServer(async (req, res) => {
    const target = new URL(req.url ?? '/', stack().keycloak);
    redirect(target);
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const { authorization, 'content-type': type } = req.headers;
    const answer = await fetch(target, {
      method: req.method ?? 'GET',
      headers: { ...(authorization && { authorization }), ...(type && { 'content-type': type }) },
      ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
    });
    const body = await change(target, answer);
    res.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' }).end(body);
  });
  const port = await listen(server);
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { url: `http://127.0.0.1:${port}`, close };
}

/** One at which nobody listens. */
export async function shutPort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await once(server, 'close');
  return port;
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
