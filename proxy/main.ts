import { systemClock } from '../platform/clock.ts';
import { ConfigError } from '../platform/config.ts';
import { stopOnSignal } from '../platform/http.ts';
import { createLog } from '../platform/log.ts';
import { loadProducts } from '../platform/products.ts';
import { loadConfig } from './config.ts';
import { migrate } from './db/migrate.ts';
import { startProxy } from './proxy.ts';

try {
  const config = loadConfig(process.env);
  const log = createLog('proxy', config.logLevel);
  const products = loadProducts(config.productsFile);
  await migrate(config.databaseUrl.reveal());
  const proxy = await startProxy(config, products, log, systemClock);
  stopOnSignal(log, proxy.stop);
  log.info({ port: proxy.port, public_url: config.publicUrl }, 'ready');
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
