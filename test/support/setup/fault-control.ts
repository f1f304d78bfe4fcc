import { json } from 'node:stream/consumers';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Part } from '../../../dev/part.ts';
import type { Hop, PartName } from '../../../dev/stack.ts';
import type { Relay } from '../relay.ts';

export const CONTROL_VARIABLE = 'VESTIBULE_FAULT_CONTROL';

export interface Controlled {
  relays: ReadonlyMap<Hop, Relay>;
  parts: Readonly<Record<PartName, Part>>;
  /** The codes with which a recipient's next mails are refused. */
  refusals: Map<string, number[]>;
}

/** Tests run in a world of their own: what the global setup started, they reach by `POST /<what>/<method>` with the arguments as JSON. */
export async function openControl(controlled: Controlled): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(async (req, res) => {
    try {
      const answer = await call(controlled, req);
      res.end(JSON.stringify(answer ?? null));
    } catch (error) {
      res.writeHead(500).end(JSON.stringify(error instanceof Error ? error.message : String(error)));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function call({ relays, parts, refusals }: Controlled, req: IncomingMessage): Promise<unknown> {
  const [, what = '', method = ''] = (req.url ?? '').split('/');
  const args = (await json(req)) as unknown[];
  if (what === 'refusals') return void refusals.set(...(args as [string, number[]]));
  const methods = Object.entries(relays.get(what as Hop) ?? parts[what as PartName] ?? {});
  const found = methods.find(([name]) => name === method)?.[1] as ((...args: unknown[]) => unknown) | undefined;
  if (found === undefined) throw new Error(`There is no ${what}/${method}`);
  return found(...args);
}
