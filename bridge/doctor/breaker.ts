import { readCalls } from '../keycloak/breaker.ts';
import type { Check, Fault, Faults } from './check.ts';
import type { View } from './view.ts';

const TIME_LIMIT_MILLISECONDS = 10_000;

/** Whether each node calls the bridge; asking makes a node try again that does not. */
export const breakerChecks: readonly Check[] = [
  { name: 'bridge-breaker', run: breaker, advice: 'See that the bridge runs and answers where the steps look for it: Authentication → Flows → the gear of "Trial: account creation" → Bridge address. Within seconds of its first answer it is called again.' },
];

async function breaker(view: View): Promise<Faults> {
  const all = await view.nodes();
  return (await Promise.all(all.filter(({ jar }) => jar?.keeper !== undefined).map(({ url }) => faultsOf(url, view.realm.realm)))).flat();
}

async function faultsOf(url: string, realm: string): Promise<readonly Fault[]> {
  const calls = await readCalls(url, realm, TIME_LIMIT_MILLISECONDS);
  if (typeof calls === 'object') return [`node ${url} does not tell whether it calls the bridge: it answered ${calls.untold}`];
  // The step that says where the bridge is: other checks look at it.
  return calls === 'left_out' ? [`node ${url} leaves calls to the bridge out, because it did not answer: nobody can register there, and stamps decide who signs in`] : [];
}
