import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import express from 'express';
import type { Browser } from './support/browser.ts';
import type { Received } from './support/servers.ts';
import { startStand, type Stand } from './support/stand.ts';

// What this proves: the proxy's listener may stand in an Express app, behind a router and a middleware, and no byte of a request or an
// answer changes by that. It compares no second way to the app: there is one (upstream/upstream.ts), which frames go as well (embed.test.ts).

const MIB = 1024 * 1024;
const XHR = { accept: 'application/json', 'sec-fetch-mode': 'cors' };
const PAGE = { accept: 'text/html', 'sec-fetch-mode': 'navigate' };

interface Asked {
  method?: string;
  path?: string;
  headers?: Record<string, string | string[]>;
  /** One piece has a Content-Length, several are sent chunked. */
  body?: readonly Buffer[];
  anonymous?: boolean;
}

interface Outcome {
  status: number;
  reason: string;
  /** As they came, but for the date. */
  headers: string[];
  body: { bytes: number; sha256: string; text: string };
  brokenOff: boolean;
  appGot: (Omit<Received, 'headers' | 'body'> & { bodySha256: string }) | undefined;
}

let stand: Stand;
let throughExpress: Server;
let browser: Browser;
let plainAnswer: Stand['app']['answer'];

beforeAll(async () => {
  stand = await startStand();
  browser = await stand.signedIn();
  plainAnswer = stand.app.answer;
  throughExpress = await inExpress(stand);
});
afterAll(async () => {
  throughExpress.close();
  await stand.stop();
});
beforeEach(() => {
  stand.app.answer = plainAnswer;
});

