import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { startApp } from './support/servers.ts';
import { eventually } from '../support/eventually.ts';
import { send, type Browser } from './support/browser.ts';
import { startStand, type Stand } from './support/stand.ts';

const PERSON = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada Zoë\r\nX-Evil: 1', roles: ['trial-user', 'staff', 'a,b'], trial: { app: 'app-1', endsAt: 4_000_000_000, accessUntil: 4_000_000_100 } };

let stand: Stand;
let browser: Browser;
let plainAnswer: Stand['app']['answer'];
beforeAll(async () => {
  stand = await startStand();
  stand.provider.person = PERSON;
  browser = await stand.signedIn();
  plainAnswer = stand.app.answer;
});
afterAll(() => stand.stop());
afterEach(() => {
  stand.app.answer = plainAnswer;
});

const XHR = { accept: 'application/json', 'sec-fetch-mode': 'cors' };
const cookieHeader = () => `vestibule_dev=${browser.cookies.get('vestibule_dev')}`;

/** What the app got for a request with these raw header lines. */
async function appSees(lines: string[], path = '/'): Promise<Record<string, string | string[] | undefined>> {
  const before = stand.app.received.length;
  const { hostname, port } = new URL(stand.url);
  const socket = connect(Number(port), hostname);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: evil.example\r\nCookie: other=1; ${cookieHeader()}; vestibule_dev_lang=fr\r\nConnection: close\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`);
  socket.resume();
  await once(socket, 'close');
  expect(stand.app.received).toHaveLength(before + 1);
  return stand.app.last().headers;
}

describe('nobody signed in', () => {
  test('a browser is sent to sign in and back', async () => {
    const reply = await stand.browser().get('/reports?a=1&b=2');
    expect([reply.status, reply.location]).toEqual([302, '/api/login?next_page=%2Freports%3Fa%3D1%26b%3D2']);
  });

  test.each([
    ['fetch', { ...XHR }],
    ['a script that takes anything', { accept: '*/*' }],
    ['a fetch that takes HTML', { accept: 'text/html', 'sec-fetch-mode': 'cors' }],
    ['an XMLHttpRequest', { accept: 'text/html', 'x-requested-with': 'XMLHttpRequest' }],
    ['nothing said', {}],
  ])('%s gets 401 with the login address, never a redirect', async (_name, headers) => {
    const reply = await send(stand.url, { headers }, '/reports');
    expect(reply.status).toBe(401);
    expect(reply.headers.get('content-type')).toContain('application/problem+json');
    expect(reply.headers.get('cache-control')).toBe('no-store');
    expect(reply.json()).toMatchObject({ status: 401, code: 'unauthorized', login_url: `${stand.url}/api/login?next_page=%2Freports`, request_id: reply.headers.get('x-request-id') });
  });

  test('a form that was sent too late gets a page, not a redirect that loses it', async () => {
    const reply = await stand.browser().post('/orders', { a: '1' });
    expect([reply.status, reply.location]).toEqual([401, undefined]);
    expect(reply.body).toContain('You were signed out meanwhile');
  });

  test('nothing reaches the app', async () => {
    const before = stand.app.received.length;
    await send(stand.url, { headers: { cookie: 'vestibule_dev=made-up', 'x-user': 'admin' } }, '/');
    expect(stand.app.received).toHaveLength(before);
  });
});

describe('reserved paths are never passed on', () => {
  test.each(['/api/x', '/api/trial/verify', '/api/trial/creation', '/api/trial/infos', '/api/trial/not-me', '/API/x', '/%61pi/x', '/trial/x', '/embed/x', '/staff', '/remote-billing-login/x', '/realm/x', '/server/x', '/serverlogin/', '/api'])(
    '%s answers 404 here',
    async (path) => {
      const [app, bridge] = [stand.app.received.length, stand.bridge.received.length];
      expect((await browser.get(path)).status).toBe(404);
      expect([stand.app.received.length, stand.bridge.received.length]).toEqual([app, bridge]);
    },
  );

  test.each(['//evil.example/', '/a/../api/login', '/%2e%2e/x', '/api%2flogin', '/a\\b', '/a//b', '/a%00b'])('%s answers 400, as a page and as problem+json (SECURITY 20)', async (path) => {
    const page = await browser.get(path);
    const problem = await browser.send(path, { headers: XHR });
    expect([page.status, problem.status, problem.json()['code']]).toEqual([400, 400, 'invalid_request']);
    expect(page.body).toContain('This address can’t be opened');
    expect(page.body).toContain(String(page.headers.get('x-request-id')));
  });
});

describe('what the app hears', () => {
  test('who it is, and its small app', async () => {
    const headers = await appSees([]);
    expect(headers).toMatchObject({
      'x-user': 'user-ada',
      'x-user-email': 'ada@example.com',
      'x-user-roles': 'trial-user,staff',
      'x-trial-app': 'app-1',
      'x-trial-state': 'active',
      'x-trial-ends-at': '4000000000',
      'x-forwarded-host': new URL(stand.url).host,
      'x-forwarded-proto': 'http',
      'x-forwarded-for': '127.0.0.1',
    });
    expect(Buffer.from(String(headers['x-user-name']), 'latin1').toString('utf8')).toBe('Ada Zoë  X-Evil: 1');
    expect(headers['x-evil']).toBeUndefined();
  });

  test.each([
    'X-User: admin', 'x-user: admin', 'X_User: admin', 'X.User: admin', 'X-USER-EMAIL: admin@x', 'X_User_Email: admin@x', 'X-User-Roles: admin', 'X-User-Groups: admin', 'X-Trial-App: other', 'X_TRIAL_APP: other', 'X-Trial-State: active',
    'X-Trial-State: active', 'X-Forwarded-User: admin', 'X-Forwarded-Email: a@x', 'X-Forwarded-Host: evil.example', 'X-Forwarded-For: 1.1.1.1', 'X_Forwarded_For: 1.1.1.1', 'X-Forwarded-Proto: https', 'X-Forwarded-Prefix: /x',
    'Forwarded: for=1.1.1.1;host=evil.example', 'X-Real-IP: 1.1.1.1', 'X-Auth-Request-User: admin', 'Remote-User: admin', 'REMOTE_USER: admin', 'X-Remote-User: admin', 'X-Original-URL: /admin', 'X-Rewrite-URL: /admin',
    'X-Client-IP: 1.1.1.1', 'True-Client-IP: 1.1.1.1', 'Proxy: http://evil.example', 'Via: 1.1 evil.example', 'X-Vestibule-Anything: x',
    'X-WebAuth-User: admin', 'X_WebAuth_Role: admin', 'X-Auth-User: admin', 'X-Authenticated-User: admin', 'X-Authenticated-Groups: admin', 'X-Authentik-Username: admin', 'X-Pomerium-Jwt-Assertion: x', 'X-Goog-Authenticated-User-Email: a@x', 'X-Goog-Iap-Jwt-Assertion: x', 'X-Amzn-Oidc-Identity: admin',
    'X-Ms-Client-Principal: x', 'X-MS-CLIENT-PRINCIPAL-NAME: admin', 'CF-Connecting-IP: 1.1.1.1', 'CF-Connecting-IPv6: ::1', 'Cf-Access-Jwt-Assertion: x', 'Cf_Access_Authenticated_User_Email: a@x', 'SSL-Client-Cert: x', 'SSL_CLIENT_S_DN: CN=admin', 'X-SSL-Client-Cert: x', 'X-SSL-Client-Verify: SUCCESS',
  ])('never what the request says by %s', async (line) => {
    const honest = await appSees([]);
    const headers = await appSees([line]);
    expect(Object.keys(headers).sort()).toEqual(Object.keys(honest).sort());
    expect({ ...headers, 'x-request-id': '' }).toEqual({ ...honest, 'x-request-id': '' });
  });

  test('Connection can’t take our headers away (CVE-2024-45410)', async () => {
    const headers = await appSees(['Connection: X-User, X-Trial-App, X-Mine', 'X-Mine: for one hop']);
    expect(headers).toMatchObject({ 'x-user': 'user-ada', 'x-trial-app': 'app-1' });
    expect(headers['x-mine']).toBeUndefined();
  });

  test('no hop-by-hop header', async () => {
    const headers = await appSees(['Keep-Alive: 5', 'TE: trailers', 'Proxy-Authorization: Basic x', 'Proxy-Connection: close', 'Trailer: X', 'Upgrade: h2c', 'HTTP2-Settings: x', 'Accept-Encoding: gzip']);
    for (const name of ['keep-alive', 'te', 'proxy-authorization', 'proxy-connection', 'trailer', 'upgrade', 'http2-settings']) expect([name, headers[name]]).toEqual([name, undefined]);
    expect(headers['accept-encoding']).toBe('gzip');
  });

  test('its own cookies, none of ours', async () => {
    expect((await appSees([])).cookie).toBe('other=1');
  });

  test('the host of the configuration, whatever the request says (SECURITY 10)', async () => {
    expect((await appSees([])).host).toBe(new URL(stand.url).host);
  });

  test('the bytes of the address as they came', async () => {
    await appSees([], '/caf%C3%A9/a%20b;v=1?q=%zz&r=//x/../y');
    expect(stand.app.last().url).toBe('/caf%C3%A9/a%20b;v=1?q=%zz&r=//x/../y');
  });

  test('the request id that goes through everything', async () => {
    const reply = await browser.send('/', { headers: { 'x-request-id': 'mine-1' } });
    expect([stand.app.last().headers['x-request-id'], reply.headers.get('x-request-id')]).toEqual(['mine-1', 'mine-1']);
  });
});

describe('the app’s answer', () => {
  test('cannot set our cookies, in any spelling (SECURITY 22)', async () => {
    stand.app.answer = (_req, res) =>
      void res.writeHead(200, [['Set-Cookie', 'vestibule_dev=evil; Path=/'], ['Set-Cookie', '__Host-vestibule=evil'], ['Set-Cookie', '=vestibule_dev=evil'], ['set-cookie', 'VESTIBULE_dev_login_x=evil'], ['Set-Cookie', 'app=1; HttpOnly'], ['Set-Cookie', 'app2=2']].flat()).end();
    const reply = await browser.get('/');
    expect(reply.headers.getSetCookie()).toEqual(['app=1; HttpOnly', 'app2=2']);
  });

  test.each([200, 201, 204, 304, 404, 500, 503])('with status %d passes as it is', async (status) => {
    stand.app.answer = (_req, res) => void res.writeHead(status, 'Its own words', { 'x-app': 'yes', 'content-security-policy': "frame-ancestors 'self'" }).end();
    const reply = await browser.get('/');
    expect([reply.status, reply.headers.get('x-app'), reply.headers.get('content-security-policy')]).toEqual([status, 'yes', "frame-ancestors 'self'"]);
  });

  test.each<[string, string[], string]>([
    ['nothing', [], "frame-ancestors 'none'"],
    ['a policy without that directive', ['Content-Security-Policy', "default-src 'self'; x-frame-ancestors y"], "default-src 'self'; x-frame-ancestors y, frame-ancestors 'none'"],
    ['who may', ['content-security-policy', "default-src 'self';Frame-Ancestors https://www.example"], "default-src 'self';Frame-Ancestors https://www.example"],
    ['so in a second policy', ['Content-Security-Policy', "default-src 'self'", 'Content-Security-Policy', "frame-ancestors 'self'"], "default-src 'self', frame-ancestors 'self'"],
    ['so as before policies', ['X-Frame-Options', 'SAMEORIGIN'], ''],
    ['a policy that only reports', ['Content-Security-Policy-Report-Only', "frame-ancestors 'self'"], "frame-ancestors 'none'"],
  ])('about frames says %s (SECURITY 24)', async (_what, said, policy) => {
    stand.app.answer = (_req, res) => void res.writeHead(200, said).end();
    expect((await browser.get('/')).headers.get('content-security-policy') ?? '').toBe(policy);
  });

  test('to HEAD has its length and no body', async () => {
    stand.app.answer = (_req, res) => void res.writeHead(200, { 'content-length': '1234' }).end();
    const reply = await browser.send('/', { method: 'HEAD' });
    expect([reply.status, reply.headers.get('content-length'), reply.body]).toEqual([200, '1234', '']);
    expect(stand.app.last().method).toBe('HEAD');
  });

  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY'])('to %s comes back with the body that went', async (method) => {
    stand.app.answer = (req, res, body) => void res.end(`${req.method} ${body}`);
    const reply = await browser.send('/', { method, body: 'a body' });
    expect(reply.body).toBe(`${method} a body`);
  });

  test('streams: the first piece arrives before the last is made', async () => {
    const open: ServerResponse[] = [];
    stand.app.answer = (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n');
      open.push(res);
    };
    const pieces = await new Promise<string[]>((resolve, reject) => {
      const got: string[] = [];
      httpRequest(`${stand.url}/events`, { headers: { cookie: cookieHeader() }, agent: false }, (incoming) => {
        incoming.on('data', (chunk: Buffer) => {
          got.push(chunk.toString());
          open.pop()?.end('data: last\n\n');
        });
        incoming.on('end', () => resolve(got));
      })
        .on('error', reject)
        .end();
    });
    expect(pieces).toEqual(['data: first\n\n', 'data: last\n\n']);
  });

  test('waits in the app while the browser does not read, and passes whole when it does', async () => {
    const piece = Buffer.alloc(1024 * 1024, 7);
    const pieces = 256;
    let written = 0;
    stand.app.answer = (req, res) => {
      if (req.url !== '/big') return void res.end();
      const write = (): void => {
        while (written < pieces) {
          written += 1;
          if (!res.write(piece)) return void res.once('drain', write);
        }
        res.end();
      };
      write();
    };
    const outgoing = httpRequest(`${stand.url}/big`, { headers: { cookie: cookieHeader() }, agent: false }).end();
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    // Time passes by other requests; the app has stopped writing when it got no further during 25 of them.
    for (let still = 0, before = -1; still < 25; before = written) {
      await browser.send('/');
      still = written === before ? still + 1 : 0;
    }
    const heldBack = written;
    let length = 0;
    for await (const chunk of incoming as AsyncIterable<Buffer>) length += chunk.length;
    expect(heldBack).toBeLessThan(pieces / 4);
    expect(length).toBe(pieces * piece.length);
  });

  test('that breaks off in the middle breaks off for the browser too', async () => {
    stand.app.answer = (_req, res) => {
      res.writeHead(200, { 'content-length': '100' }).write('half');
      res.socket?.destroySoon();
    };
    await expect(browser.get('/')).rejects.toThrow('aborted');
  });

  test('is no longer asked for when the browser goes away', async () => {
    const closed = new Promise<void>((resolve) => {
      stand.app.answer = (_req, res) => {
        res.once('close', resolve);
        res.writeHead(200).write('first');
      };
    });
    const outgoing = httpRequest(`${stand.url}/slow`, { headers: { cookie: cookieHeader() }, agent: false }, () => outgoing.destroy());
    outgoing.on('error', () => undefined);
    outgoing.end();
    await closed;
  });
});

describe('when the app does not answer', () => {
  test.each(['GET', 'POST'])('%s: 502, as a page for people and problem+json for programs', async (method) => {
    const lost = await startStand();
    await lost.app.stop();
    const person = await lost.signedIn();
    const page = method === 'GET' ? await person.get('/x') : await person.post('/x', { a: 'x'.repeat(100_000) });
    const problem = await person.send('/x', { method, headers: XHR, ...(method === 'POST' && { body: 'y'.repeat(100_000) }) });
    expect([page.status, problem.status, problem.json()['code']]).toEqual([502, 502, 'bad_gateway']);
    expect(page.body).toContain('We can’t get through right now');
    expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    lost.app = await startApp(Number(new URL(lost.app.url).port));
    expect((await person.get('/x')).status).toBe(200);
    await lost.stop();
  });

  test('it hangs up during an upload: still a 502', async () => {
    const rude = createServer((socket) => socket.once('data', () => socket.destroy()).on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(rude, 'listening');
    const lost = await startStand({ env: { APP_INTERNAL_URL: `http://127.0.0.1:${(rude.address() as AddressInfo).port}` } });
    const person = await lost.signedIn();
    const cookie = `vestibule_dev=${person.cookies.get('vestibule_dev')}`;
    const { hostname, port } = new URL(lost.url);
    const socket = connect(Number(port), hostname);
    socket.write(`POST /upload HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\nContent-Length: 10000000\r\n\r\nthe first piece of many`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 502 /);
    socket.destroy();
    await lost.stop();
    rude.close();
  });

  test('the database away, and no outage is bridged: 503, and nobody passes', async () => {
    const lost = await startStand({ env: { SESSION_OUTAGE_MINUTES: '0' } });
    const person = await lost.signedIn();
    await lost.database.drop();
    const reply = await eventually(async () => {
      const one = await person.send('/', { headers: XHR });
      return one.status === 200 ? undefined : one;
    }, 10_000);
    expect([reply.status, reply.json()['code']]).toEqual([503, 'unavailable']);
    expect((await person.get('/readyz')).status).toBe(503);
    expect((await person.get('/livez')).status).toBe(200);
    await lost.stop();
  });
});
