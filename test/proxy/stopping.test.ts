import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { eventually } from '../support/eventually.ts';
import { send } from './support/browser.ts';
import { rawConnection, type RawConnection } from './support/raw.ts';
import { startStand, type Replica, type Stand } from './support/stand.ts';

/** What SIGTERM does: `stop()` is all that it calls. */
let stand: Stand;
const open: RawConnection[] = [];
afterEach(async () => {
  for (const connection of open.splice(0)) connection.socket.destroy();
  await stand.stop();
});

/** The stand stays for its cleaning up; its replica is the one that stops. */
async function startLeaving(env: Record<string, string> = {}): Promise<{ leaving: Replica; cookie: string; operator: string; held: ServerResponse[] }> {
  stand = await startStand();
  const cookie = `vestibule_dev=${(await stand.signedIn()).cookies.get('vestibule_dev')}`;
  const leaving = await stand.replica({ PROXY_METRICS_PORT: '0', STOP_DELAY_SECONDS: '1', ...env });
  const held: ServerResponse[] = [];
  stand.app.answer = (req, res) => {
    if (req.url !== '/slow') return void res.end('quick');
    held.push(res);
  };
  return { leaving, cookie, operator: `http://127.0.0.1:${leaving.proxy.metricsPort}`, held };
}

function dial(url: string): RawConnection {
  const connection = rawConnection(url);
  open.push(connection);
  return connection;
}

const request = (path: string, cookie: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nCookie: ${cookie}\r\n\r\n`;
const readiness = async (operator: string): Promise<[number, unknown]> => {
  const reply = await send(operator, {}, '/readyz');
  return [reply.status, reply.json()['status']];
};

describe('a proxy that is told to stop', () => {
  test('says so first, still takes requests for a while, and ends each connection with its answer', async () => {
    const { leaving, cookie, operator } = await startLeaving();
    const resting = dial(leaving.url);
    resting.write(request('/', cookie));
    expect(await resting.hears(/quick$/)).toContain('Connection: keep-alive');
    expect((await readiness(operator))[0]).toBe(200);
    const stopped = leaving.proxy.stop();
    expect(await readiness(operator)).toEqual([503, 'stopping']);
    resting.write(request('/', cookie));
    const late = dial(leaving.url);
    late.write(request('/', cookie));
    for (const connection of [resting, late]) expect(await connection.toItsEnd()).toMatch(/Connection: close\r\n(.*\r\n)*\r\nquick$/);
    await stopped;
    await expect(send(leaving.url, {}, '/')).rejects.toThrow('ECONNREFUSED');
  });

  test('cuts no request off: neither one that waits for a slow app nor one whose answer is under way', async () => {
    const { leaving, cookie, held } = await startLeaving({ STOP_DELAY_SECONDS: '0' });
    const [waiting, reading] = [dial(leaving.url), dial(leaving.url)];
    waiting.write(request('/slow', cookie));
    reading.write(request('/slow', cookie));
    await eventually(() => held.length === 2, 5_000);
    held[1]?.write('first, ');
    await eventually(() => [waiting, reading].some((one) => one.heard().includes('first, ')), 5_000);
    const stopped = leaving.proxy.stop();
    await expect(eventually(() => send(leaving.url, {}, '/').then(() => false, () => true), 5_000)).resolves.toBe(true);
    for (const res of held) res.end('the end');
    for (const connection of [waiting, reading]) expect(await connection.toItsEnd()).toContain('the end');
    await stopped;
  });

  test('waits no longer than it may', async () => {
    const { leaving, cookie, held } = await startLeaving({ STOP_DELAY_SECONDS: '0', STOP_LIMIT_SECONDS: '1' });
    const endless = dial(leaving.url);
    endless.write(request('/slow', cookie));
    await eventually(() => held.length === 1, 5_000);
    await leaving.proxy.stop();
    expect(await endless.toItsEnd()).toBe('');
  });

  test('answers a connection that rested at the moment of stopping, or had closed it', async () => {
    const { leaving, cookie } = await startLeaving({ STOP_DELAY_SECONDS: '0' });
    const resting = dial(leaving.url);
    resting.write(request('/', cookie));
    await resting.hears(/quick$/);
    const [heard] = await Promise.all([resting.toItsEnd(), leaving.proxy.stop()]);
    expect(heard.match(/quick/g)).toHaveLength(1);
  });

  test('keeps web-sockets until it no longer takes connections', async () => {
    const { leaving, cookie, operator } = await startLeaving();
    stand.app.answer = (_req, res) => void res.end();
    const stopped = leaving.proxy.stop();
    expect(await readiness(operator)).toEqual([503, 'stopping']);
    const socket = new WebSocket(`${leaving.url.replace('http', 'ws')}/chat`, { origin: stand.url, headers: { cookie } });
    socket.on('error', () => undefined);
    // The app here takes none: that it was asked is what counts.
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number; resume(): void }];
    response.resume();
    expect(response.statusCode).toBe(502);
    await stopped;
  });
});

const upgrade = (path: string, origin: string, cookie = ''): string => `GET ${path} HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\nCookie: ${cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`;

describe('a proxy that is told to stop while somebody keeps their end open', () => {
  test('waits for no upgrade that it refused', async () => {
    const { leaving } = await startLeaving({ STOP_DELAY_SECONDS: '0' });
    const refused = dial(leaving.url);
    refused.socket.allowHalfOpen = true;
    refused.write(upgrade('/', 'https://evil.example'));
    await refused.hears(/^HTTP\/1\.1 403 /);
    let isStopped = false;
    void leaving.proxy.stop().then(() => (isStopped = true));
    await eventually(() => isStopped, 5_000);
  });

  test('waits no longer than it may for an upgrade that the app does not answer', async () => {
    const { leaving, cookie } = await startLeaving({ STOP_DELAY_SECONDS: '0', STOP_LIMIT_SECONDS: '1' });
    const isAsked = new Promise((resolve) => (stand.app.answer = resolve));
    const waiting = dial(leaving.url);
    waiting.socket.allowHalfOpen = true;
    waiting.write(upgrade('/', stand.url, cookie));
    await isAsked;
    await leaving.proxy.stop();
    expect(waiting.heard()).toBe('');
  });
});

describe('health', () => {
  test('and metrics are answered at a port of their own, and at the public one no longer', async () => {
    const { leaving, operator } = await startLeaving({ STOP_DELAY_SECONDS: '0' });
    expect((await send(operator, {}, '/livez')).json()).toEqual({ status: 'alive' });
    expect(await send(operator, {}, '/readyz')).toMatchObject({ status: 200 });
    expect((await send(operator, {}, '/readyz')).json()).toMatchObject({ dependencies: { postgres: { state: 'up', required: true } } });
    expect((await send(operator, {}, '/metrics')).body).toContain('vestibule_proxy_http_requests_total');
    const headers = { accept: 'application/json' };
    for (const path of ['/livez', '/readyz']) expect([path, (await send(leaving.url, { headers }, path)).status]).toEqual([path, 404]);
    expect((await send(leaving.url, { headers }, '/metrics')).status).toBe(401);
    for (const [path, method, status] of [['/', 'GET', 404], ['/api/session', 'GET', 404], ['/readyz', 'POST', 405]] as const) expect([path, (await send(operator, { method }, path)).status]).toEqual([path, status]);
    await leaving.proxy.stop();
  });
});
