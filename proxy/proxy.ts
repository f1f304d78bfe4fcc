import type { IncomingMessage, RequestListener } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import type { Router } from 'express';
import { sql } from 'kysely';
import { Registry } from 'prom-client';
import type { Clock } from '../platform/clock.ts';
import { openDatabase } from '../platform/database.ts';
import { startServer, type ServerLimits } from '../platform/http.ts';
import type { Log } from '../platform/log.ts';
import { hearNotices } from '../platform/notices.ts';
import { startOperatorPort } from '../platform/operator-port.ts';
import { productsOfClient, type Products } from '../platform/products.ts';
import { pathOf } from '../platform/request-target.ts';
import { createApp, type AppParts } from './app.ts';
import { createBridge } from './bridge/bridge.ts';
import { countedBridge } from './bridge/counted-bridge.ts';
import { followTrialFeed } from './bridge/trial-feed.ts';
import type { ProxyConfig } from './config.ts';
import { cookieJar } from './cookie.ts';
import type { Tables } from './db/tables.ts';
import { embedProofs } from './embed/embed-proof.ts';
import { embedStandings } from './embed/embed-standings.ts';
import { embedRouter, type EmbedParts } from './embed/embed.routes.ts';
import { deletePastEmbedSessions } from './embed/embed.store.ts';
import { FORWARD_AUTH_PATH } from './forward-auth/forward-auth.ts';
import { identityHeaders } from './identity/identity-headers.ts';
import { identityTokens } from './identity/identity-token.ts';
import { createListener, type PagesSite } from './listener.ts';
import { longAnswers } from './long-answers.ts';
import { boundLogins } from './login/login-limit.ts';
import { sweepLogins } from './login/login.service.ts';
import { proxyGauges } from './metrics/gauges.ts';
import { createMeter } from './metrics/meter.ts';
import { loadPages } from './pages/pages.ts';
import { createProvider, type Provider } from './provider/provider.ts';
import { billingRoutes, routes, staffRoutes, type BillingRouteParts, type RouteParts } from './routes.ts';
import { createSeal } from './seal.ts';
import { liveSessions } from './session/live-sessions.ts';
import { findChangedSessions, touchSessions } from './session/many-sessions.store.ts';
import { createRefresher, type RefreshParts } from './session/refresh.service.ts';
import { sweepSessions, type SessionKeeping } from './session/session.service.ts';
import { ownSessions } from './session/own-sessions.ts';
import { collectTouches } from './session/touches.ts';
import { takeTrialEnds } from './session/trial-end.service.ts';
import { deleteTrialEnds, findLastVersion, type TrialEnd } from './session/trial-end.store.ts';
import { watchSessions } from './session/watch-sessions.ts';
import type { ServedSite } from './site/served-site.ts';
import type { Site } from './site/site.ts';
import { landingAtStaff, ownStaffSite } from './staff/staff-site.ts';
import { captchaWidget } from './trial/captcha-widget.ts';
import { longestRest } from './upstream/limits.ts';
import { createUpstream } from './upstream/upstream.ts';
import { webSockets } from './web-socket/web-sockets.ts';

const POOL_SIZE = 10;
/** No statement of ours takes as long. */
const SILENCE_MILLISECONDS = 30_000;
/** Told by the trigger of migration 0002, with the session's key. */
const SESSION_NOTICES = { name: 'proxy_session', tells: 'changed sessions', meanwhile: 'sessions are read again every few seconds', applicationName: 'vestibule-proxy-notices' };
const SWEEP_EVERY_MILLISECONDS = 5 * 60_000;
/** Load balancers keep connections for 60 s as a rule. */
export const CONNECTION_LIMITS = { keepAlive: 75_000, idle: 15 * 60_000 };
/** By which an app's own limits come first. */
const LATER_MILLISECONDS = 60_000;
const CHECK_EVERY_MILLISECONDS = 1_000;
/** What nobody keeps cookies for can grow by thousands a second. */
const BOUND_EVERY_MILLISECONDS = 10_000;
/** A request without a body has no stream of one: what passes it on never reads it. Its `end` and `close` are not told. */
export const SERVER_OPTIONS = { optimizeEmptyRequests: true };

