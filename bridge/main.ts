import { stopOnSignal } from '../platform/http.ts';
import { createLog } from '../platform/log.ts';
import { loadProducts } from '../platform/products.ts';
import { startOrExit } from '../platform/start.ts';
import { startBridge } from './bridge.ts';
import { loadConfig } from './config.ts';
import { migrate } from './db/migrate.ts';
import { loadEndpoints } from './webhooks/endpoints.ts';

await startOrExit('bridge', async () => {
  const config = loadConfig(process.env);
  const products = loadProducts(config.productsFile);
  const endpoints = loadEndpoints(process.env, products, config);
  const log = createLog('bridge', config.logLevel);
  const newer = await migrate(config.databaseUrl.reveal());
  if (newer.length > 0) log.warn({ migrations: newer }, 'a newer release has migrated the database: this one runs on what it added');
  const bridge = await startBridge(config, { products, endpoints }, log);
  stopOnSignal(log, bridge.stop);
  log.info({ port: bridge.port }, 'the bridge is listening');
});
