import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { closeAfterAnswer } from '../../proxy/upstream/unread-upload.ts';
import { rawConnection, type RawConnection } from './support/raw.ts';

const HASTY = { milliseconds: 300, bytes: 1_000_000 };
const PATIENT = { milliseconds: 60_000, bytes: 1_000_000 };

let server: Server;
let client: RawConnection;
let patience: typeof HASTY;
beforeEach(async () => {
  server = createServer((_req, res) => {
    closeAfterAnswer(res, patience);
    res.end('early');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = rawConnection(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  // It goes on after the server's end.
  client.socket.allowHalfOpen = true;
});
afterEach(() => {
  client.socket.destroy();
  server.close();
});

const upload = (length: number): string => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;

test('whoever neither sends the rest nor leaves is cut in time', async () => {
  patience = HASTY;
  client.write(upload(10));
  await client.hears(/\r\nConnection: close\r\n(.*\r\n)*\r\nearly$/);
  // Not before this one is gone.
  server.close();
  await once(server, 'close');
});

test('whoever sends on and on is cut after so many bytes', async () => {
  patience = PATIENT;
  client.write(upload(1_000_000_000));
  await client.hears(/early$/);
  for (let sent = 0; sent < 100 && !client.socket.destroyed; sent += 1) await new Promise((resolve) => client.socket.write(Buffer.alloc(1_000_000), resolve));
  expect(client.socket.destroyed).toBe(true);
});

test('a connection on which the whole upload came ends with the answer', async () => {
  patience = PATIENT;
  server.removeAllListeners('request').on('request', (req, res) => {
    closeAfterAnswer(res, patience);
    req.resume().on('end', () => res.end('late'));
  });
  client.write(`${upload(2)}ok`);
  await client.hears(/late$/);
  server.close();
  await once(server, 'close');
});
