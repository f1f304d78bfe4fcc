import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { eventually } from '../../support/eventually.ts';

/** Listens, and never takes what waits at its door: with that full, a connection hangs. */
const DEAF = `
const { createServer } = require('node:net');
const { parentPort } = require('node:worker_threads');
const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  parentPort.postMessage(server.address().port);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});`;
const AT_THE_DOOR = 2;

export async function startDeafApp(): Promise<{ url: string; stop(): Promise<void> }> {
  const worker = new Worker(DEAF, { eval: true });
  const [port] = (await once(worker, 'message')) as [number];
  const waiting: Socket[] = Array.from({ length: AT_THE_DOOR + 2 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
  await eventually(() => waiting.filter(({ connecting }) => !connecting).length >= AT_THE_DOOR);
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      for (const socket of waiting) socket.destroy();
      await worker.terminate();
    },
  };
}
