import { sql } from 'kysely';
import { Registry } from 'prom-client';
import type { Clock } from '../platform/clock.ts';
import { openDatabase } from '../platform/database.ts';
import { startServer } from '../platform/http.ts';
import type { Log } from '../platform/log.ts';
import { startMetricsServer } from '../platform/metrics.ts';
import type { Products } from '../platform/products.ts';
import { createApp } from './app.ts';
import { createBridge } from './bridge/bridge.ts';
import { countedBridge } from './bridge/counted-bridge.ts';
import type { ProxyConfig } from './config.ts';
import { cookieJar } from './cookie.ts';
import type { Tables } from './db/tables.ts';
import { createListener } from './listener.ts';
import { sweepLogins } from './login/login.service.ts';
import { proxyGauges } from './metrics/gauges.ts';
import { createMeter } from './metrics/meter.ts';
import { loadPages } from './pages/pages.ts';
import { createProvider } from './provider/provider.ts';
import { createSeal } from './seal.ts';
import { liveSessions } from './session/live-sessions.ts';
import { hearNotices } from './session/notices.ts';
import { createRefresher } from './session/refresh.service.ts';
import { sweepSessions } from './session/session.service.ts';
import { findSession } from './session/session.store.ts';
import { createUpstream } from './upstream/upstream.ts';

const POOL_SIZE = 10;
const SWEEP_EVERY_MILLISECONDS = 5 * 60_000;

export interface RunningProxy {
  port: number;
  /** Undefined where nobody may scrape. */
  metricsPort: number | undefined;
  /** Removes what has ended; runs by itself every five minutes. */
  sweep(): Promise<void>;
  stop(): Promise<void>;
}

/** Puts the parts together. The schema must be migrated; Keycloak, bridge and app may be away. */
export async function startProxy(config: ProxyConfig, products: Products, log: Log, clock: Pick<Clock, 'now'>): Promise<RunningProxy> {
  const { publicUrl, trustedProxies } = config;
  const { db, pool, close } = openDatabase<Tables>(config.databaseUrl.reveal(), {
    poolSize: POOL_SIZE,
    name: 'vestibule-proxy',
    onError: (error) => log.error({ err: error }, 'a database connection broke'),
  });
  const provider = createProvider(config, clock);
  const registry = new Registry();
  const meter = createMeter(registry);
  const bridge = countedBridge(createBridge(config.bridgeUrl, provider, log), meter);
  const upstream = createUpstream(config.appUrl);
  const seal = createSeal(config.sealKeys);
  const cookies = cookieJar(publicUrl);
  const limits = { idleMilliseconds: config.sessionIdleMilliseconds, absoluteMilliseconds: config.sessionAbsoluteMilliseconds };
  const live = liveSessions({
    read: (idHash) => findSession(db, idHash),
    heardSince: () => notices.heardSince(),
    capacity: config.sessionCacheEntries,
    outageMilliseconds: config.sessionOutageMilliseconds,
  });
  const notices = hearNotices(config.databaseUrl.reveal(), live.forget, log);
  const refresher = createRefresher({ db, clock, seal, live, provider, log });
  const sessions = { db, clock, seal, cookies, live, refresher, limits };
  const dependencies = {
    postgres: { check: () => sql`select 1`.execute(db), required: true },
    keycloak: { check: () => provider.check(), required: false },
    bridge: { check: () => bridge.check(), required: false },
  };
  proxyGauges(registry, { sessions, pool, log, dependencies });
  const express = createApp({
    ...sessions,
    meter,
    pages: loadPages(),
    products,
    provider,
    bridge,
    publicUrl,
    trustedProxies,
    log,
    contactUrl: config.contactUrl,
    invitationByPar: config.invitationByPar,
    keycloakPublicUrl: config.keycloak.publicUrl,
    dependencies,
  });
  const server = await startServer(createListener({ express, upstream, sessions, publicUrl, trustedProxies, meter, log }), config);
  const metricsServer = config.metricsPort === undefined ? undefined : await startMetricsServer(registry, { host: config.host, port: config.metricsPort }, log);
  const sweep = async (): Promise<void> => {
    await sweepSessions(sessions);
    await sweepLogins(sessions);
  };
  const sweeping = setInterval(() => {
    sweep().catch((error: unknown) => log.warn({ err: error }, 'sweeping failed'));
  }, SWEEP_EVERY_MILLISECONDS);
  return {
    port: server.port,
    metricsPort: metricsServer?.port,
    sweep,
    stop: async () => {
      clearInterval(sweeping);
      await Promise.all([server.stop(), metricsServer?.stop()]);
      await Promise.all([upstream.close(), bridge.close(), notices.stop(), close()]);
    },
  };
}
