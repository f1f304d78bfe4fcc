import { sql } from 'kysely';
import { Registry } from 'prom-client';
import type { Clock } from '../platform/clock.ts';
import { openDatabase } from '../platform/database.ts';
import { startServer } from '../platform/http.ts';
import type { Log } from '../platform/log.ts';
import { startMetricsServer } from '../platform/metrics.ts';
import type { Products } from '../platform/products.ts';
import { createApp, type AppParts } from './app.ts';
import { createBridge } from './bridge/bridge.ts';
import { countedBridge } from './bridge/counted-bridge.ts';
import type { ProxyConfig } from './config.ts';
import { cookieJar } from './cookie.ts';
import type { Tables } from './db/tables.ts';
import { identityTokens } from './identity/identity-token.ts';
import { createListener, type BillingSite } from './listener.ts';
import { sweepLogins } from './login/login.service.ts';
import { proxyGauges } from './metrics/gauges.ts';
import { createMeter } from './metrics/meter.ts';
import { loadPages } from './pages/pages.ts';
import { createProvider, type Provider } from './provider/provider.ts';
import { billingRoutes, routes, type BillingRouteParts, type RouteParts } from './routes.ts';
import { createSeal } from './seal.ts';
import { liveSessions } from './session/live-sessions.ts';
import { hearNotices } from './session/notices.ts';
import { createRefresher, type RefreshParts } from './session/refresh.service.ts';
import { sweepSessions, type SessionKeeping } from './session/session.service.ts';
import { findSession } from './session/session.store.ts';
import type { ServedSite } from './site/served-site.ts';
import type { Site } from './site/site.ts';
import { createUpstream } from './upstream/upstream.ts';
import { webSockets } from './web-socket/web-sockets.ts';

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

/** Puts the parts together. The schema must be migrated; provider, bridge and apps may be away. */
export async function startProxy(config: ProxyConfig, products: Products, log: Log, clock: Pick<Clock, 'now'>): Promise<RunningProxy> {
  const { trustedProxies } = config;
  const { db, pool, close } = openDatabase<Tables>(config.databaseUrl.reveal(), {
    poolSize: POOL_SIZE,
    name: 'vestibule-proxy',
    onError: (error) => log.error({ err: error }, 'a database connection broke'),
  });
  const registry = new Registry();
  const meter = createMeter(registry);
  const providers = config.sites.map((site) => createProvider(site, clock));
  const [provider] = providers as [Provider];
  const bridge = countedBridge(createBridge(config.bridgeUrl, provider, log), meter);
  const upstreams = new Map([...new Set(config.sites.flatMap((site) => site.upstreams.map(({ to }) => to)))].map((to) => [to, createUpstream(to)]));
  const live = liveSessions({
    read: (idHash) => findSession(db, idHash),
    heardSince: () => notices.heardSince(),
    capacity: config.sessionCacheEntries,
    outageMilliseconds: config.sessionOutageMilliseconds,
  });
  const notices = hearNotices(config.databaseUrl.reveal(), live.forget, log);
  const limits = { idleMilliseconds: config.sessionIdleMilliseconds, absoluteMilliseconds: config.sessionAbsoluteMilliseconds };
  const shared = { db, clock, seal: createSeal(config.sealKeys), live, limits, log, meter, products, bridge, trustedProxies, pages: loadPages(), contactUrl: config.contactUrl };
  const dependencies = {
    postgres: { check: () => sql`select 1`.execute(db), required: true },
    keycloak: { check: () => Promise.all(providers.map((one) => one.check())), required: false },
    bridge: { check: () => bridge.check(), required: false },
  };
  proxyGauges(registry, { sessions: shared, pool, log, dependencies });
  const identity = identityTokens(config.identityKeys, clock);
  const sites = config.sites.map((site, at) => serve(site, { ...shared, provider: providers[at] ?? provider, dependencies, upstreams, identity, billingHere: config.billingUrl === site.publicUrl }));
  const ownBilling = config.billingUrl !== undefined && sites.every(({ publicUrl }) => publicUrl !== config.billingUrl);
  const billing = ownBilling && config.billingUrl !== undefined ? serveBilling(config.billingUrl, config.sites[0], { ...shared, dependencies }) : undefined;
  const sockets = webSockets({ sites, identity, trustedProxies, live, log });
  const server = await startServer(createListener({ sites, billing, identity, trustedProxies, forwardAuth: config.forwardAuth, meter, log }), config, sockets.onUpgrade);
  const metricsServer = config.metricsPort === undefined ? undefined : await startMetricsServer(registry, { host: config.host, port: config.metricsPort }, log);
  const sweep = async (): Promise<void> => {
    await sweepSessions(shared);
    await sweepLogins(shared);
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
      sockets.stop();
      await Promise.all([server.stop(), metricsServer?.stop()]);
      await Promise.all([...[...upstreams.values()].map((upstream) => upstream.close()), bridge.close(), notices.stop(), close()]);
    },
  };
}

type Shared = Omit<RouteParts & AppParts, 'site' | 'cookies' | 'refresher' | 'publicUrl' | 'invitationByPar' | 'providerUrl' | 'billingHere'> & Pick<RefreshParts, 'log'> & Pick<ServedSite, 'upstreams'>;

/** What one site has of its own: provider, cookies, pages with its address. */
function serve(site: Site, shared: Shared & Pick<RouteParts, 'billingHere'>): ServedSite {
  const { publicUrl } = site;
  const { host, protocol } = new URL(publicUrl);
  const sessions: SessionKeeping = { ...shared, site: host, cookies: cookieJar(publicUrl), refresher: createRefresher(shared) };
  const parts = { ...shared, ...sessions, publicUrl, invitationByPar: site.invitationByPar, providerUrl: site.provider.publicUrl };
  const express = createApp(parts, routes(parts));
  return { publicUrl, host, protocol: protocol.slice(0, -1), express, sessions, rules: site.upstreams, upstreams: shared.upstreams };
}

/** The billing pages on an origin of their own: cookies of no site come there (SECURITY.md 25). What leads home leads to the first site. */
function serveBilling(publicUrl: string, home: Site, shared: Omit<BillingRouteParts & AppParts, 'cookies' | 'publicUrl' | 'providerUrl'>): BillingSite {
  const { host, protocol } = new URL(publicUrl);
  const [first, ...others] = shared.products;
  const products: Products = [{ ...first, start_url: new URL(first.start_url, home.publicUrl).href }, ...others];
  const parts = { ...shared, products, publicUrl, cookies: cookieJar(publicUrl), providerUrl: undefined };
  return { host, protocol: protocol.slice(0, -1), express: createApp(parts, billingRoutes(parts)) };
}
