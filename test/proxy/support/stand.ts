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
import { startApp, startBridge, type TestServer } from './servers.ts';

export interface Stand {
  url: string;
  proxy: RunningProxy;
  provider: TestProvider;
  bridge: TestServer;
  app: TestServer;
  database: TestDatabase;
  clock: MovableClock;
  /** Everything that was logged. */
  log(): string;
  browser(): Browser;
  /** A browser in which the provider's person is signed in. */
  signedIn(): Promise<Browser>;
  stop(): Promise<void>;
}

const PRODUCTS = loadProducts('products.yaml');

/** The proxy between a provider, a bridge and an app, on a database of its own. */
export async function startStand(options: { env?: Record<string, string>; products?: Products } = {}): Promise<Stand> {
  const [provider, bridge, app, database, port] = await Promise.all([startProvider(), startBridge(), startApp(), freshDatabase(), freePort()]);
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
    SESSION_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    BRIDGE_INTERNAL_URL: bridge.url,
    APP_INTERNAL_URL: app.url,
    CONTACT_URL: 'https://example.com/contact',
    ...options.env,
  });
  const clock = movableClock();
  const proxy = await startProxy(config, options.products ?? PRODUCTS, createLog('proxy', 'debug', sink), clock);
  const stand: Stand = {
    url,
    proxy,
    provider,
    bridge,
    app,
    database,
    clock,
    log: () => lines.join(''),
    browser: () => new Browser(url),
    signedIn: async () => {
      const browser = new Browser(url);
      await browser.follow(await browser.get('/api/login'));
      return browser;
    },
    stop: async () => {
      await proxy.stop();
      // What the test put in their place is stopped, not what it stopped itself.
      await Promise.all([stand.provider.stop(), stand.bridge.stop(), stand.app.stop()]);
      await database.drop();
    },
  };
  return stand;
}
