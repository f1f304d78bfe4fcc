import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { freePort } from '../../dev/ports.ts';
import { answersOk, startProcess, systemEnvironment, waitUntilReady, type RunningProcess } from '../../dev/processes.ts';
import { eventually } from '../support/eventually.ts';
import { CLIENT } from './support/provider.ts';
import { startStand, type Stand } from './support/stand.ts';

const GIB = 1024 ** 3;
const PIECE = Buffer.alloc(256 * 1024, 's');
const LOOK_EVERY_MS = 20;
/** A few seconds alone; Chromium may hold both processors meanwhile. */
const LIMIT_MS = 240_000;
/** What may be under way in sockets and streams, and what the engine has not yet given back. */
const FLAT_BYTES = 160 * 1024 ** 2;

let stand: Stand;
let app: Server;
let running: RunningProcess;
let port: number;
let cookie: string;
/** Pieces that were written into a stream, of all so far. */
let made = 0;

// A process of its own, so that its memory is nobody else's.
beforeAll(async () => {
  stand = await startStand();
  cookie = `vestibule_dev=${(await stand.signedIn()).cookies.get('vestibule_dev')}`;
  app = createServer((req, res) => {
    if (req.method === 'GET') return void pipeline(bytes(), res).catch(() => res.destroy());
    return void untilItWaits().then(() => counted(req)).then((length) => res.end(String(length)));
  }).listen(0, '127.0.0.1');
  await once(app, 'listening');
  port = await freePort();
  const logFile = join(import.meta.dirname, '..', '..', '.run', `streams-${port}.log`);
  running = startProcess({
    name: 'proxy',
    file: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', 'proxy/main.ts'],
    cwd: join(import.meta.dirname, '..', '..'),
    logFile,
    env: {
      ...systemEnvironment(),
      VESTIBULE_MODE: 'development',
      PROXY_PORT: String(port),
      PROXY_PUBLIC_URL: stand.url,
      PROXY_DATABASE_URL: stand.database.proxyUrl,
      PROXY_CLIENT_ID: CLIENT.id,
      PROXY_CLIENT_SECRET: CLIENT.secret,
      KEYCLOAK_PUBLIC_URL: stand.provider.publicUrl,
      SESSION_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      BRIDGE_INTERNAL_URL: stand.bridge.url,
      APP_INTERNAL_URL: `http://127.0.0.1:${(app.address() as AddressInfo).port}`,
      CONTACT_URL: 'https://example.com/contact',
    },
  });
  await waitUntilReady(running, logFile, 30_000, () => answersOk(`http://127.0.0.1:${port}/livez`));
});
afterAll(async () => {
  await running.stop();
  app.close();
  await stand.stop();
});

test('1 GiB down: the memory stays flat', async () => {
  const { result, grownBytes } = await watched(async () => {
    const [incoming] = (await once(ask('GET').end(), 'response')) as [IncomingMessage];
    await untilItWaits();
    return counted(incoming);
  });
  expect(result).toBe(GIB);
  expect(grownBytes).toBeLessThan(FLAT_BYTES);
}, LIMIT_MS);

test('1 GiB up: the memory stays flat', async () => {
  const { result, grownBytes } = await watched(async () => {
    const outgoing = ask('POST');
    const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
    await pipeline(bytes(), outgoing);
    const [incoming] = await answered;
    return (await incoming.toArray()).join('');
  });
  expect(result).toBe(String(GIB));
  expect(grownBytes).toBeLessThan(FLAT_BYTES);
}, LIMIT_MS);

function ask(method: string) {
  return httpRequest({ host: '127.0.0.1', port, method, path: '/big', agent: false, headers: { cookie } });
}

function bytes(): Readable {
  let left = GIB / PIECE.length;
  return new Readable({
    highWaterMark: 4 * PIECE.length,
    read() {
      this.push(left > 0 ? PIECE : null);
      left -= 1;
      made += 1;
    },
  });
}

/** Whoever reads begins when whoever writes is held back: what is not held back is in the proxy by then. */
async function untilItWaits(): Promise<void> {
  let [before, still] = [-1, 0];
  await eventually(() => {
    still = made === before ? still + 1 : 0;
    before = made;
    return still === 5;
  });
}

async function counted(stream: AsyncIterable<Buffer>): Promise<number> {
  let length = 0;
  for await (const piece of stream) length += piece.length;
  return length;
}

/** How much the process grew at most, meanwhile. */
async function watched<T>(work: () => Promise<T>): Promise<{ result: T; grownBytes: number }> {
  const before = residentBytes();
  let most = before;
  const looking = setInterval(() => {
    most = Math.max(most, residentBytes());
  }, LOOK_EVERY_MS);
  const result = await work().finally(() => clearInterval(looking));
  return { result, grownBytes: most - before };
}

function residentBytes(): number {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${running.pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
