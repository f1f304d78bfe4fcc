import { Client, type Dispatcher } from 'undici';
import type { Answers, Load } from './load.ts';

// The process of loadGenerator(): one load at a time comes by message. It ends with whoever started it.
process.on('disconnect', () => process.exit());
process.on('message', (load: Load) => {
  measure(load).then(
    (answers) => process.send?.(answers),
    (error: unknown) => process.send?.({ failure: `${load.origin}: ${error instanceof Error ? error.message : String(error)}` }),
  );
});

async function measure(load: Load): Promise<Answers> {
  const milliseconds: number[] = [];
  const started = performance.now();
  const until = load.seconds === undefined ? Number.POSITIVE_INFINITY : started + load.seconds * 1000;
  let sent = 0;
  const clients = Array.from({ length: load.connections }, () => new Client(load.origin, { pipelining: 1 }));
  const connection = async (client: Client): Promise<void> => {
    while (performance.now() < until && sent < (load.count ?? Number.POSITIVE_INFINITY)) {
      const request = requestOf(load, sent);
      sent += 1;
      const at = performance.now();
      await answered(client, request, load.status);
      milliseconds.push(performance.now() - at);
    }
  };
  await Promise.all(clients.map(connection));
  const seconds = (performance.now() - started) / 1000;
  await Promise.all(clients.map((client) => client.close()));
  return { perSecond: milliseconds.length / seconds, milliseconds };
}

function requestOf({ calls, tokens }: Load, turn: number): Dispatcher.DispatchOptions {
  const { method, path, body, headers } = calls[turn % calls.length]!;
  const token = tokens[turn % Math.max(tokens.length, 1)];
  return {
    method,
    path,
    ...(body === undefined ? {} : { body }),
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
  };
}

/** By dispatch, the leanest way that undici has: what the client takes, the server has not. */
function answered(client: Client, request: Dispatcher.DispatchOptions, status: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = 0;
    client.dispatch(request, {
      onRequestStart: () => {},
      onResponseStart: (_controller, code) => {
        seen = code;
      },
      onResponseData: () => {},
      onResponseEnd: () => (seen === status ? resolve() : reject(new Error(`${request.method} ${request.path.split('?', 1)[0]} answered ${seen} instead of ${status}`))),
      onResponseError: (_controller, error) => reject(error),
    });
  });
}
