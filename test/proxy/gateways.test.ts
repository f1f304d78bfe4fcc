import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { freePort } from '../../dev/ports.ts';
import { Browser, send } from './support/browser.ts';
import { ensureGateway, startGateway, type GatewayName } from './support/gateway.ts';
import { CLIENT } from './support/provider.ts';
import { rawConnection } from './support/raw.ts';
import { startStand, type Stand } from './support/stand.ts';

/** Installing one takes longer than a test may. */
const INSTALL_LIMIT_MS = 300_000;
const ADA = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada Lovelace', roles: ['trial-user'], groups: ['/analysts'] };
const XHR = { accept: 'application/json', 'sec-fetch-mode': 'cors' };
const IDENTITY = new Set(['x-user', 'x-user-email', 'x-user-name', 'x-user-roles', 'x-user-groups', 'x-trial-app', 'x-trial-state', 'x-trial-ends-at', 'x-vestibule-identity']);

/** caddy serves the host that it was told, and answers nothing for others. */
const ELSEWHERE = { nginx: 401, caddy: 200 };

/** The very gateways, with the very lines of docs/proxy.md, in front of an app that believes what it is told. */
describe.each<GatewayName>(['nginx', 'caddy'])('behind %s', (name) => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-'));
  let stand: Stand;
  let gateway: Awaited<ReturnType<typeof startGateway>>;
  let url: string;
  let browser: Browser;

  beforeAll(async () => {
    ensureGateway(name);
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    stand = await startStand({
      sites: (_url, provider, app) => {
        const file = join(folder, 'sites.yaml');
        const upstreams = `[{ to: '${app.url}' }, { path: /admin, to: '${app.url}', allow: { roles: [staff] } }]`;
        writeFileSync(file, `sites: [{ public_url: '${url}', issuer: '${provider.issuer}', client_id: ${CLIENT.id}, client_secret_variable: A_SECRET, upstreams: ${upstreams} }]`);
        return file;
      },
      env: { FORWARD_AUTH: 'true', TRUSTED_PROXIES: '127.0.0.1', A_SECRET: CLIENT.secret },
    });
    stand.provider.person = ADA;
    gateway = await startGateway(name, { port, proxyUrl: stand.url, appUrl: stand.app.url });
    browser = new Browser(url);
    await browser.follow(await browser.get('/api/login'));
  }, INSTALL_LIMIT_MS);
  afterAll(async () => {
    await gateway.stop();
    await stand.stop();
    rmSync(folder, { recursive: true });
  });

  const cookie = (): string => `vestibule_dev=${browser.cookies.get('vestibule_dev')}`;

  const dial = (origin: string | undefined, sent = cookie()): WebSocket => new WebSocket(`${url.replace('http', 'ws')}/chat`, { headers: { cookie: sent, 'x-user': 'forged', ...(origin && { origin }) } });

  /** The status of a request with these raw lines, and what the app heard where it heard anything. */
  async function ask(lines: readonly string[], path = '/', host = new URL(url).host): Promise<{ status: number; heard: Stand['app']['received'][number] | undefined }> {
    const before = stand.app.received.length;
    const connection = rawConnection(url);
    connection.write(`${[`GET ${path} HTTP/1.1`, `Host: ${host}`, 'Accept: application/json', ...lines].join('\r\n')}\r\n\r\n`);
    const answer = await connection.hears(/^HTTP\/1\.1 \d{3} (.*\r\n)+\r\n/);
    connection.socket.destroy();
    expect(stand.app.received.length - before).toBeLessThan(2);
    return { status: Number(answer.slice(9, 12)), heard: stand.app.received[before] };
  }

  test('a page leads to sign in, and back to where it was wanted, with who it is', async () => {
    const visitor = new Browser(url);
    const reply = await visitor.get('/reports?year=2026&x=%20');
    expect([reply.status, reply.location]).toEqual([302, `${url}/api/login?next_page=%2Freports%3Fyear%3D2026%26x%3D%2520`]);
    const page = await visitor.follow(reply);
    expect([page.status, page.body, new URL(page.at).pathname]).toEqual([200, 'the app', '/reports']);
    expect(stand.app.last()).toMatchObject({ url: '/reports?year=2026&x=%20', headers: { 'x-user': 'user-ada', 'x-user-email': 'ada@example.com', 'x-user-name': 'Ada Lovelace', 'x-user-roles': 'trial-user', 'x-user-groups': '/analysts' } });
  });

  test('a script gets 401 with the login address, never a redirect', async () => {
    const reply = await send(url, { headers: XHR }, '/reports');
    const loginUrl = `${url}/api/login?next_page=%2Freports`;
    expect([reply.status, reply.headers.get('location'), reply.headers.get('x-login-url'), reply.json()['login_url']]).toEqual([401, null, loginUrl, loginUrl]);
  });

  test.each([
    'X-User: forged', 'x-user: forged', 'X-USER: forged', 'X_User: forged', 'x_user_email: forged', 'X.User: forged', 'X-User-Roles: forged', 'X-Trial-App: forged', 'X_Trial_App: forged', 'X-Trial-Ends-At: forged', 'X-Vestibule-Identity: forged',
  ])('%s never reaches the app (SECURITY 21)', async (line) => {
    const { status, heard } = await ask([`Cookie: ${cookie()}`, line, line]);
    expect(status).toBe(200);
    const told = Object.entries(heard?.headers ?? {}).filter(([header]) => IDENTITY.has(header.replaceAll(/[_.]/g, '-')));
    expect(Object.fromEntries(told.filter(([, value]) => value !== ''))).toEqual({ 'x-user': 'user-ada', 'x-user-email': 'ada@example.com', 'x-user-name': 'Ada Lovelace', 'x-user-roles': 'trial-user', 'x-user-groups': '/analysts' });
  });

  test.each(['X-User', 'X-User, X-User-Email, X-Trial-App', 'x-user', 'keep-alive, X-User'])('Connection: %s takes none of ours away (SECURITY 21)', async (named) => {
    const { status, heard } = await ask([`Cookie: ${cookie()}`, `Connection: ${named}`, 'X-User: forged']);
    expect([status, heard?.headers['x-user'], heard?.headers['x-user-email']]).toEqual([200, 'user-ada', 'ada@example.com']);
  });

  test.each([
    ['X-Forwarded-Uri: /', '/admin'],
    ['X-Original-URI: /', '/admin'],
    ['X-Original-Method: OPTIONS', '/admin'],
    ['X-Forwarded-Method: OPTIONS', '/admin'],
    ['X-Forwarded-Host: other.example', '/admin'],
    ['X-Original-URL: /', '/admin'],
  ])('%s does not open %s (SECURITY 20)', async (line, path) => {
    const { status, heard } = await ask([`Cookie: ${cookie()}`, line], path);
    expect([status, heard]).toEqual([403, undefined]);
  });

  test.each(['/admin', '/admin/users', '/ADMIN', '/%61dmin', '/admin;x=1/users', '/x/../admin', '/x/%2e%2e/admin', '//admin', '/admin%2fusers', '/admin%5cusers', '/.%2fadmin', '/x/..;/admin', '/admin%00', '/admin%3fx', '/admin%23x', '/%2561dmin', '/admin%253fx', '/admin%25%33%66'])('%s, which needs a role, is not opened without it by any spelling (SECURITY 20)', async (path) => {
    const { status, heard } = await ask([`Cookie: ${cookie()}`], path);
    expect([status >= 400, heard]).toEqual([true, undefined]);
  });

  test('whoever has the role gets there, by the bytes that he asked for', async () => {
    stand.provider.person = { ...ADA, sub: 'user-eve', roles: ['staff'] };
    const staff = new Browser(url);
    await staff.follow(await staff.get('/api/login'));
    stand.provider.person = ADA;
    expect((await staff.get('/admin/caf%C3%A9;v=1?q=%2F')).status).toBe(200);
    expect(stand.app.last()).toMatchObject({ url: '/admin/caf%C3%A9;v=1?q=%2F', headers: { 'x-user': 'user-eve' } });
  });

  test('a load balancer in front of it may say X-Forwarded-… of its own', async () => {
    const { status, heard } = await ask([`Cookie: ${cookie()}`, 'X-Forwarded-Host: other.example', 'X-Forwarded-Uri: /admin', 'X-Forwarded-Method: POST']);
    expect([status, heard?.url, heard?.headers['x-user']]).toEqual([200, '/', 'user-ada']);
  });

  test.each([
    ['none', () => []],
    ['a made-up one', () => ['Cookie: vestibule_dev=made-up']],
    ['two, the good one first (SECURITY 22)', () => [`Cookie: ${cookie()}; vestibule_dev=planted`]],
    ['two, the good one last (SECURITY 22)', () => [`Cookie: vestibule_dev=planted; ${cookie()}`]],
    ['two, in lines of their own (SECURITY 22)', () => ['Cookie: vestibule_dev=planted', `Cookie: ${cookie()}`]],
  ])('session cookies: %s: 401, and nothing reaches the app', async (_what, lines) => {
    expect(await ask([...lines(), 'X-User: forged'])).toEqual({ status: 401, heard: undefined });
  });

  test.each<[string, () => string, string]>([
    ['alone', () => cookie(), ''],
    ['among the app’s', () => `a=1; ${cookie()}; b=2; vestibule_dev_lang=fr; __Host-vestibule-login-x=y; c=vestibule_dev=3`, 'a=1; b=2; c=vestibule_dev=3'],
    ['in other spellings', () => `VESTIBULE-x=1;__secure-vestibule-embed=2; =__Host-vestibule=3; ${cookie()};a=1;myvestibule=4`, 'a=1;myvestibule=4'],
    ['in two lines', () => `${cookie()}; a=1\r\nCookie: vestibule_dev_notice=x; b=2`, 'a=1; b=2'],
  ])('our cookies never reach the app: %s (SECURITY 22)', async (_what, sent, arrives) => {
    const { status, heard } = await ask([`Cookie: ${sent()}`]);
    expect([status, heard?.headers.cookie ?? '']).toEqual([200, arrives]);
  });

  test('many of our cookies apart from each other: none pass at all, rather than one of ours (SECURITY 22)', async () => {
    const { heard } = await ask([`Cookie: ${cookie()}; ${Array.from({ length: 9 }, (_, at) => `a${at}=1; vestibule_dev_login_${at}=x`).join('; ')}`]);
    expect(heard?.headers.cookie ?? '').not.toContain('vestibule');
  });

  test('the app sets no cookie of ours that a browser takes (SECURITY 22)', async () => {
    const plain = stand.app.answer;
    stand.app.answer = (_req, res) => void res.writeHead(200, ['Set-Cookie', 'app=1; Path=/; Secure', 'Set-Cookie', '__Host-vestibule=planted; Path=/; Secure; HttpOnly', 'Set-Cookie', '__host-VESTIBULE-login-x=planted; Path=/; Secure', 'Set-Cookie', 'app2=2']).end();
    const cookies = (await browser.send('/')).headers.getSetCookie().filter((line) => line !== '');
    stand.app.answer = plain;
    expect(cookies.filter((line) => /^app2?=/.test(line))).toEqual(['app=1; Path=/; Secure', 'app2=2']);
    // Browsers refuse the prefix without the attribute.
    expect(cookies.filter((line) => /vestibule/i.test(line) && /;\s*secure/i.test(line))).toEqual([]);
  });

  describe('a web-socket', () => {
    const sockets = new WebSocketServer({ noServer: true });
    const opened: IncomingMessage[] = [];
    beforeAll(() => {
      stand.app.http.on('upgrade', (req, socket, head) => sockets.handleUpgrade(req, socket, head, (one) => {
        opened.push(req);
        one.on('message', (data) => one.send(data)).on('error', () => undefined);
      }));
    });

    test('from a page of the site is joined to the app, which hears who it is', async () => {
      const socket = dial(url);
      await once(socket, 'open');
      socket.send('hello');
      const [message] = (await once(socket, 'message')) as [Buffer];
      const { headers } = opened.at(-1)!;
      expect([message.toString(), headers['x-user'], headers.cookie ?? '']).toEqual(['hello', 'user-ada', '']);
      socket.terminate();
    });

    test.each([
      ['of another page', 'https://evil.example', 403],
      ['of no page', undefined, 403],
      ['of nobody', 'ours', 401],
    ])('%s never reaches the app (SECURITY 24)', async (_whose, origin, status) => {
      const before = opened.length;
      const socket = dial(origin === 'ours' ? url : origin, status === 401 ? 'a=1' : cookie());
      socket.on('error', () => undefined);
      const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
      response.resume();
      expect([response.statusCode, opened.length]).toEqual([status, before]);
    });
  });

  test('a session at another host is worth nothing (SECURITY 22)', async () => {
    const { status, heard } = await ask([`Cookie: ${cookie()}`], '/', 'other.example');
    expect([status, heard]).toEqual([ELSEWHERE[name], undefined]);
  });

  test('after a logout nothing passes any more', async () => {
    const leaving = new Browser(url);
    await leaving.follow(await leaving.get('/api/login'));
    expect((await leaving.get('/')).status).toBe(200);
    await leaving.post('/api/logout', {});
    expect((await leaving.send('/', { headers: XHR })).status).toBe(401);
  });
});