export interface RunningProxy {
  port: number;
  /** What answers at the port, for a server of somebody else's. */
  listener: RequestListener;
  /** Undefined where nobody may scrape. */
  metricsPort: number | undefined;
  /** Removes what has ended; runs by itself every five minutes. */
  sweep(): Promise<void>;
  /** `/readyz` says so first; after a delay no new connections, and what is under way ends. */
  stop(): Promise<void>;
}

/** Puts the parts together. The schema must be migrated; provider, bridge and apps may be away. */
export async function startProxy(config: ProxyConfig, products: Products, log: Log, clock: Pick<Clock, 'now'>): Promise<RunningProxy> {
  const { trustedProxies } = config;
  const { db, pool, close } = openDatabase<Tables>(config.databaseUrl.reveal(), {
    poolSize: POOL_SIZE,
    name: 'vestibule-proxy',
    silenceMilliseconds: SILENCE_MILLISECONDS,
    onError: (error) => log.error({ err: error }, 'a database connection broke'),
  });
  const registry = new Registry();
  const meter = createMeter(registry);
  const ownStaff = ownStaffSite(config);
  const served = ownStaff ? [...config.sites, ownStaff] : config.sites;
  const providers = served.map((site) => createProvider(site, clock));
  const [provider] = providers as [Provider];
  const bridge = countedBridge(createBridge(config.bridgeUrl, provider, log), meter);
  const upstreams = new Map(config.sites.flatMap((site) => site.upstreams.map((rule) => [rule, createUpstream(rule.to, rule.limits)] as const)));
  const seal = createSeal(config.sealKeys);
  const readSession = ownSessions(new Map(served.map((site) => [hostOf(site), site.provider])), seal);
  const touches = collectTouches((seen) => touchSessions(db, seen));
  const live = liveSessions({
    read: (idHash) => readSession(db, idHash),
    findChanged: (asked) => findChangedSessions(db, asked),
    unwritten: touches.unwritten,
    heardSince: () => notices.heardSince(),
    capacity: config.sessionCacheEntries,
    outageMilliseconds: config.sessionOutageMilliseconds,
  });
  const notices = hearNotices(config.databaseUrl.reveal(), SESSION_NOTICES, live.forget, log);
  const productIdsBySite = new Map(served.map((site) => [hostOf(site), productIdsOf(site, config.sites[0], products)]));
  const waitingProductIds = new Set(products.filter(({ provision }) => provision === 'wait').map(({ id }) => id));
  const ends = { lastVersion: () => findLastVersion(db), take: (some: readonly TrialEnd[]) => takeTrialEnds({ db, live, issuer: config.sites[0].provider.issuer, productIdsBySite, waitingProductIds }, some), forgetAll: () => deleteTrialEnds(db) };
  const feed = followTrialFeed(bridge, ends, log);
  const limits = { idleMilliseconds: config.sessionIdleMilliseconds, absoluteMilliseconds: config.sessionAbsoluteMilliseconds };
  const shared = { db, clock, loginsPerClient: config.loginsPerClient, seal, live, touches, limits, log, meter, products, bridge, trustedProxies, pages: loadPages(), contactUrl: config.contactUrl, preparingBudgetMilliseconds: config.preparingBudgetMilliseconds, waitingProductIds, hearNow: feed.hearNow, captcha: config.captcha && captchaWidget(config.captcha) };
  const toldByProviders = served.map(({ provider: { issuer, clientId } }, at) => ({ db, live, issuer, clientId, sitesOfIssuer: hostsOfIssuer(served, issuer), provider: providers[at] ?? provider }));
  const dependencies = {
    postgres: { check: () => sql`select 1`.execute(db), required: true },
    keycloak: { check: () => Promise.all(providers.map((one) => one.check())), required: false },
    bridge: { check: () => bridge.check(), required: false },
    trial_feed: { check: () => feed.check(), required: false },
  };
  proxyGauges(registry, { sessions: shared, pool, feed, log, dependencies });
  const identity = identityTokens(config.identityKeys, clock);
  let stopping = false;
  const health = { dependencies, isStopping: () => stopping };
  const publicHealth = config.metricsPort === undefined ? health : undefined;
  const of = (site: Site): Shared & Pick<RouteParts, 'billingHere' | 'staffHere'> => ({
    ...shared,
    provider: providers[served.indexOf(site)] ?? provider,
    productIds: productIdsBySite.get(hostOf(site)) ?? [],
    health: publicHealth,
    upstreams,
    identity,
    toldByProviders,
    billingHere: config.billingUrl === site.publicUrl,
    staffHere: config.staffUrl === site.publicUrl,
  });
  const sites = config.sites.map((site) => serve(site, served, of(site), routes));
  const staff = ownStaff ? [serve(ownStaff, served, { ...of(ownStaff), products: landingAtStaff(products) }, staffRoutes)] : [];
  const ownBilling = config.billingUrl !== undefined && sites.every(({ publicUrl }) => publicUrl !== config.billingUrl);
  const billing = ownBilling && config.billingUrl !== undefined ? [serveBilling(config.billingUrl, config.sites[0], { ...shared, health: publicHealth })] : [];
  const siteOfProduct = (product: string): ServedSite | undefined => sites.find(({ host }) => productIdsBySite.get(host)?.includes(product));
  const embeds = config.embedUrl === undefined ? undefined : serveEmbeds(config.embedUrl, { ...shared, siteOf: siteOfProduct, standings: embedStandings(bridge), readProof: embedProofs(config.bridgeUrl, config.embedUrl) });
  const embedsHere = embeds && sites.some(({ publicUrl }) => publicUrl === config.embedUrl) ? embeds : undefined;
  const watch = watchSessions(live);
  const long = longAnswers(watch);
  const sockets = webSockets({ sites, identity, trustedProxies, watch, log });
  const listener = createListener({ sites, pagesSites: [...billing, ...staff, ...(embeds && !embedsHere ? [embeds] : [])], embedsHere, identity, trustedProxies, forwardAuth: config.forwardAuth, meter, long, log });
  // A gateway may ask about an upgrade by one.
  const isAskedAbout = (req: IncomingMessage): boolean => config.forwardAuth && pathOf(req.url ?? '') === FORWARD_AUTH_PATH;
  const server = await startServer(listener, config, { onWebSocket: sockets.onUpgrade, isAskedAbout, saysContinue: true, limits: connectionLimits(config.sites), options: SERVER_OPTIONS });
  const operatorPort = config.metricsPort === undefined ? undefined : await startOperatorPort({ host: config.host, port: config.metricsPort }, { registry, health, log });
  const sweep = async (): Promise<void> => {
    await sweepSessions(shared);
    await sweepLogins(shared);
    await deletePastEmbedSessions(db, clock.now());
  };
  const sweeping = setInterval(() => {
    sweep().catch((error: unknown) => log.warn({ err: error }, 'sweeping failed'));
  }, SWEEP_EVERY_MILLISECONDS);
  const bounding = setInterval(() => {
    boundLogins(shared).catch((error: unknown) => log.warn({ err: error }, 'sign-ins that were begun could not be bounded'));
  }, BOUND_EVERY_MILLISECONDS);
  const checking = setInterval(() => {
    void live.checkAgain();
    long.sweep();
  }, CHECK_EVERY_MILLISECONDS);
  return {
    port: server.port,
    listener,
    metricsPort: operatorPort?.port,
    sweep,
    stop: async () => {
      clearInterval(sweeping);
      clearInterval(bounding);
      stopping = true;
      server.drain();
      await setTimeout(config.stopDelayMilliseconds);
      sockets.stop();
      await server.stop(config.stopLimitMilliseconds);
      clearInterval(checking);
      await Promise.all([operatorPort?.stop(), feed.stop()]);
      await Promise.all([...sites, ...staff].map(({ sessions }) => sessions.refresher.stop()));
      await touches.stop();
      await Promise.all([...[...upstreams.values()].map((upstream) => upstream.close()), bridge.close(), notices.stop(), close()]);
    },
  };
}

