import { ConfigError } from '../platform/config.ts';
import { stopOnSignal } from '../platform/http.ts';
import { createLog } from '../platform/log.ts';
import { loadProducts } from '../platform/products.ts';
import { startBridge } from './bridge.ts';
import { loadConfig } from './config.ts';
import { migrate } from './db/migrate.ts';

try {
  const config = loadConfig(process.env);
  const products = loadProducts(config.productsFile);
  const log = createLog('bridge', config.logLevel);
  await migrate(config.databaseUrl.reveal());
  const bridge = await startBridge(config, products, log);
  stopOnSignal(log, bridge.stop);
  log.info({ port: bridge.port }, 'the bridge is listening');
} catch (error) {
  const known = error instanceof ConfigError || (error instanceof Error && error.message.includes('is not usable'));
  process.stderr.write(`bridge: ${known ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
