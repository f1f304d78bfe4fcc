import type { Pool, PoolClient } from 'pg';

type Connected = (error: Error | undefined, client: PoolClient | undefined, release: (destroy?: boolean | Error) => void) => void;

/**
 * The pool as graphile-worker gets it. When Postgres ends its listening connection while the worker stops, it gives that
 * connection back twice (0.18.0, `listenForChanges`); at the second time pg throws, unhandled, and the process would end.
 */
export function workerPool(pool: Pool): Pool {
  const connect = (callback?: Connected): unknown =>
    callback === undefined ? pool.connect() : pool.connect((error, client, release) => callback(error, client, once(release)));
  return new Proxy(pool, { get: (target, name) => (name === 'connect' ? connect : Reflect.get(target, name)) });
}

function once<Args extends unknown[]>(act: (...args: Args) => void): (...args: Args) => void {
  let done = false;
  return (...args) => {
    if (done) return;
    done = true;
    act(...args);
  };
}
