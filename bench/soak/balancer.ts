import type { Outages } from './outages.ts';
import type { Tally } from './tally.ts';

export interface Replica {
  /** As {@link Outages} knows it. */
  name: string;
  url: string;
}

export type Ask = (url: URL, request: RequestInit) => Promise<Response>;

/** What was under way on a replica when that was killed: nobody can know whether it was done. */
export class KilledUnderWay extends Error {}

/**
 * As a load balancer in front of the replicas: takes turns, goes on to the next where nobody listens, and asks again where a
 * connection is closed under a request that only reads.
 */
export function balancer(publicUrl: string, replicas: readonly Replica[], outages: Outages, tally: Tally): Ask {
  let turn = 0;
  return async (url, request) => {
    if (url.origin !== publicUrl) return fetch(url, request);
    // Others take their turns meanwhile.
    const mine = (turn += 1);
    for (let tries = 0; ; tries += 1) {
      const replica = replicas[(mine + tries) % replicas.length]!;
      const from = performance.now();
      try {
        const answer = await fetch(new URL(url.pathname + url.search, replica.url), request);
        // The whole answer: a replica that ends in the middle of one is found out here.
        const body = await answer.arrayBuffer();
        return new Response([204, 304].includes(answer.status) ? null : body, { status: answer.status, headers: answer.headers });
      } catch (error) {
        const listens = !refused(error);
        if (listens && outages.killed(replica.name, from, performance.now())) {
          tally.count('under way on a killed proxy');
          throw new KilledUnderWay(replica.name, { cause: error });
        }
        const mayRepeat = !listens || (request.method ?? 'GET') === 'GET';
        if (!mayRepeat || tries >= replicas.length || !outages.touched([replica.name], from, performance.now(), 1_000)) throw error;
        tally.count(listens ? 'asked again: connection closed' : 'asked again: nobody listened');
      }
    }
  };
}

function refused(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: string; errors?: { code?: string }[] } };
  return cause?.code === 'ECONNREFUSED' || cause?.errors?.every(({ code }) => code === 'ECONNREFUSED') === true;
}
