import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { send } from './support/browser.ts';
import { startStand, type Stand } from './support/stand.ts';

let stand: Stand;
let accept: Stand['bridge']['answer'];
beforeAll(async () => {
  stand = await startStand({ env: { TRUSTED_PROXIES: '127.0.0.0/8' } });
  accept = stand.bridge.answer;
});
afterAll(() => stand.stop());
afterEach(() => {
  stand.bridge.answer = accept;
  stand.provider.misbehave = {};
});

const JSON_POST = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"username":"example@example.com"}' };
const register = (path: string, headers: Record<string, string> = {}) => send(stand.url, { ...JSON_POST, headers: { ...JSON_POST.headers, ...headers } }, path);

describe('register through the proxy', () => {
  test.each(['/api/trial/register', '/api/legacy/trial/register'])('%s reaches the bridge as it was sent, with the service token and the client’s address', async (path) => {
    const reply = await register(path, { 'x-forwarded-for': '198.51.100.7', authorization: 'Bearer of-the-caller', cookie: 'vestibule_dev=x', 'x-request-id': 'curl-1' });
    expect([reply.status, reply.body]).toEqual([202, '{"status":"accepted"}']);
    const got = stand.bridge.last();
    expect([got.method, got.url, got.body]).toEqual(['POST', path, JSON_POST.body]);
    expect(got.headers).toMatchObject({ 'content-type': 'application/json', 'x-forwarded-for': '198.51.100.7', 'x-request-id': 'curl-1' });
    expect(stand.provider.secrets).toContain(String(got.headers.authorization).replace('Bearer ', ''));
    expect(got.headers.cookie).toBeUndefined();
  });

  test('one service token serves many calls, even those that come together', async () => {
    const fresh = await startStand();
    await Promise.all(Array.from({ length: 20 }, () => send(fresh.url, JSON_POST, '/api/trial/register')));
    expect(fresh.bridge.received).toHaveLength(20);
    expect(fresh.provider.serviceTokens).toBe(1);
    await fresh.stop();
  });

  test('a token that the bridge refuses is replaced once', async () => {
    await register('/api/trial/register');
    const before = stand.provider.serviceTokens;
    stand.bridge.answer = (req, res, body) => {
      stand.bridge.answer = accept;
      if (body !== '') res.writeHead(401).end();
      else accept(req, res, body);
    };
    expect((await register('/api/trial/register')).status).toBe(202);
    expect(stand.provider.serviceTokens).toBe(before + 1);
  });

  test('a preflight passes both ways', async () => {
    stand.bridge.answer = (_req, res) => void res.writeHead(204, { 'access-control-allow-origin': 'https://www.example.com', 'access-control-allow-methods': 'POST', 'access-control-max-age': '600', vary: 'Origin' }).end();
    const reply = await send(stand.url, { method: 'OPTIONS', headers: { origin: 'https://www.example.com', 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' } }, '/api/trial/register');
    expect([reply.status, reply.headers.get('access-control-allow-origin'), reply.headers.get('access-control-max-age'), reply.headers.get('vary')]).toEqual([204, 'https://www.example.com', '600', 'Origin']);
    expect(stand.bridge.last().headers).toMatchObject({ origin: 'https://www.example.com', 'access-control-request-method': 'POST' });
  });

  test('status, Retry-After and problem come back as the bridge gave them; cookies and foreign headers don’t', async () => {
    stand.bridge.answer = (_req, res) => void res.writeHead(429, { 'content-type': 'application/problem+json', 'retry-after': '17', 'set-cookie': 'a=1', 'x-internal': 'secret' }).end('{"code":"rate_limited"}');
    const reply = await register('/api/trial/register');
    expect([reply.status, reply.headers.get('retry-after'), reply.body]).toEqual([429, '17', '{"code":"rate_limited"}']);
    expect(reply.headers.get('content-type')).toContain('application/problem+json');
    expect([reply.headers.get('set-cookie'), reply.headers.get('x-internal')]).toEqual([null, null]);
  });

  test.each(['GET', 'PUT', 'DELETE'])('%s is 405', async (method) => {
    const reply = await send(stand.url, { method }, '/api/trial/register');
    expect([reply.status, reply.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
  });

  test('a body of 100 KB is 413', async () => {
    const reply = await send(stand.url, { ...JSON_POST, body: 'x'.repeat(100_000) }, '/api/trial/register');
    expect([reply.status, reply.json()['code']]).toEqual([413, 'payload_too_large']);
  });

  test('Keycloak away: it goes on without the token, and without an address that nobody would believe', async () => {
    const away = await startStand();
    away.provider.misbehave = { down: true };
    const reply = await send(away.url, JSON_POST, '/api/trial/register');
    expect(reply.status).toBe(202);
    expect([away.bridge.last().headers.authorization, away.bridge.last().headers['x-forwarded-for']]).toEqual([undefined, undefined]);
    expect(away.log()).toContain('no service token');
    await away.stop();
  });

  test('the bridge away: 502 problem+json, whatever was asked for', async () => {
    const away = await startStand();
    await away.bridge.stop();
    const reply = await send(away.url, { ...JSON_POST, headers: { ...JSON_POST.headers, accept: 'text/html' } }, '/api/trial/register');
    expect([reply.status, reply.json()['code']]).toEqual([502, 'bad_gateway']);
    const ready = await send(away.url, {}, '/readyz');
    expect([ready.status, ready.json()]).toMatchObject([200, { status: 'degraded', dependencies: { bridge: { state: 'down' }, postgres: { state: 'up' }, keycloak: { state: 'up' } } }]);
    await Promise.all([away.proxy.stop(), away.provider.stop(), away.app.stop()]);
    await away.database.drop();
  });
});

test('an address from an untrusted neighbour is not believed', async () => {
  const open = await startStand();
  await send(open.url, { ...JSON_POST, headers: { ...JSON_POST.headers, 'x-forwarded-for': '198.51.100.7' } }, '/api/trial/register');
  expect(open.bridge.last().headers['x-forwarded-for']).toBe('127.0.0.1');
  await open.stop();
});
