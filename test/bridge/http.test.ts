import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openBridge, type TestBridge } from './support/bridge.ts';

let bridge: TestBridge;
beforeAll(async () => {
  bridge = await openBridge({ env: { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '10000' } });
});
afterAll(() => bridge.close());

const json = { 'content-type': 'application/json' };
const valid = JSON.stringify({ username: 'ada@example.com' });

describe('a request that is not well-formed', () => {
  test.each<[string, { method?: string; path?: string; body?: string | Buffer; headers?: Record<string, string> }, number, string]>([
    ['malformed JSON', { body: '{"username":' }, 400, 'invalid_request'],
    ['JSON that is no object', { body: '"ada@example.com"' }, 400, 'invalid_request'],
    ['a list', { body: '[]' }, 400, 'invalid_request'],
    ['null', { body: 'null' }, 400, 'invalid_request'],
    ['no body', { body: '' }, 400, 'invalid_request'],
    ['1 MiB', { body: JSON.stringify({ username: 'a'.repeat(1024 * 1024) }) }, 413, 'payload_too_large'],
    ['just over 16 KiB', { body: `${valid}${' '.repeat(16 * 1024)}` }, 413, 'payload_too_large'],
    ['a form', { body: 'username=ada', headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 415, 'unsupported_media_type'],
    ['plain text', { body: valid, headers: { 'content-type': 'text/plain' } }, 415, 'unsupported_media_type'],
    ['another charset', { body: valid, headers: { 'content-type': 'application/json; charset=utf-16' } }, 415, 'unsupported_media_type'],
    ['an unknown encoding', { body: valid, headers: { ...json, 'content-encoding': 'zstd-42' } }, 415, 'unsupported_media_type'],
    ['GET', { method: 'GET' }, 405, 'method_not_allowed'],
    ['DELETE', { method: 'DELETE' }, 405, 'method_not_allowed'],
    ['PUT of infos', { method: 'PUT', path: '/api/trial/infos' }, 405, 'method_not_allowed'],
    ['an unknown path', { path: '/api/trials', body: '{}' }, 404, 'not_found'],
    ['a path in capitals', { path: '/API/trial/register', body: valid }, 404, 'not_found'],
    ['a slash too many', { path: '/api/trial/register/', body: valid }, 404, 'not_found'],
    ['a path that does not decode', { method: 'GET', path: '/dev/mails/%E0%A4%A/a/b' }, 400, 'invalid_request'],
  ])('of %#: %s', async (_name, { method = 'POST', path = '/api/trial/register', body, headers = json }, status, code) => {
    const response = await fetch(`${bridge.url}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
    const problem = (await response.json()) as Record<string, unknown>;
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(problem).toMatchObject({ type: `urn:vestibule:problem:${code}`, status, code, request_id: response.headers.get('x-request-id') });
  });

  test('of another method names the ones that work', async () => {
    expect((await bridge.send('/api/trial/register', { method: 'PUT' })).headers.get('allow')).toBe('POST');
  });

  test('gets a request id of ours when its own is not well-formed', async () => {
    const answer = await bridge.send('/nothing', { method: 'GET', headers: { 'x-request-id': 'a b"c' } });
    expect(answer.body['request_id']).toMatch(/^[0-9a-f-]{36}$/);
  });
});

/** The same that much later by the real clock. */
async function seconds<T>(later: number, work: () => Promise<T>): Promise<T> {
  const original = Date.now;
  Date.now = () => original() + later * 1000;
  try {
    return await work();
  } finally {
    Date.now = original;
  }
}

describe('what the bridge says of itself', () => {
  test('the OpenAPI document names every route with its answers', async () => {
    const { body } = await bridge.send('/openapi.json', { method: 'GET' });
    expect(body['openapi']).toBe('3.1.0');
    const paths = body['paths'] as Record<string, Record<string, { responses: object; security?: unknown }>>;
    expect(Object.keys(paths).sort()).toEqual([
      '/api/legacy/trial/register',
      '/api/remote-billing/account/read',
      '/api/remote-billing/account/save',
      '/api/remote-billing/invoice/read',
      '/api/remote-billing/login/complete',
      '/api/remote-billing/login/confirmation',
      '/api/remote-billing/login/mail',
      '/api/remote-billing/login/open',
      '/api/remote-billing/plan/agree',
      '/api/remote-billing/plan/quote',
      '/api/remote-billing/plan/renewal',
      '/api/remote-billing/plan/seats',
      '/api/remote-billing/plan/seats/quote',
      '/api/remote-billing/plan/unschedule',
      '/api/remote-billing/server-login/open',
      '/api/remote-billing/server/deactivate',
      '/api/remote-billing/session/end',
      '/api/remote-billing/session/read',
      '/api/remote-billing/sponsorship/ask',
      '/api/remote-billing/support/invoice/read',
      '/api/remote-billing/support/pending',
      '/api/remote-billing/support/plan/change',
      '/api/remote-billing/support/plan/end',
      '/api/remote-billing/support/plan/end/quote',
      '/api/remote-billing/support/plan/give',
      '/api/remote-billing/support/plan/quote',
      '/api/remote-billing/support/plan/renewal',
      '/api/remote-billing/support/plan/seats',
      '/api/remote-billing/support/plan/seats/quote',
      '/api/remote-billing/support/plan/unschedule',
      '/api/remote-billing/support/read',
      '/api/remote-billing/support/search',
      '/api/remote-billing/support/sponsorship/decide',
      '/api/remote-billing/support/standing',
      '/api/remote-billing/users/deactivate',
      '/api/remote-billing/users/list',
      '/api/trial',
      '/api/trial/changes',
      '/api/trial/completion',
      '/api/trial/creation',
      '/api/trial/creation/outcome',
      '/api/trial/creation/outcomes',
      '/api/trial/embed-revoke',
      '/api/trial/embed-standing',
      '/api/trial/embed-token',
      '/api/trial/extend',
      '/api/trial/funnel',
      '/api/trial/infos',
      '/api/trial/join',
      '/api/trial/not-me',
      '/api/trial/offer',
      '/api/trial/opened',
      '/api/trial/register',
      '/api/trial/signed-in',
      '/api/trial/verify',
      '/api/trial/{id}',
      '/api/trial/{id}/allow-again',
      '/api/trial/{id}/export',
      '/api/trial/{id}/resend',
      '/api/trial/{id}/revoke',
      '/api/v1/remotes/server/analytics',
      '/api/v1/remotes/server/analytics/status',
      '/api/v1/remotes/server/billing',
      '/api/v1/remotes/server/deactivate',
      '/api/v1/remotes/server/register',
      '/api/v1/remotes/server/register/transfer',
      '/api/v1/remotes/server/register/verify_challenge',
    ]);
    expect(Object.keys(paths['/api/trial/creation']?.['post']?.responses ?? {})).toEqual(['200', '400', '401', '403', '409', '410', '413', '415', '422', '502', '503', '504']);
    expect(Object.keys(paths['/api/trial/register']?.['post']?.responses ?? {})).toEqual(['202', '400', '401', '413', '415', '422', '429', '503']);
    expect(paths['/api/trial/changes']?.['get']?.responses).toMatchObject({ 200: { content: { 'text/event-stream': { schema: { properties: { data: { contentSchema: { anyOf: [{ required: ['user_id', 'product', 'trial_ends_at', 'trial_access_until', 'ready', 'forgotten', 'version'] }, {}] } } } } } } }, 400: {}, 401: {}, 403: {} });
    for (const [path, method] of [['extend', 'post'], ['completion', 'post'], ['embed-token', 'post'], ['{id}', 'delete'], ...['resend', 'revoke', 'allow-again'].map((act) => [`{id}/${act}`, 'post'])] as [string, string][]) {
      expect([path, Object.keys(paths[`/api/trial/${path}`]?.[method]?.responses ?? {})]).toEqual([path, expect.arrayContaining(['200', '400', '401', '403', '404', '409'])]);
    }
    expect(paths['/api/trial/register']?.['post']?.security).toBeUndefined();
    expect(paths['/api/trial/verify']?.['post']?.security).toEqual([{ serviceToken: [] }]);
  });

  test('/livez: it answers', async () => {
    expect((await bridge.send('/livez', { method: 'GET' })).body).toEqual({ status: 'alive' });
  });

  test('/readyz: each dependency', async () => {
    const { status, body } = await bridge.send('/readyz', { method: 'GET' });
    const up = { state: 'up', required: true };
    const optional = { state: 'up', required: false };
    expect([status, body]).toEqual([
      200,
      { status: 'ready', dependencies: { postgres: up, keycloak_keys: up, keycloak: optional, keycloak_calls: optional, worker: up, smtp: optional } },
    ]);
  });

  test('/readyz without a mail server: degraded, because mails wait in the queue', async () => {
    const own = await openBridge({ smtpUrl: 'smtp://127.0.0.1:1' });
    const { status, body } = await own.send('/readyz', { method: 'GET' });
    await own.close();
    expect([status, body['status']]).toEqual([200, 'degraded']);
  });

  test("/readyz while Keycloak does not let the bridge's account in: degraded, found out with one sign-in for many questions", async () => {
    const own = await openBridge({ realAccounts: true });
    own.realm.letIn(false);
    const answers = [];
    for (let asked = 0; asked < 3; asked += 1) answers.push(await own.send('/readyz', { method: 'GET' }));
    const signIns = own.realm.signIns();
    own.realm.letIn(true);
    const later = await seconds(6, () => own.send('/readyz', { method: 'GET' }));
    await own.close();
    expect(answers.map(({ status, body }) => [status, body['status']])).toEqual([200, 200, 200].map((status) => [status, 'degraded']));
    expect(answers[0]?.body['dependencies']).toMatchObject({ keycloak: { state: 'down', required: false }, keycloak_keys: { state: 'up' } });
    expect(signIns).toBe(1);
    expect(later.body['status']).toBe('ready');
  });

  test('/readyz while a node of Keycloak leaves the bridge out: degraded, and ready again when it does not', async () => {
    bridge.realm.calls(false);
    const out = await seconds(6, () => bridge.send('/readyz', { method: 'GET' }));
    bridge.realm.calls(true);
    const back = await seconds(12, () => bridge.send('/readyz', { method: 'GET' }));
    expect([out.status, out.body]).toMatchObject([200, { status: 'degraded', dependencies: { keycloak_calls: { state: 'down', required: false } } }]);
    expect(back.body['status']).toBe('ready');
  });

  test('/readyz when the keys of the realm were last read too long ago: degraded', async () => {
    expect((await seconds(240, () => bridge.send('/readyz', { method: 'GET' }))).body['status']).toBe('ready');
    const { status, body } = await seconds(360, () => bridge.send('/readyz', { method: 'GET' }));
    expect([status, body['status']]).toEqual([200, 'degraded']);
    expect(body['dependencies']).toMatchObject({ keycloak: { state: 'down' } });
  });

  test('/readyz before the keys of the realm were read: unready', async () => {
    const own = await openBridge({ env: { KEYCLOAK_INTERNAL_URL: 'http://127.0.0.1:1' } });
    const { status, body } = await own.send('/readyz', { method: 'GET' });
    await own.close();
    expect([status, body['status']]).toEqual([503, 'unready']);
  });
});

describe('the movable clock', () => {
  test('moves in development', async () => {
    const own = await openBridge({ env: { MOVABLE_CLOCK: 'true' } });
    const moved = await own.send('/dev/clock', { body: { offset_seconds: 86_400 } });
    const read = await own.send('/dev/clock', { method: 'GET' });
    await own.close();
    expect(moved.body['offset_seconds']).toBe(86_400);
    expect(read.body['offset_seconds']).toBe(86_400);
  });

  test('is not there without MOVABLE_CLOCK', async () => {
    expect((await bridge.send('/dev/clock', { body: { offset_seconds: 1 } })).status).toBe(404);
  });

  test('nor are previews in production', async () => {
    const own = await openBridge({ env: { VESTIBULE_MODE: 'production', KEYCLOAK_PUBLIC_URL: 'https://sso.example.com', PROXY_PUBLIC_URL: 'https://app.example.com', BILLING_URL: 'https://billing.example.com', BILLING_CHALLENGE_LOOPBACK: '' } });
    const statuses = [await own.send('/dev/mails', { method: 'GET' }), await own.send('/dev/clock', { method: 'GET' })].map((one) => one.status);
    await own.close();
    expect(statuses).toEqual([404, 404]);
  });
});