/** The same listener as a handler of an Express app, after a router and a middleware. */
async function inExpress({ proxy }: Pick<Stand, 'proxy'>): Promise<Server> {
  const app = express();
  app.disable('x-powered-by');
  app.use((_req, _res, next) => next());
  app.use(express.Router().use((req, res) => proxy.listener(req, res)));
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function bothWays(asked: Asked, at = stand, other = throughExpress): Promise<Outcome> {
  const fast = await outcomeOf(asked, at, new URL(at.url).port);
  const express = await outcomeOf(asked, at, (other.address() as AddressInfo).port);
  expect(express).toEqual(fast);
  return fast;
}

async function outcomeOf({ method = 'GET', path = '/', headers = {}, body = [], anonymous = false }: Asked, at: Stand, port: string | number): Promise<Outcome> {
  const before = at.app.received.length;
  const [only] = body;
  const outgoing = httpRequest({
    host: '127.0.0.1',
    port,
    path,
    method,
    agent: false,
    headers: {
      host: 'both.example',
      'x-request-id': 'both-ways',
      ...(!anonymous && { cookie: `vestibule_dev=${browser.cookies.get('vestibule_dev')}` }),
      ...(body.length === 1 && only && { 'content-length': String(only.length) }),
      ...(body.length > 1 && { 'transfer-encoding': 'chunked' }),
      ...headers,
    },
  });
  const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
  for (const piece of body) outgoing.write(piece);
  outgoing.end();
  const [incoming] = await answered;
  const pieces: Buffer[] = [];
  let brokenOff = false;
  try {
    for await (const piece of incoming) pieces.push(piece as Buffer);
  } catch {
    brokenOff = true;
  }
  const whole = Buffer.concat(pieces);
  const got = at.app.received.length > before ? at.app.last() : undefined;
  return {
    status: incoming.statusCode ?? 0,
    reason: incoming.statusMessage ?? '',
    headers: pairs(incoming.rawHeaders).filter((pair) => !pair.startsWith('Date:')),
    body: { bytes: whole.length, sha256: sha256(whole), text: whole.length < 10_000 ? whole.toString() : '' },
    brokenOff,
    appGot: got && { method: got.method, url: got.url, rawHeaders: pairs(got.rawHeaders), bodySha256: sha256(Buffer.from(got.body)) },
  };
}

function pairs(raw: readonly string[]): string[] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${raw[at + 1]}`] : []));
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY'])('%s', (method) => {
  test.each<[string, Buffer[]]>([
    ['no body', []],
    ['an empty body', [Buffer.alloc(0)]],
    ['a byte', [Buffer.from('x')]],
    ['64 KiB and a byte', [Buffer.alloc(65_537, 'a')]],
    ['5 MiB', [Buffer.alloc(5 * MIB, 'b')]],
    ['pieces of no told length', [Buffer.from('one'), Buffer.alloc(100_000, 'c'), Buffer.from('three')]],
  ])('with %s', async (_what, body) => {
    const { status, appGot } = await bothWays({ method, path: '/a/b?c=%20&d', body });
    expect([status, appGot?.method, appGot?.url, appGot?.bodySha256]).toEqual([200, method, '/a/b?c=%20&d', sha256(Buffer.concat(body))]);
  });
});

describe('what the app gets', () => {
  test('names as they were written, repeated headers each', async () => {
    const { appGot } = await bothWays({ headers: { 'X-CamelCase': 'Yes', 'x-twice': ['1', '2'], 'ACCEPT-language': 'fr', 'User-Agent': 'Both/1.0', Cookie: ['app=1', `vestibule_dev=${browser.cookies.get('vestibule_dev')}`], 'X-User': 'admin', x_user: 'admin' } });
    expect(appGot?.rawHeaders).toEqual(expect.arrayContaining(['X-CamelCase: Yes', 'x-twice: 1', 'x-twice: 2', 'ACCEPT-language: fr', 'User-Agent: Both/1.0', 'Cookie: app=1', 'X-User: user-ada']));
    expect(appGot?.rawHeaders.filter((pair) => pair.includes('admin'))).toEqual([]);
  });

  test.each(['/', '/caf%C3%A9/a%20b;v=1?q=%zz&r=//x/../y', '/~a/(b)/@c?', '/?', '/trials', '/apiary/x'])('the bytes of %s', async (path) => {
    expect((await bothWays({ path })).appGot?.url).toBe(path);
  });
});

describe('what the app answers', () => {
  const answers: [string, (req: IncomingMessage, res: ServerResponse) => void, Partial<Outcome>][] = [
    ['with its own case, reason and repeated headers', (_req, res) => void res.writeHead(203, 'Its own words', ['X-CamelCase', 'Yes', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Link', '</a>', 'Link', '</b>', 'x-request-id', 'not mine', 'Content-Length', '2']).end('ok'), { status: 203, reason: 'Its own words', headers: expect.arrayContaining(['X-CamelCase: Yes', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'Link: </a>', 'Link: </b>', 'X-Request-Id: both-ways']) as unknown as string[] }],
    ['with our cookie beside its own', (_req, res) => void res.writeHead(200, ['Set-Cookie', 'vestibule_dev=evil', 'Set-Cookie', 'a=1', 'Content-Length', '0']).end(), { status: 200 }],
    ['in pieces of no told length', (_req, res) => { res.writeHead(200).write('one '); res.write('two '); res.end('three'); }, { status: 200 }],
    ['with 8 MiB', (_req, res) => void res.writeHead(200, { 'content-length': String(8 * MIB) }).end(Buffer.alloc(8 * MIB, 'z')), { status: 200 }],
    ['what ends in the middle', (_req, res) => { res.writeHead(200, { 'content-length': '100' }).write('half'); res.socket?.destroySoon(); }, { status: 200, brokenOff: true }],
    ['what ends in the middle of a chunk', (_req, res) => { res.writeHead(200).write('half'); res.socket?.destroySoon(); }, { status: 200, brokenOff: true }],
    ['nothing: it hangs up', (_req, res) => void res.socket?.destroy(), { status: 502 }],
    ['something that is no HTTP', (_req, res) => void res.socket?.end('SSH-2.0-OpenSSH\r\n\r\n'), { status: 502 }],
    ...[200, 201, 204, 205, 206, 301, 302, 304, 400, 401, 403, 404, 409, 418, 429, 500, 502, 503, 504].map((status): (typeof answers)[number] => [
      `with ${status}`,
      (_req, res) => void res.writeHead(status, { 'x-app': 'yes', 'www-authenticate': 'Basic realm="app"', location: '/elsewhere', 'retry-after': '7' }).end(status === 204 || status === 304 ? '' : `the app says ${status}`),
      { status },
    ]),
  ];

  test.each(answers)('%s', async (_what, answer, expected) => {
    stand.app.answer = answer;
    expect(await bothWays({ headers: XHR })).toMatchObject(expected);
  });

  test.each(answers.filter(([what]) => !what.includes('middle')))('%s: to HEAD', async (_what, answer, expected) => {
    stand.app.answer = answer;
    const { status, body } = await bothWays({ method: 'HEAD', headers: XHR });
    expect([status, body.bytes]).toEqual([expected.status, 0]);
  });
});

describe('what does not reach the app', () => {
  test.each<[string, Asked, number]>([
    ['a page, and nobody is signed in', { anonymous: true, headers: PAGE, path: '/reports?a=1' }, 302],
    ['a fetch, and nobody is signed in', { anonymous: true, headers: XHR, path: '/reports?a=1' }, 401],
    ['a form, and nobody is signed in', { anonymous: true, method: 'POST', headers: PAGE, body: [Buffer.from('a=1')] }, 401],
    ['an ambiguous address, as a page', { path: '/a%2fb', headers: PAGE }, 400],
    ['an ambiguous address, for a program', { path: '/a/../b', headers: XHR }, 400],
    ['a reserved path', { path: '/staff/x', headers: XHR }, 404],
    ['a page of our own', { path: '/trial', headers: PAGE }, 200],
  ])('%s', async (_what, asked, status) => {
    const outcome = await bothWays(asked);
    expect([outcome.status, outcome.appGot]).toEqual([status, undefined]);
  });

  test.each<[string, Asked]>([
    ['a page', { headers: PAGE }],
    ['a fetch', { headers: XHR }],
    ['an upload', { method: 'POST', headers: XHR, body: [Buffer.alloc(100_000, 'u')] }],
  ])('the app is away: %s', async (_what, asked) => {
    const lost = await startStand({ env: { APP_INTERNAL_URL: 'http://127.0.0.1:9' } });
    const person = browser;
    browser = await lost.signedIn();
    const other = await inExpress(lost);
    const outcome = await bothWays(asked, lost, other);
    browser = person;
    other.close();
    await lost.stop();
    expect([outcome.status, outcome.headers.some((pair) => pair === 'X-Request-Id: both-ways')]).toEqual([502, true]);
  });
});
