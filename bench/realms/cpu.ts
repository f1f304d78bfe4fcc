import { stack } from '../../test/support/stack.ts';

/** Of the stack's ports, the management port stands this much behind Keycloak's own. */
const MANAGEMENT_OFFSET = 6;
const NANOSECONDS_PER_MS = 1_000_000;

/** What Keycloak's process has taken so far, in ms of one core. */
export async function keycloakCpu(): Promise<number> {
  const management = new URL(stack().keycloak);
  management.port = String(Number(management.port) + MANAGEMENT_OFFSET);
  const answer = await fetch(new URL('/metrics', management));
  const [, value] = /^process_cpu_time_ns_total(?:\{[^}]*\})? (\S+)$/m.exec(await answer.text()) ?? [];
  if (value === undefined) throw new Error(`${management.origin}/metrics does not tell process_cpu_time_ns_total: start Keycloak with metrics enabled.`);
  return Number(value) / NANOSECONDS_PER_MS;
}