type Shared = Omit<RouteParts & AppParts, 'site' | 'issuer' | 'clientId' | 'sitesOfIssuer' | 'cookies' | 'refresher' | 'publicUrl' | 'invitationByPar' | 'returnOrigins' | 'providerUrl' | 'ofBridgesRealm' | 'billingHere' | 'staffHere'> & Pick<RefreshParts, 'log'> & Pick<ServedSite, 'upstreams'>;

function connectionLimits(sites: readonly Site[]): ServerLimits {
  const rest = longestRest(sites.flatMap(({ upstreams }) => upstreams.map(({ limits }) => limits)));
  return { ...CONNECTION_LIMITS, idle: Math.max(CONNECTION_LIMITS.idle, rest + LATER_MILLISECONDS) };
}

function hostsOfIssuer(sites: readonly Site[], issuer: string): string[] {
  return sites.filter(({ provider }) => provider.issuer === issuer).map(hostOf);
}

function hostOf({ publicUrl }: Site): string {
  return new URL(publicUrl).host;
}

/** The bridge knows the people of one realm: the first site's, whose client calls it. */
function productIdsOf({ provider }: Site, first: Site, products: Products): string[] {
  return provider.issuer === first.provider.issuer ? productsOfClient(products, provider.clientId).map(({ id }) => id) : [];
}

