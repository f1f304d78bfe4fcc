import type { Pool, PoolClient } from 'pg';

const MARK = /^\/\* prepared: (\S+) \*\//;

/**
 * On every connection of the pool: Postgres parses and plans a statement that begins with such a comment once for each
 * connection, under that name. For the few that somebody waits for: each is kept by each connection, and one name is one text.
 */
export function prepareMarked(pool: Pool): void {
  pool.on('connect', (client) => {
    const send = (...args: unknown[]): unknown => (Object.getPrototypeOf(client) as { query: (...args: unknown[]) => unknown }).query.apply(client, args);
    const query = (first: unknown, ...more: unknown[]): unknown => {
      const name = typeof first === 'string' ? MARK.exec(first)?.[1] : undefined;
      if (name === undefined) return send(first, ...more);
      const [values, ...callback] = more;
      return send({ name, text: first, values }, ...callback);
    };
    client.query = query as PoolClient['query'];
  });
}
