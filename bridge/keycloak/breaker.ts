import { z } from 'zod';
import { KEEPER } from './nodes.ts';

const LOOK_EVERY_MILLISECONDS = 5_000;

const health = z.union([z.object({ bridge: z.object({ breaker: z.string() }) }), z.object({ code: z.literal('misconfigured') })]);

/** What a node of Keycloak does with calls to the bridge; asking makes it try again where it leaves them out. */
export type Calls = 'made' | 'left_out' | 'misconfigured' | { untold: number };

/** Throws where the node does not answer in time. */
export async function readCalls(nodeUrl: string, realm: string, timeLimitMilliseconds: number): Promise<Calls> {
  const answer = await fetch(`${nodeUrl}/realms/${encodeURIComponent(realm)}/${KEEPER}/health`, { signal: AbortSignal.timeout(timeLimitMilliseconds) });
  const told = health.safeParse(await answer.json().catch(() => undefined));
  if (!told.success) return { untold: answer.status };
  if ('code' in told.data) return 'misconfigured';
  return told.data.bridge.breaker === 'closed' ? 'made' : 'left_out';
}

/** For `/readyz`: rejects while a node leaves the bridge out. Asks each at most every few seconds; who does not answer, or has an older jar, is another check's. */
export function callsOfKeycloak({ nodeUrls, realm }: { nodeUrls: readonly string[]; realm: string }): { check(): Promise<void> } {
  let looked: { at: number; result: Promise<void> } | undefined;
  const look = async (): Promise<void> => {
    const calls = await Promise.all(nodeUrls.map((url) => readCalls(url, realm, 1_500).catch(() => 'made' as const)));
    const leftOut = nodeUrls.filter((_url, index) => calls[index] === 'left_out');
    if (leftOut.length > 0) throw new Error(`${leftOut.join(', ')} left calls to the bridge out, because it did not answer: see that it is reached from there`);
  };
  return {
    check: () => {
      if (looked === undefined || Date.now() - looked.at > LOOK_EVERY_MILLISECONDS) looked = { at: Date.now(), result: look() };
      return looked.result;
    },
  };
}
