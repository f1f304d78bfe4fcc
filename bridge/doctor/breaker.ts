import { z } from 'zod';
import { KEEPER } from '../keycloak/nodes.ts';
import type { Check, Fault, Faults } from './check.ts';
import type { View } from './view.ts';

const TIME_LIMIT_MILLISECONDS = 10_000;
const health = z.union([z.object({ bridge: z.object({ breaker: z.string() }) }), z.object({ code: z.literal('misconfigured') })]);

/** Whether each node calls the bridge; asking makes a node try again that does not. */
export const breakerChecks: readonly Check[] = [
  { name: 'bridge-breaker', run: breaker, advice: 'See that the bridge runs and answers where the steps look for it: Authentication → Flows → the gear of "Trial: account creation" → Bridge address. Within seconds of its first answer it is called again.' },
];

async function breaker(view: View): Promise<Faults> {
  const all = await view.nodes();
  return (await Promise.all(all.filter(({ jar }) => jar?.keeper !== undefined).map(({ url }) => faultsOf(url, view.realm.realm)))).flat();
}

async function faultsOf(url: string, realm: string): Promise<readonly Fault[]> {
  const answer = await fetch(`${url}/realms/${encodeURIComponent(realm)}/${KEEPER}/health`, { signal: AbortSignal.timeout(TIME_LIMIT_MILLISECONDS) });
  const told = health.safeParse(await answer.json().catch(() => undefined));
  if (!told.success) return [`node ${url} does not tell whether it calls the bridge: it answered ${answer.status}`];
  // The step that says where the bridge is: other checks look at it.
  if ('code' in told.data) return [];
  return told.data.bridge.breaker === 'closed' ? [] : [`node ${url} leaves calls to the bridge out, because it did not answer: nobody can register there, and stamps decide who signs in`];
}
