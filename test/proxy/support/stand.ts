import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import { freePort } from '../../../dev/ports.ts';
import { movableClock, type MovableClock } from '../../../platform/clock.ts';
import { createLog } from '../../../platform/log.ts';
import { loadProducts, type Products } from '../../../platform/products.ts';
import { loadConfig } from '../../../proxy/config.ts';
import { startProxy, type RunningProxy } from '../../../proxy/proxy.ts';
import { freshDatabase, type TestDatabase } from '../../support/database.ts';
import { Browser } from './browser.ts';
import { CLIENT, startProvider, type TestProvider } from './provider.ts';
import { startApp, startBridge, type TestFeed, type TestServer } from './servers.ts';

export interface Replica {
  url: string;
  proxy: RunningProxy;
  /** Everything that was logged. */
  log(): string;
  browser(): Browser;
  /** A browser in which the provider's person is signed in. */
  signedIn(): Promise<Browser>;
}

export interface Stand extends Replica {
  provider: TestProvider;
  bridge: TestServer & { feed: TestFeed };
  app: TestServer;
  database: TestDatabase;
  clock: MovableClock;
  /** Another proxy on the same database, by the same clock unless told; stopped by its caller. */
  replica(env?: Record<string, string>, clock?: MovableClock): Promise<Replica>;
  stop(): Promise<void>;
}

export interface StandOptions {
  env?: Record<string, string>;
  products?: Products;
  /** The billing pages stand at the site's own address, as in development. */
  billingHere?: boolean;
  /** The staff pages, too. */
  staffHere?: boolean;
  /** Frames of other pages stand there too. */
  embedHere?: boolean;
  /** Writes a sites file for a proxy at this address, and names it. */
  sites?: (url: string, provider: TestProvider, app: TestServer) => string;
}

const PRODUCTS = loadProducts('products.yaml');

/** The proxy between a provider, a bridge and an app, on a database of its own. */
export async function startStand(options: StandOptions = {}): Promise<Stand> {
  const [provider, bridge, app, database] = await Promise.all([startProvider(), startBridge(), startApp(), freshDatabase()]);
  const shared = { provider, bridge, app, database, clock: movableClock(), sealKey: randomBytes(32).toString('base64') };
  const replica = await startReplica(shared, options);
  const stand: Stand = {
    ...shared,
    ...replica,
    replica: (env, clock = shared.clock) => startReplica({ ...shared, clock }, { ...options, env: { ...options.env, PROXY_PUBLIC_URL: replica.url, ...env } }),
    stop: async () => {
      await replica.proxy.stop();
      // What the test put in their place is stopped, not what it stopped itself.
      await Promise.all([stand.provider.stop(), stand.bridge.stop(), stand.app.stop()]);
      await database.drop();
    },
  };
  return stand;
}

/** One process of the proxy, as far as others can tell. */
async function startReplica(
  { provider, bridge, app, database, clock, sealKey }: Pick<Stand, 'provider' | 'bridge' | 'app' | 'database' | 'clock'> & { sealKey: string },
  options: StandOptions,
): Promise<Replica> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const lines: string[] = [];
  const sink = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk));
      done();
    },
  });
  const config = loadConfig({
    VESTIBULE_MODE: 'development',
    PROXY_PORT: String(port),
    PROXY_PUBLIC_URL: url,
    PROXY_DATABASE_URL: database.proxyUrl,
    PROXY_CLIENT_ID: CLIENT.id,
    PROXY_CLIENT_SECRET: CLIENT.secret,
    KEYCLOAK_PUBLIC_URL: provider.publicUrl,
    SESSION_ENCRYPTION_KEY: sealKey,
    BRIDGE_INTERNAL_URL: bridge.url,
    APP_INTERNAL_URL: app.url,
    CONTACT_URL: 'https://example.com/contact',
    STOP_DELAY_SECONDS: '0',
    ...(options.billingHere && { BILLING_URL: url }),
    ...(options.staffHere && { STAFF_URL: url }),
    ...(options.embedHere && { EMBED_URL: url }),
    ...(options.sites && { PROXY_SITES_FILE: options.sites(url, provider, app) }),
    ...options.env,
  });
  const proxy = await startProxy(config, options.products ?? PRODUCTS, createLog('proxy', 'debug', sink), clock);
  return {
    url,
    proxy,
    log: () => lines.join(''),
    browser: () => new Browser(url),
    signedIn: async () => {
      const browser = new Browser(url);
      await browser.follow(await browser.get('/api/login'));
      return browser;
    },
  };
}
