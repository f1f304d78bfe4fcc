import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.ts';
import { openRelay, type Relay } from '../support/relay.ts';

let server: Server;
let relay: Relay;
let asked: string[];
beforeEach(async () => {
  asked = [];
  server = createServer((req, res) => {
    asked.push(req.url ?? '');
    res.end('answer');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  relay = await openRelay((server.address() as AddressInfo).port);
});
afterEach(async () => {
  await relay.close();
  server.closeAllConnections();
  server.close();
});

const get = async (path: string): Promise<string> => (await fetch(`http://127.0.0.1:${relay.port}${path}`, { headers: { connection: 'close' } })).text();

test('passes what it is not told about', async () => {
  relay.inject({ sees: 'GET /other', does: 'cut-request' });
  expect(await get('/a')).toBe('answer');
});

test('a held request arrives when it is released, changed where that was asked', async () => {
  relay.inject({ sees: 'GET /a', does: 'hold-request' });
  const answer = get('/a');
  await eventually(() => relay.held() === 1);
  expect(asked).toEqual([]);
  relay.release(['GET /a', 'GET /b']);
  expect(await answer).toBe('answer');
  expect(asked).toEqual(['/b']);
});

test('a held request arrives although the asker has left', async () => {
  relay.inject({ sees: 'GET /a', does: 'hold-request' });
  await expect(fetch(`http://127.0.0.1:${relay.port}/a`, { signal: AbortSignal.timeout(100) })).rejects.toThrow(/fetch failed|aborted/);
  relay.release();
  await eventually(() => asked.length === 1);
});

test('a held answer was made', async () => {
  relay.inject({ sees: 'GET /a', does: 'hold-answer' });
  const answer = get('/a');
  await eventually(() => relay.held() === 1);
  expect(asked).toEqual(['/a']);
  relay.release();
  expect(await answer).toBe('answer');
});

test('cuts before the request or before its answer, once', async () => {
  relay.inject({ sees: 'GET /a', does: 'cut-request' });
  relay.inject({ sees: 'GET /b', does: 'cut-answer' });
  await expect(get('/a')).rejects.toThrow(/fetch failed|aborted/);
  await expect(get('/b')).rejects.toThrow(/fetch failed|aborted/);
  expect(asked).toEqual(['/b']);
  expect(await get('/a')).toBe('answer');
});

test('sees what comes in two pieces', async () => {
  relay.inject({ sees: 'GET /a', does: 'cut-request' });
  const socket = connect(relay.port, '127.0.0.1').setNoDelay(true);
  socket.write('GET');
  await once(server, 'connection');
  socket.write(' /a HTTP/1.1\r\n\r\n');
  await once(socket, 'close');
  expect(asked).toEqual([]);
});

test('answers a share of the requests itself', async () => {
  relay.inject({ sees: 'GET ', does: 503, share: 0.5, times: 100 });
  const statuses = [];
  for (let i = 0; i < 40; i += 1) statuses.push((await fetch(`http://127.0.0.1:${relay.port}/`)).status);
  const refused = statuses.filter((status) => status === 503).length;
  expect([refused > 10, refused < 30, asked.length]).toEqual([true, true, 40 - refused]);
});

test('refuses connections until it is mended', async () => {
  await relay.refuse();
  await expect(get('/a')).rejects.toThrow(/fetch failed|aborted/);
  await relay.mend();
  expect(await get('/a')).toBe('answer');
});
