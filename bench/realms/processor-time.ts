import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { STACK_VARIABLE } from '../../test/support/stack-variable.ts';
import { keycloakCpu } from './cpu.ts';

const MS_PER_TICK = 10;
const NANOSECONDS_PER_MS = 1_000_000;

export const PARTS = ['Keycloak', 'the bridge', 'the proxy', 'Postgres for Keycloak', 'Postgres for bridge and proxy', 'the load itself'] as const;
export type Part = (typeof PARTS)[number];

/** What each process of the stack has taken so far, in ms of one core, by a name of its own: a connection of Postgres is a process. */
export type ProcessorTimes = ReadonlyMap<string, { part: Part; ms: number }>;

/** Undefined where there is no /proc. */
export async function processorTimes(): Promise<ProcessorTimes | undefined> {
  if (process.platform !== 'linux') return undefined;
  const pids = pidsOfStack();
  const own = process.cpuUsage();
  return new Map([
    ['keycloak', { part: 'Keycloak', ms: await keycloakCpu() }],
    ['bridge', { part: 'the bridge', ms: ticks(stat(pids('bridge'))) * MS_PER_TICK }],
    ['proxy', { part: 'the proxy', ms: ticks(stat(pids('proxy'))) * MS_PER_TICK }],
    ['load', { part: 'the load itself', ms: (own.user + own.system) / 1_000 }],
    ...backends(pids('postgres')),
  ]);
}

/** What each part took from one look to the next. A connection that was closed meanwhile is left out. */
export function takenBetween(before: ProcessorTimes, after: ProcessorTimes): ReadonlyMap<Part, number> {
  const taken = new Map<Part, number>(PARTS.map((part) => [part, 0]));
  for (const [name, { part, ms }] of after) taken.set(part, (taken.get(part) ?? 0) + ms - (before.get(name)?.ms ?? 0));
  return taken;
}

function pidsOfStack(): (name: string) => number {
  const all = JSON.parse(readFileSync(join(dirname(process.env[STACK_VARIABLE] ?? ''), 'processes.json'), 'utf8')) as readonly { name: string; pid: number }[];
  return (name) => {
    const found = all.find((one) => one.name === name);
    if (found === undefined) throw new Error(`${name} is not among the processes of the stack.`);
    return found.pid;
  };
}

function backends(postgres: number): [string, { part: Part; ms: number }][] {
  return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry)).flatMap((pid): [string, { part: Part; ms: number }][] => {
    try {
      if (Number(stat(Number(pid))[1]) !== postgres) return [];
      const [, role] = /^postgres: (keycloak|bridge|proxy) /.exec(readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ?? [];
      if (role === undefined) return [];
      const [nanoseconds = '0'] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
      return [[`postgres ${pid}`, { part: role === 'keycloak' ? 'Postgres for Keycloak' : 'Postgres for bridge and proxy', ms: Number(nanoseconds) / NANOSECONDS_PER_MS }]];
    } catch {
      // It ended while we looked.
      return [];
    }
  });
}

/** The fields of /proc/<pid>/stat after the name, which may hold spaces. */
function stat(pid: number): readonly string[] {
  const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return line.slice(line.lastIndexOf(')') + 2).split(' ');
}

function ticks(fields: readonly string[]): number {
  return Number(fields[11]) + Number(fields[12]);
}