/** What one site has of its own: provider, cookies, pages with its address. */
function serve(site: Site, all: readonly Site[], shared: Shared & Pick<RouteParts, 'billingHere' | 'staffHere'>, routesOf: (parts: RouteParts) => Router): ServedSite {
  const { publicUrl, cors, frameAncestors } = site;
  const framePolicy = frameAncestors === 'app' ? undefined : `frame-ancestors '${frameAncestors}'`;
  const { host, protocol } = new URL(publicUrl);
  const { issuer, clientId } = site.provider;
  const sitesOfIssuer = hostsOfIssuer(all, issuer);
  const sessions: SessionKeeping = { ...shared, site: host, issuer, clientId, sitesOfIssuer, cookies: cookieJar(publicUrl), refresher: createRefresher({ ...shared, issuer }) };
  const parts = { ...shared, ...sessions, publicUrl, invitationByPar: site.invitationByPar, returnOrigins: site.returnOrigins, providerUrl: site.provider.publicUrl, ofBridgesRealm: issuer === all[0]?.provider.issuer };
  const express = createApp(parts, routesOf(parts));
  return { publicUrl, host, protocol: protocol.slice(0, -1), express, sessions, rules: site.upstreams, upstreams: shared.upstreams, identityHeaders: identityHeaders(site.identityHeaders, shared.clock), cors, framePolicy };
}

/** The billing pages on an origin of their own: cookies of no site come there (SECURITY.md 25). What leads home leads to the first site. */
function serveBilling(publicUrl: string, home: Site, shared: Omit<BillingRouteParts & AppParts, 'cookies' | 'publicUrl' | 'providerUrl' | 'returnOrigins'>): PagesSite {
  const { host, protocol } = new URL(publicUrl);
  const [first, ...others] = shared.products;
  const products: Products = [{ ...first, start_url: new URL(first.start_url, home.publicUrl).href }, ...others];
  const parts = { ...shared, products, publicUrl, cookies: cookieJar(publicUrl), providerUrl: undefined, returnOrigins: [] };
  return { host, protocol: protocol.slice(0, -1), express: createApp(parts, billingRoutes(parts)) };
}

/** Frames that show the sites' small apps: at an origin of their own, in development at the first site's. */
function serveEmbeds(embedUrl: string, shared: Omit<EmbedParts & AppParts, 'cookies' | 'publicUrl' | 'providerUrl' | 'returnOrigins' | 'embedUrl'>): PagesSite {
  const { host, protocol } = new URL(embedUrl);
  const parts = { ...shared, embedUrl, publicUrl: embedUrl, cookies: cookieJar(embedUrl), providerUrl: undefined, returnOrigins: [] };
  return { host, protocol: protocol.slice(0, -1), express: createApp(parts, embedRouter(parts)) };
}
