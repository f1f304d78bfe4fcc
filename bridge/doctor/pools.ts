import { openDatabase } from '../../platform/database.ts';
import { sql } from 'kysely';
import type { Schema } from '../db/schema.ts';
import type { Check, Faults } from './check.ts';
import type { View } from './view.ts';

const TIME_LIMIT_MILLISECONDS = 20_000;
/** What bridge and proxy open at most, each. */
const OUR_POOLS = 2 * 20;
/** A request holds one connection and may need another while the bridge is asked. */
const CONNECTIONS_PER_THREAD = 2;
const RESERVED_FOR_SUPERUSERS = 3;

/** Each registration holds a database connection while it waits for the bridge: too many threads for the pool, and all wait for each other. */
export const poolChecks: readonly Check[] = [
  {
    name: 'keycloak-pools',
    run: keycloakPools,
    advice: 'Keycloak: KC_HTTP_POOL_MAX_THREADS=16 and KC_DB_POOL_MAX_SIZE=40 (at least twice the threads), and start it again.',
  },
  {
    name: 'postgres-connections',
    run: postgresConnections,
    advice: 'Postgres: alter system set max_connections = 200, and restart it; or make the pools smaller.',
  },
];

async function keycloakPools({ config }: View): Promise<Faults> {
  const { managementUrl, databasePoolSize } = config;
  if (managementUrl === undefined) return { notLookedAt: "set KEYCLOAK_MANAGEMENT_URL to the address of a node's management port (9000), and KC_METRICS_ENABLED=true in Keycloak" };
  if (databasePoolSize === undefined) return { notLookedAt: "set KC_DB_POOL_MAX_SIZE as in Keycloak's own environment (its default is 100): no metric tells it" };
  const answer = await fetch(`${managementUrl}/metrics`, { signal: AbortSignal.timeout(TIME_LIMIT_MILLISECONDS) });
  if (!answer.ok) return [{ detail: `${managementUrl}/metrics answered ${answer.status}`, advice: 'Set KC_METRICS_ENABLED=true at the build of Keycloak, or correct KEYCLOAK_MANAGEMENT_URL.' }];
  const metrics = await answer.text();
  const threads = gauge(metrics, 'worker_pool_idle') + gauge(metrics, 'worker_pool_active');
  if (!(threads > 0)) return { notLookedAt: `${managementUrl}/metrics does not tell how many threads Keycloak has` };
  return threads * CONNECTIONS_PER_THREAD > databasePoolSize ? [`Keycloak has ${threads} threads for ${databasePoolSize} database connections`] : [];
}

/** Of the pool that serves requests. */
function gauge(metrics: string, name: string): number {
  return Number(new RegExp(`^${name}\\{[^}]*pool_name="vert\\.x-worker-thread"[^}]*\\} (\\S+)$`, 'm').exec(metrics)?.[1] ?? Number.NaN);
}

/** Keycloak's part counts where it lives on the same server, which its own address of it tells. */
async function postgresConnections({ config, nodes }: View): Promise<Faults> {
  const keycloaks = (await nodes()).filter(({ databaseUrl }) => sameServer(databaseUrl, config.databaseUrl.reveal()));
  if (keycloaks.length > 0 && config.databasePoolSize === undefined) return { notLookedAt: "set KC_DB_POOL_MAX_SIZE as in Keycloak's own environment (its default is 100)" };
  const wanted = OUR_POOLS + keycloaks.length * (config.databasePoolSize ?? 0);
  const most = (await maxConnections(config.databaseUrl.reveal())) - RESERVED_FOR_SUPERUSERS;
  return wanted > most ? [`bridge, proxy${keycloaks.length > 0 ? ` and ${keycloaks.length} node(s) of Keycloak` : ''} may open ${wanted} connections, and Postgres takes ${most}`] : [];
}

async function maxConnections(databaseUrl: string): Promise<number> {
  const { db, close } = openDatabase<Schema>(databaseUrl, { poolSize: 1, name: 'vestibule-doctor', onError: () => {} });
  try {
    const { rows } = await sql<{ max_connections: string }>`show max_connections`.execute(db);
    return Number(rows[0]?.max_connections);
  } finally {
    await close();
  }
}

function sameServer(jdbcUrl: string | undefined, databaseUrl: string): boolean {
  const found = /^jdbc:postgresql:\/\/([^/?]+)/.exec(jdbcUrl ?? '')?.[1];
  const { hostname, port } = new URL(databaseUrl);
  return found === `${hostname}:${port || '5432'}` || found === hostname;
}
