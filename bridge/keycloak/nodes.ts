import { z } from 'zod';

/** The releases whose messages this bridge understands: the folders of test/contract. */
export const SPOKEN_CONTRACTS: readonly string[] = ['0.1'];
const STEP = 'trial-token-authenticator';
/** Of the jar's own endpoint, and the client that is its audience. */
export const KEEPER = 'vestibule-trials';
/** The answer lists every provider and theme, and takes seconds where there is much to do. */
const TIME_LIMIT_MILLISECONDS = 30_000;

/** What one server of the cluster says of itself. */
export interface Node {
  /** As configured. */
  url: string;
  /** Why it could not be asked; undefined when it answered. */
  unreachable?: string | undefined;
  /** Undefined for accounts that may not manage the realm: Keycloak keeps it from them. */
  keycloakVersion?: string | undefined;
  /** How many nodes it sees in its cluster, itself included; undefined where it does not tell. */
  clusterSize?: number | undefined;
  /** Of its own database, as JDBC has it; without a password. */
  databaseUrl?: string | undefined;
  /** Undefined when the node runs without the jar. */
  jar?: Jar | undefined;
}

export interface Jar {
  /** Undefined for a jar older than 0.1.0, which does not tell. */
  version?: string | undefined;
  contract?: string | undefined;
  /** Its version again, from the endpoint that keeps stamps; undefined for jars without one. */
  keeper?: string | undefined;
}

const INFINISPAN = 'connectionsInfinispan';

const told = z.record(z.string(), z.string().optional().catch(undefined)).nullish();
const serverInfo = z.object({
  systemInfo: z.object({ version: z.string().optional() }).optional(),
  providers: z.record(z.string(), z.object({ providers: z.record(z.string(), z.object({ operationalInfo: told })) })),
});

/**
 * `/admin/serverinfo` of every node, in their order. The token may be that of any account with an admin role of its realm, so the
 * bridge's own will do; of 26.7 only one that may manage the realm learns Keycloak's version.
 */
export function readNodes(urls: readonly string[], accessToken: () => Promise<string>): Promise<readonly Node[]> {
  return Promise.all(urls.map((url) => readNode(url, accessToken)));
}

/** Whether jar and bridge understand each other; a jar that does not tell its contract is of no release. */
export function fits({ contract }: Jar): boolean {
  return contract !== undefined && SPOKEN_CONTRACTS.includes(contract);
}

/** How many nodes the cluster has, where that is more than were asked; undefined when each was, or none tells. */
export function sizeOfPartlyAsked(nodes: readonly Node[]): number | undefined {
  const size = Math.max(0, ...nodes.map(({ clusterSize = 0 }) => clusterSize));
  return size > new Set(nodes.map(({ url }) => url)).size ? size : undefined;
}

async function readNode(url: string, accessToken: () => Promise<string>): Promise<Node> {
  try {
    const answer = await fetch(`${url}/admin/serverinfo`, {
      headers: { authorization: `Bearer ${await accessToken()}` },
      signal: AbortSignal.timeout(TIME_LIMIT_MILLISECONDS),
    });
    if (!answer.ok) return { url, unreachable: `it answered ${answer.status} for /admin/serverinfo` };
    const { systemInfo, providers } = serverInfo.parse(await answer.json());
    const step = providers['authenticator']?.providers[STEP];
    const { clusterSize } = providers[INFINISPAN]?.providers['default']?.operationalInfo ?? {};
    return {
      url,
      keycloakVersion: systemInfo?.version,
      databaseUrl: providers['connectionsJpa']?.providers['quarkus']?.operationalInfo?.['databaseUrl'],
      clusterSize: clusterSize === undefined ? undefined : Number(clusterSize),
      jar: step && {
        version: step.operationalInfo?.['version'],
        contract: step.operationalInfo?.['contract'],
        keeper: providers['realm-restapi-extension']?.providers[KEEPER]?.operationalInfo?.['version'],
      },
    };
  } catch (error) {
    return { url, unreachable: reasonOf(error) };
  }
}

/** fetch hides what happened in the cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as { message: string; cause?: { code?: string; message?: string } };
  return cause?.message || cause?.code || message;
}
