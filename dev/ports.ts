import { createServer, type AddressInfo } from 'node:net';
import { StartError } from './start-error.ts';

const DEFAULT_PORT_BASE = 8400;
const HIGHEST_BASE = 65_535 - 11;

const OFFSETS = { proxy: 0, keycloak: 1, bridge: 2, inbox: 3, smtp: 4, app: 5, postgres: 6, management: 7, bridgeMetrics: 8, proxyMetrics: 9, selfHosted: 10, embedDemo: 11 } as const;

export type Ports = Readonly<Record<keyof typeof OFFSETS, number>>;

export function portsFrom(base: number): Ports {
  return Object.fromEntries(Object.entries(OFFSETS).map(([name, offset]) => [name, base + offset])) as Ports;
}

/** Reads `--port-base N`, `--port-base=N` or VESTIBULE_PORT_BASE. Throws a sentence that says what is allowed. */
export function portBaseFrom(args: readonly string[], env: Readonly<Record<string, string | undefined>>): number {
  const at = args.findIndex((arg) => arg === '--port-base' || arg.startsWith('--port-base='));
  const given = at === -1 ? env['VESTIBULE_PORT_BASE'] : (args[at]?.split('=')[1] ?? args[at + 1] ?? '');
  if (given === undefined) return DEFAULT_PORT_BASE;
  const base = /^\d+$/.test(given) ? Number(given) : Number.NaN;
  if (base >= 1024 && base <= HIGHEST_BASE) return base;
  throw new StartError(`--port-base must be a number from 1024 to ${HIGHEST_BASE}, not "${given}".`);
}

/** The names of the ports that something else listens on, with their numbers. */
export async function takenPorts(ports: Ports): Promise<[name: string, port: number][]> {
  const free = await Promise.all(Object.values(ports).map((port) => isFree(port)));
  return Object.entries(ports).filter((_, index) => !free[index]);
}

/** A base whose ports are all free now. */
export async function freePortBase(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    // Below the range from which Linux takes the ports of outgoing connections.
    const base = 10_000 + Math.floor(Math.random() * 1100) * 20;
    if ((await takenPorts(portsFrom(base))).length === 0) return base;
  }
  throw new StartError('No twelve free ports in a row were found between 10000 and 32000.');
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function isFree(port: number): Promise<boolean> {
  const answers = await Promise.all(['127.0.0.1', '::1'].map((host) => canListen(port, host)));
  return answers.every(Boolean);
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    // A machine without IPv6 has nobody listening there either.
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE' && error.code !== 'EACCES'));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
