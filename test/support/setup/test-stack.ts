import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePortBase } from '../../../dev/ports.ts';
import { terminalProgress } from '../../../dev/progress.ts';
import { ROOT, startStack, STEPS, writeDescription, writeEnvironment, type Stack, type StackOptions } from '../../../dev/stack.ts';
import { STACK_VARIABLE } from '../stack-variable.ts';
import { onInterruption, runFolder } from './run-folder.ts';

/** What tests do in seconds, people do in days: one address of a client registers many times here. */
const SETTINGS = { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '10000', REGISTER_LIMIT_PER_MINUTE: '10000', MAIL_LIMIT_SECONDS_BETWEEN: '0', MAIL_LIMIT_PER_MAILBOX_PER_DAY: '100', LOGIN_LIMIT_PER_CLIENT: '100000', PRODUCTS_FILE: 'test/support/products.yaml' };

/** The whole stack on free ports, with databases of its own, described to the tests by STACK_VARIABLE. */
export async function startTestStack(kind: 'stack' | 'faults' | 'soak', options: Partial<StackOptions> = {}, settings: Readonly<Record<string, string>> = {}): Promise<{ stack: Stack; stop: () => Promise<void> }> {
  const dataDir = await runFolder(kind);
  const stack = await startStack({
    portBase: await freePortBase(),
    dataDir,
    cacheDir: process.env['VESTIBULE_CACHE'] || join(ROOT, '.run', 'cache'),
    progress: terminalProgress(STEPS, process.stderr),
    env: { ...SETTINGS, ...settings, ...process.env },
    durable: false,
    ...options,
  });
  const stop = async (): Promise<void> => {
    await stack.destroy();
    rmSync(dataDir, { recursive: true, force: true });
  };
  onInterruption(stop);
  const file = join(dataDir, 'stack.json');
  writeDescription(file, stack);
  // The doctor reads it, and the realm has no client of the second product but while a test makes one.
  writeEnvironment(join(dataDir, 'bridge.env'), { ...stack.bridgeEnvironment, PRODUCTS_FILE: 'products.yaml' });
  writeEnvironment(join(dataDir, 'proxy.env'), stack.proxyEnvironment);
  process.env[STACK_VARIABLE] = file;
  return { stack, stop };
}
