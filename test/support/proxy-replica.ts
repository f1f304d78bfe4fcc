import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseEnv } from 'node:util';
import { freePort } from '../../dev/ports.ts';
import { systemClock } from '../../platform/clock.ts';
import { createLog } from '../../platform/log.ts';
import { loadProducts } from '../../platform/products.ts';
import { loadConfig, productsFile } from '../../proxy/config.ts';
import { startProxy } from '../../proxy/proxy.ts';
import { STACK_VARIABLE } from './stack-variable.ts';

export interface ProxyReplica {
  url: string;
  stop(): Promise<void>;
}

/** Another replica of the stack's proxy, in this process; `env` is added to what the stack's has. */
export async function startProxyReplica(env: Readonly<Record<string, string>> = {}): Promise<ProxyReplica> {
  const port = await freePort();
  const { PROXY_METRICS_PORT: _taken, ...given } = parseEnv(readFileSync(join(dirname(process.env[STACK_VARIABLE] ?? ''), 'proxy.env'), 'utf8'));
  const config = loadConfig({ ...given, PROXY_PORT: String(port), ...env });
  const proxy = await startProxy(config, loadProducts(productsFile({ ...given, ...env })), createLog('proxy', 'silent'), systemClock);
  return { url: `http://localhost:${port}`, stop: proxy.stop };
}
