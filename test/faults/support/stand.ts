import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Hop, PartName } from '../../../dev/stack.ts';
import { CONTROL_VARIABLE } from '../../support/setup/fault-control.ts';
import type { Fault } from '../../support/relay.ts';
import { eventually } from '../../support/eventually.ts';
import { STACK_VARIABLE } from '../../support/stack-variable.ts';

const HOPS: readonly Hop[] = ['bridge-postgres', 'keycloak-postgres', 'proxy-postgres', 'keycloak-bridge', 'bridge-keycloak', 'bridge-smtp'];
const ARRIVES_WITHIN_MS = 20_000;

/** What a relay sees of the calls and statements that matter. */
export const CREATION = 'POST /api/trial/creation HTTP';
export const CREATE_USER = 'POST /admin/realms/vestibule/users/ HTTP';
/** One, or several together. */
export const OUTCOME = 'POST /api/trial/creation/outcome';
export const VERIFY = 'POST /api/trial/verify HTTP';
/** The statement that a creation is, which commits by itself, as it is bound to its values. */
export const RESERVE = '\0reserve\0';
export const END_OF_MAIL = '\r\n.\r\n';

async function call(what: string, method: string, ...args: unknown[]): Promise<unknown> {
  const control = process.env[CONTROL_VARIABLE];
  if (!control) throw new Error(`${CONTROL_VARIABLE} is not set: run this test by npm run test:faults.`);
  const answer = await fetch(`${control}/${what}/${method}`, { method: 'POST', body: JSON.stringify(args) });
  const result: unknown = await answer.json();
  if (!answer.ok) throw new Error(`${what}/${method}: ${String(result)}`);
  return result;
}

export interface RelayControl {
  inject(fault: Fault): Promise<unknown>;
  /** Waits until that many connections have bytes that wait. */
  holds(count?: number): Promise<unknown>;
  release(swap?: readonly [string, string]): Promise<unknown>;
  slow(milliseconds: number): Promise<unknown>;
  cut(): Promise<unknown>;
  refuse(): Promise<unknown>;
  mend(): Promise<unknown>;
}

export function relay(hop: Hop): RelayControl {
  return {
    inject: (fault) => call(hop, 'inject', fault),
    holds: (count = 1) => eventually(async () => Number(await call(hop, 'held')) >= count, ARRIVES_WITHIN_MS),
    release: (swap) => call(hop, 'release', ...(swap ? [swap] : [])),
    slow: (milliseconds) => call(hop, 'slow', milliseconds),
    cut: () => call(hop, 'cut'),
    refuse: () => call(hop, 'refuse'),
    mend: () => call(hop, 'mend'),
  };
}

export async function mendAll(): Promise<void> {
  for (const hop of HOPS) await relay(hop).mend();
}

/** The mail server runs with the tests: dead is what the way to it makes it. */
export type Killable = PartName | 'mail';

/** kill -9. */
export async function kill(part: Killable): Promise<void> {
  if (part === 'mail') return void (await relay('bridge-smtp').refuse());
  await call(part, 'kill');
}

/** As an operator would, by a signal that asks. */
export async function stop(part: PartName): Promise<void> {
  await call(part, 'stop');
}

/** As it was, or with something added to its environment; comes back when it is ready. */
export async function start(part: Killable, env: Record<string, string> = {}): Promise<void> {
  if (part === 'mail') return void (await relay('bridge-smtp').mend());
  await call(part, 'start', env);
}

/** The next mails to an address are refused with these SMTP codes. */
export async function refuseMails(address: string, ...codes: number[]): Promise<void> {
  await call('refusals', 'set', address, codes);
}

/** Of every run of the bridge so far. */
export function bridgeLog(): string {
  return readFileSync(join(dirname(process.env[STACK_VARIABLE] ?? ''), 'logs', 'bridge.log'), 'utf8');
}
