import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sampleApp } from '../../dev/app/app.ts';

const ADA = { 'X-User': 'u-1', 'X-User-Email': 'ada@example.com', 'X-User-Name': 'Ada <Lovelace>', 'X-User-Roles': 'trial-user', 'X-Trial-App': 'app-1', 'X-Trial-Ends-At': '4102444800' };

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

let server: Server;
let origin: string;

beforeAll(async () => {
  server = sampleApp({ webhookSecret: SECRET }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function get(path: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> {
  const response = await fetch(origin + path, { headers });
  return { status: response.status, text: await response.text() };
}

test('the start page says who you are and leads to your small app', async () => {
  const { status, text } = await get('/', ADA);
  expect(status).toBe(200);
  expect(text).toContain('Hello, Ada &lt;Lovelace&gt;');
  expect(text).toContain('ada@example.com');
  expect(text).toContain('href="/apps/app-1"');
  expect(text).toContain('until January 1, 2100');
});

test('a name outside of ASCII is read as the proxy sends it', async () => {
  const name = Buffer.from('Zoë Šimůnková', 'utf8').toString('latin1');
  expect((await get('/', { ...ADA, 'X-User-Name': name })).text).toContain('Hello, Zoë Šimůnková');
});

test('your small app opens', async () => {
  const { status, text } = await get('/apps/app-1', ADA);
  expect([status, text.includes('This is your small app')]).toEqual([200, true]);
});

test.each([
  ['another’s small app', ADA],
  ['a small app, without one of one’s own', { 'X-User': 'u-2' }],
])('%s is refused', async (_, headers) => {
  expect((await get('/apps/app-2', headers)).status).toBe(403);
});

test.each(['/', '/apps/app-1', '/whoami'])('%s without identity headers is refused', async (path) => {
  expect((await get(path, { 'X-Trial-App': 'app-1' })).status).toBe(401);
});

test('the contact page is open to all', async () => {
  expect((await get('/contact')).status).toBe(200);
});
