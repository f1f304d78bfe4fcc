import { systemClock } from '../platform/clock.ts';
import { together } from '../platform/config.ts';
import { stopOnSignal } from '../platform/http.ts';
import { createLog } from '../platform/log.ts';
import { loadProducts } from '../platform/products.ts';
import { startOrExit } from '../platform/start.ts';
import { loadConfig, productsFile } from './config.ts';
import { migrate } from './db/migrate.ts';
import { startProxy } from './proxy.ts';

await startOrExit('proxy', async () => {
  const [config, products] = together(() => loadConfig(process.env), () => loadProducts(productsFile(process.env)));
  if (process.argv.includes('--check')) {
    process.stdout.write('The configuration has no fault.\n');
    return;
  }
  const log = createLog('proxy', config.logLevel);
  const newer = await migrate(config.databaseUrl.reveal());
  if (newer.length > 0) log.warn({ migrations: newer }, 'a newer release has migrated the database: this one runs on what it added');
  const proxy = await startProxy(config, products, log, systemClock);
  stopOnSignal(log, proxy.stop, config.stopDelayMilliseconds + config.stopLimitMilliseconds);
  log.info({ port: proxy.port, public_urls: config.sites.map((site) => site.publicUrl) }, 'ready');
});
