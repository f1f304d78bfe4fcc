import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { whenLeftBehind } from './data-folder.ts';
import { portBaseFrom } from './ports.ts';
import { terminalProgress } from './progress.ts';
import { ROOT, startStack, STEPS, writeDescription, writeEnvironment, type Stack } from './stack.ts';
import { StartError } from './start-error.ts';

const RUN_DIR = process.env['VESTIBULE_RUN'] || join(ROOT, '.run');

const progress = terminalProgress(STEPS);
const asked = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => asked.abort(signal));

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof StartError ? error.message : error);
  process.exitCode = 1;
}
process.exit();

async function main(): Promise<number> {
  const started = performance.now();
  const portBase = portBaseFrom(process.argv.slice(2), process.env);
  const dataDir = join(RUN_DIR, `data-${portBase}`);
  const cacheDir = process.env['VESTIBULE_CACHE'] || join(RUN_DIR, 'cache');
  const stackFiles = [join(RUN_DIR, 'stack.json'), join(dataDir, 'stack.json')];
  const stack = await startStack({ portBase, dataDir, cacheDir, progress, env: process.env, signal: asked.signal });
  for (const file of stackFiles) writeDescription(file, stack);
  for (const folder of [RUN_DIR, dataDir]) writeEnvironment(join(folder, 'bridge.env'), stack.bridgeEnvironment);
  console.log(welcome(stack, (performance.now() - started) / 1000));

  const reason = await Promise.race([stack.broken, whenLeftBehind(asked.signal).then(() => 'npm is gone', () => undefined)]);
  console.log(reason === undefined ? '\nStopping …' : `\n${reason}\nStopping …`);
  for (const file of stackFiles) rmSync(file, { force: true });
  await stack.stop();
  return reason === undefined ? 0 : 1;
}

function welcome({ description }: Stack, seconds: number): string {
  const { proxy, keycloak, bridge, inbox, app, selfHosted, embedDemo, admin, staff } = description;
  return `
Ready after ${seconds.toFixed(0)} s.

  The app, through the proxy   ${proxy}
  Sign-up form                 ${proxy}/trial
  Inbox                        ${inbox}
  Billing, self-hosted server  ${selfHosted}
  Another site, with a frame   ${embedDemo}
  Staff pages                  ${proxy}/staff/  (${staff.username}, password in .run/stack.json)
  Keycloak's admin console     ${keycloak}/admin  (user ${admin.username}, password in .run/stack.json)
  Bridge                       ${bridge}/openapi.json
  Sample app, directly         ${app}

Try it, then open the inbox:

  curl -X POST ${proxy}/api/legacy/trial/register --header "Content-Type: application/json" -d '{"username":"example@example.com"}'

Ctrl-C ends everything.`;
}
