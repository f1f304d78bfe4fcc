import { STACK_VARIABLE } from '../stack-variable.ts';
import { startTestStack } from './test-stack.ts';

/** One stack for all tests. With VESTIBULE_STACK set, the one it names is taken as it is. */
export default async function setup(): Promise<void> {
  if (process.env[STACK_VARIABLE]) return;
  const { stop } = await startTestStack('stack', {}, { LOG_LEVEL: 'debug' });
  (globalThis as { stopTestStack?: () => Promise<void> }).stopTestStack = stop;
}
