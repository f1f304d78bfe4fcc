import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually } from '../support/eventually.ts';
import { send, type Browser } from './support/browser.ts';
import { rawConnection } from './support/raw.ts';
import { CLIENT } from './support/provider.ts';
import { startStand, type Replica, type Stand } from './support/stand.ts';

const ADA = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada Lovelace' };
const HOLDS_WITHIN_MS = 1_000;

/** An app that answers web-sockets: what it is sent, it sends back. */
async function startEcho() {
  const http = createServer((_req, res) => res.writeHead(404).end());
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => (offered.has('chat.v2') ? 'chat.v2' : false) });
  const opened: { req: IncomingMessage; socket: WebSocket; closed: Promise<number> }[] = [];
  const held: { release: () => void; closed: Promise<unknown> }[] = [];
  http.on('upgrade', (req, socket, head) => {
    if (req.url?.startsWith('/none')) return void socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    const take = () =>
      sockets.handleUpgrade(req, socket, head, (accepted) => {
        opened.push({ req, socket: accepted, closed: once(accepted, 'close').then(([code]) => code as number) });
        accepted.send('hello');
        accepted.on('message', (data, binary) => accepted.send(data, { binary }));
      });
    if (!req.url?.startsWith('/held')) return take();
    // Nobody else reads it meanwhile.
    socket.on('error', () => undefined).on('end', () => socket.end()).resume();
    held.push({ release: take, closed: once(socket, 'close') });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    opened,
    held,
    last: () => opened.at(-1)!,
    stop: async () => {
      for (const client of sockets.clients) client.terminate();
      http.closeAllConnections();
      http.close();
      await once(http, 'close');
    },
  };
}

let echo: Awaited<ReturnType<typeof startEcho>>;
let stand: Stand;
let other: Replica;
beforeAll(async () => {
  echo = await startEcho();
  stand = await startStand({ env: { APP_INTERNAL_URL: echo.url } });
  other = await stand.replica();
});
afterAll(async () => {
  await other.proxy.stop();
  await stand.stop();
  await echo.stop();
});
afterEach(() => {
  stand.provider.person = ADA;
  stand.clock.setOffset(0);
});

