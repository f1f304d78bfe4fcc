import { fits, sizeOfPartlyAsked, SPOKEN_CONTRACTS, type Node } from '../keycloak/nodes.ts';
import type { Check, Fault, Faults } from './check.ts';
import type { View } from './view.ts';

const COPY = 'Copy keycloak/target/vestibule-keycloak.jar of this release into its providers/, run kc.sh build and start it again.';

export const jarChecks: readonly Check[] = [{ name: 'jar', run: jar, advice: COPY }];

/** On every node, of a version that this bridge understands, and the same everywhere. */
async function jar({ nodes }: View): Promise<Faults> {
  const all = await nodes();
  const versions = new Set(all.flatMap((node) => node.jar?.version ?? []));
  const size = sizeOfPartlyAsked(all);
  return [
    ...all.flatMap(nodeFaults),
    ...(versions.size > 1 ? [`the nodes run different jars: ${[...versions].join(', ')}`] : []),
    ...(size === undefined ? [] : [{ detail: `the cluster has ${size} nodes, and ${all.length} was looked at`, advice: 'List the internal address of every node in KEYCLOAK_NODE_URLS, comma-separated.' }]),
  ];
}

function nodeFaults({ url, unreachable, jar: found }: Node): readonly Fault[] {
  if (unreachable !== undefined) return [{ detail: `node ${url} could not be asked: ${unreachable}`, advice: 'Start it, or correct KEYCLOAK_NODE_URLS (KEYCLOAK_INTERNAL_URL when that is unset).' }];
  if (found === undefined) return [`node ${url} runs without the jar`];
  if (fits(found) && found.keeper === undefined) return [`node ${url} runs a jar without the endpoint that keeps stamps: ends and extensions don't reach it`];
  return fits(found) ? [] : [`node ${url} runs jar ${found.version ?? 'of before the first release'}, of contract ${found.contract ?? 'unknown'}; this bridge speaks ${SPOKEN_CONTRACTS.join(', ')}`];
}
