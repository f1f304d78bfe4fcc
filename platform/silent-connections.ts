import type { Pool, PoolClient } from 'pg';

/** pg's own `query_timeout` leaves the connection in the pool, busy for ever with what it waits for. */
export function giveUpSilent(pool: Pool, milliseconds: number): void {
  pool.on('connect', (client) => {
    const { stream } = (client as unknown as { connection: { stream: { destroy(error: Error): void } } }).connection;
    const send = client.query.bind(client) as (...args: unknown[]) => unknown;
    const query = (...args: unknown[]): unknown => {
      const answering = send(...args);
      if (!(answering instanceof Promise)) return answering;
      const limit = setTimeout(() => stream.destroy(new Error(`Postgres did not answer within ${milliseconds} ms`)), milliseconds);
      return answering.finally(() => clearTimeout(limit));
    };
    client.query = query as PoolClient['query'];
  });
}