const cookieOf = (browser: Browser) => [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');

interface Opened {
  socket: WebSocket;
  first: string;
  /** The code with which it was closed. */
  closed: Promise<number>;
}

function dial(browser: Browser | undefined, { at = stand.url, path = '/chat', origin = stand.url, protocols = [] as string[], headers = {} } = {}): WebSocket {
  return new WebSocket(at.replace('http', 'ws') + path, protocols, { ...(origin && { origin }), headers: { ...(browser && { cookie: cookieOf(browser) }), ...headers } });
}

async function open(browser: Browser, options: Parameters<typeof dial>[1] = {}): Promise<Opened> {
  const socket = dial(browser, options);
  const closed = once(socket, 'close').then(([code]) => code as number);
  const [message] = (await once(socket, 'message')) as [Buffer];
  return { socket, first: message.toString(), closed };
}

/** The status of an upgrade that is refused. */
async function refusal(socket: WebSocket): Promise<number> {
  socket.on('error', () => {});
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  response.resume();
  return response.statusCode ?? 0;
}

function handshake(browser: Browser, path = '/chat'): string {
  return `GET ${path} HTTP/1.1\r\nHost: x\r\nOrigin: ${stand.url}\r\nCookie: ${cookieOf(browser)}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`;
}

/** How many the proxy says that it has opened. */
const opened = (): number => stand.log().split('web-socket opened').length - 1;

describe('a web-socket of somebody who is signed in', () => {
  test('is joined to the app, which hears who it is', async () => {
    const { socket, first } = await open(await stand.signedIn(), { headers: { 'x-user': 'forged' } });
    expect(first).toBe('hello');
    const { headers } = echo.last().req;
    expect([headers['x-user'], headers['x-user-email'], headers.cookie]).toEqual(['user-ada', 'ada@example.com', undefined]);
    socket.close();
  });

  test('passes text and bytes on as they are, both ways', async () => {
    const { socket } = await open(await stand.signedIn());
    for (const [data, binary] of [['Zoë', false], [Buffer.from([0, 255, 10]), true], ['x'.repeat(300_000), false]] as const) {
      socket.send(data);
      const [back, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
      expect([back.equals(Buffer.from(data)), isBinary]).toEqual([true, binary]);
    }
    socket.close();
  });

  test('speaks the sub-protocol that the app chose', async () => {
    const { socket } = await open(await stand.signedIn(), { protocols: ['chat.v1', 'chat.v2'] });
    expect(socket.protocol).toBe('chat.v2');
    socket.close();
  });

  test.each([1000, 4999])('that the browser closes with %i is closed so at the app', async (code) => {
    const { socket } = await open(await stand.signedIn());
    socket.close(code);
    expect(await echo.last().closed).toBe(code);
  });

  test('that the app closes is closed so in the browser', async () => {
    const { closed } = await open(await stand.signedIn());
    echo.last().socket.close(4321, 'enough');
    expect(await closed).toBe(4321);
  });

  test('that breaks off at the app ends in the browser', async () => {
    const { closed } = await open(await stand.signedIn());
    echo.last().socket.terminate();
    await closed;
  });
});

describe('is refused', () => {
  test.each<[string, () => Promise<WebSocket>, number]>([
    ['nobody', async () => dial(undefined), 401],
    ["another page's Origin (SECURITY 24)", async () => dial(await stand.signedIn(), { origin: 'https://evil.example' }), 403],
    ['our host on another port (SECURITY 24)', async () => dial(await stand.signedIn(), { origin: 'http://127.0.0.1:1' }), 403],
    ['Origin null (SECURITY 24)', async () => dial(await stand.signedIn(), { origin: 'null' }), 403],
    ['no Origin (SECURITY 24)', async () => dial(await stand.signedIn(), { origin: '' }), 403],
    ['a path of the proxy', async () => dial(await stand.signedIn(), { path: '/api/session' }), 404],
    ['an ambiguous path (SECURITY 20)', async () => dial(await stand.signedIn(), { path: '/a%2fb' }), 400],
    ['what the app does not take', async () => dial(await stand.signedIn(), { path: '/none' }), 502],
  ])('%s', async (_rule, dialled, status) => {
    expect(await refusal(await dialled())).toBe(status);
  });

  test('what the app does not answer in the time of its rule', async () => {
    const hasty = await stand.replica({ APP_ANSWER_SECONDS: '0.5' });
    expect(await refusal(dial(await stand.signedIn(), { at: hasty.url, path: '/held' }))).toBe(504);
    await echo.held.pop()?.closed;
    await hasty.proxy.stop();
  });

  test.each<[string, (asked: string) => string]>([
    ['another version', (asked) => asked.replace('Version: 13', 'Version: 12')],
    ['no version', (asked) => asked.replace(/Sec-WebSocket-Version: .*\r\n/, '')],
    ['a bad key', (asked) => asked.replace(/Key: .*/, 'Key: short')],
    ['no key', (asked) => asked.replace(/Sec-WebSocket-Key: .*\r\n/, '')],
    ['POST', (asked) => asked.replace('GET', 'POST')],
  ])('a handshake with %s: the app is not asked', async (_what, spoilt) => {
    const before = [echo.opened.length, opened()];
    const client = rawConnection(stand.url);
    client.write(spoilt(handshake(await stand.signedIn())));
    expect(await client.toItsEnd()).toMatch(/^HTTP\/1\.1 400 (.*\r\n)*Sec-WebSocket-Version: 13\r\n/);
    expect([echo.opened.length, opened()]).toEqual(before);
  });

  test('whoever has sent the end before the app answers: nothing stays open at the app', async () => {
    const before = opened();
    const client = rawConnection(stand.url);
    client.socket.end(handshake(await stand.signedIn(), '/held'));
    const held = await eventually(() => echo.held.pop());
    held.release();
    await held.closed;
    expect(opened()).toBe(before);
  });

  test('an upgrade to something else is an ordinary request', async () => {
    const browser = await stand.signedIn();
    expect((await browser.send('/', { headers: { connection: 'Upgrade', upgrade: 'h2c' } })).status).toBe(404);
  });
});

describe('an open one is closed', () => {
  test('with 4401 by a logout, on the other replica too', async () => {
    const browser = await stand.signedIn();
    const here = await open(browser);
    const there = await open(browser, { at: other.url });
    await browser.post('/api/logout', {});
    expect(await here.closed).toBe(4401);
    expect(await there.closed).toBe(4401);
    expect(await echo.last().closed).toBe(1001);
  });

  test('with 4401 by a back-channel logout, within a second', async () => {
    const { socket, closed } = await open(await stand.signedIn());
    await stand.browser().send('/api/logout/back-channel', { method: 'POST', form: { logout_token: await stand.provider.logoutToken() } });
    await eventually(() => socket.readyState === socket.CLOSED, HOLDS_WITHIN_MS);
    expect(await closed).toBe(4401);
  });

  test('with 4403 at the end of the trial', async () => {
    const until = Math.floor(Date.now() / 1000) + 3;
    stand.provider.person = { ...ADA, trial: { app: 'app-1', endsAt: until, accessUntil: until } };
    const { closed } = await open(await stand.signedIn());
    expect(await closed).toBe(4403);
    expect(Date.now()).toBeGreaterThanOrEqual(until * 1000);
  });

  test.each([
    ['here', () => stand.url],
    ['at the other replica', () => other.url],
  ])('with 4403, within a second, when the bridge ends the trial: %s', async (_where, at) => {
    const until = Math.floor(Date.now() / 1000) + 3_600;
    stand.provider.person = { sub: `user-${randomUUID()}`, email: 'bob@example.com', name: 'Bob', trial: { app: 'app-1', endsAt: until, accessUntil: until } };
    const { socket, closed } = await open(await stand.signedIn(), { at: at() });
    stand.bridge.feed.tell({ user_id: stand.provider.person.sub, trial_access_until: Math.floor(Date.now() / 1000) });
    await eventually(() => socket.readyState === socket.CLOSED, HOLDS_WITHIN_MS);
    expect(await closed).toBe(4403);
  });

  test('with 4403 when a right was taken that its path asks for', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rights-'));
    const strict = await startStand({
      sites: (url, provider) => {
        writeFileSync(join(folder, 'sites.yaml'), `sites: [{ public_url: '${url}', issuer: '${provider.issuer}', client_id: ${CLIENT.id}, client_secret_variable: A_SECRET, upstreams: [{ to: '${echo.url}' }, { path: /staff-chat, to: '${echo.url}', allow: { roles: [staff] } }] }]`);
        return join(folder, 'sites.yaml');
      },
      env: { A_SECRET: CLIENT.secret },
    });
    strict.provider.person = { ...ADA, roles: ['staff'] };
    // Refreshed by the first request after 15 s.
    strict.provider.misbehave = { expiresIn: 31 };
    const browser = await strict.signedIn();
    const [allowed, plain] = [await open(browser, { at: strict.url, origin: strict.url, path: '/staff-chat' }), await open(browser, { at: strict.url, origin: strict.url })];
    strict.provider.person = { ...ADA, roles: [] };
    strict.provider.misbehave = {};
    strict.clock.setOffset(16);
    await eventually(async () => {
      await browser.get('/');
      return allowed.socket.readyState === allowed.socket.CLOSED;
    });
    expect(await allowed.closed).toBe(4403);
    expect(plain.socket.readyState).toBe(plain.socket.OPEN);
    plain.socket.close();
    await strict.stop();
    rmSync(folder, { recursive: true });
  });

  test('with 1001 when the proxy stops, so that the browser dials again', async () => {
    const leaving = await stand.replica();
    const { closed } = await open(await stand.signedIn(), { at: leaving.url });
    await leaving.proxy.stop();
    expect(await closed).toBe(1001);
  });

  test('before it is open when the proxy stops meanwhile, so that nothing is left behind', async () => {
    const leaving = await stand.replica();
    const refused = refusal(dial(await stand.signedIn(), { at: leaving.url, path: '/held' }));
    const held = await eventually(() => echo.held.pop());
    const stopped = leaving.proxy.stop();
    await eventually(() => send(leaving.url).then(() => false, () => true));
    held.release();
    expect(await refused).toBe(503);
    await Promise.all([held.closed, stopped]);
  });
});
