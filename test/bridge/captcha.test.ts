import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { CAPTCHA_SECRET, openCaptchaService, SITE_KEY, type CaptchaService } from './support/captcha-service.ts';
import { openBridge, type TestBridge } from './support/bridge.ts';
import { statementsDuring } from './support/statements.ts';

const newAddress = () => `ada.${randomUUID()}@example.com`;
const LIMITS = { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '10000', REGISTER_LIMIT_PER_MINUTE: '10000' };

let service: CaptchaService;
let bridge: TestBridge;
beforeAll(async () => {
  service = await openCaptchaService();
  bridge = await openBridgeWith('turnstile');
});
afterAll(async () => {
  await bridge.close();
  await service.close();
});
afterEach(() => service.behave('well'));

function openBridgeWith(provider: string, env: Record<string, string> = {}): Promise<TestBridge> {
  const captcha = { CAPTCHA_PROVIDER: provider, CAPTCHA_SITE_KEY: SITE_KEY, CAPTCHA_SECRET, CAPTCHA_VERIFY_URL: service.url };
  return openBridge({ env: { ...LIMITS, ...captcha, ...env }, product: { origins: ['https://www.example.com'] } });
}

const register = (given: object, headers: Record<string, string> = {}, path = '/api/trial/register') => bridge.send(path, { body: { username: newAddress(), ...given }, headers });
const requestsNow = async () => Number((await bridge.db.selectFrom('bridge.sign_up_request').select((eb) => eb.fn.countAll().as('count')).executeTakeFirstOrThrow()).count);

describe('register behind a captcha', () => {
  test.each(['/api/trial/register', '/api/legacy/trial/register'])('%s takes an answer that was solved on a page of ours, once', async (path) => {
    const captcha = service.solve();
    expect((await register({ captcha }, {}, path)).status).toBe(202);
    const again = await register({ captcha }, {}, path);
    expect([again.status, again.body['code'], again.body['field']]).toEqual([422, 'captcha_refused', 'captcha']);
  });

  test('tells the verifier who asks, and the secret', async () => {
    const captcha = service.solve();
    await register({ captcha });
    const form = service.asked.at(-1);
    expect(Object.fromEntries(form ?? [])).toEqual({ secret: CAPTCHA_SECRET, response: captcha, remoteip: expect.stringContaining('127.0.0.1') });
  });

  test.each<[string, () => object]>([
    ['no answer', () => ({})],
    ['an empty one', () => ({ captcha: '' })],
    ['one that nobody solved', () => ({ captcha: 'made-up' })],
    ['one that was solved on a page of others', () => ({ captcha: service.solve('evil.example') })],
  ])('refuses %s, and writes nothing', async (_name, given) => {
    const before = await requestsNow();
    const answer = await register(given());
    expect([answer.status, answer.body['code'], answer.body['field']]).toEqual([422, 'captcha_refused', 'captcha']);
    expect(await requestsNow()).toBe(before);
  });

  test('takes what was solved on a page that a product lists', async () => {
    expect((await register({ captcha: service.solve('www.example.com') })).status).toBe(202);
  });

  test('does not use an answer up for a form that is at fault anyway', async () => {
    const captcha = service.solve();
    expect((await register({ captcha, product: 'nothing' })).status).toBe(400);
    expect((await register({ captcha })).status).toBe(202);
  });

  test('limits come first: the verifier is not asked for who sends too much', async () => {
    const limited = await openBridgeWith('turnstile', { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '1' });
    try {
      const send = () => limited.send('/api/trial/register', { body: { username: newAddress(), captcha: service.solve() } });
      expect((await send()).status).toBe(202);
      const asked = service.asked.length;
      expect((await send()).status).toBe(429);
      expect(service.asked).toHaveLength(asked);
    } finally {
      await limited.close();
    }
  });

  test.each<[string, Parameters<CaptchaService['behave']>[0]]>([
    ['answers 500', { status: 500, body: 'oops' }],
    ['answers a page', { status: 200, body: '<html>' }],
    ['leads elsewhere', { status: 302, body: '' }],
    ['knows our secret no longer', { status: 200, body: '{"success":false,"error-codes":["invalid-input-secret"]}' }],
    ['has a fault of its own', { status: 200, body: '{"success":false,"error-codes":["internal-error"]}' }],
    ['refuses without a reason', { status: 200, body: '{"success":false,"error-codes":[]}' }],
  ])('is closed while the verifier %s, and says to try again', async (_name, how) => {
    service.behave(how);
    const answer = await register({ captcha: service.solve() });
    expect([answer.status, answer.body['code'], answer.headers.get('retry-after')]).toEqual([503, 'captcha_unavailable', '60']);
  });

  test('waits seconds for a verifier that hangs, not longer', async () => {
    service.behave('hanging');
    const started = performance.now();
    expect((await register({ captcha: service.solve() })).status).toBe(503);
    expect(performance.now() - started).toBeLessThan(8_000);
  });
});

describe('who needs no captcha', () => {
  test.each<[string, number, () => Promise<string>]>([
    ['a program with trial-create', 202, () => bridge.realm.serviceToken('shop', 'trial-create')],
    ['a program without it', 422, () => bridge.realm.serviceToken('shop', 'trial-manage')],
    ["the proxy, which asks for people, whatever its roles", 422, () => bridge.realm.serviceToken('vestibule-proxy', 'trial-create')],
    ["a person's token with that role", 422, () => bridge.realm.serviceToken('shop', 'trial-create', { sid: 'a-session', preferred_username: 'ada@example.com' })],
    ['a token that has expired', 401, () => bridge.realm.serviceToken('shop', 'trial-create', { exp: Math.floor(Date.now() / 1000) - 1 })],
  ])('%s: %i', async (_name, status, token) => {
    const answer = await register({}, { authorization: `Bearer ${await token()}` });
    expect(answer.status).toBe(status);
  });
});

test('the work is the same for a new, an invited and a known address (SECURITY.md 11, 13)', async () => {
  const [fresh, invited, known] = [newAddress(), newAddress(), newAddress()];
  await bridge.invite({ address: invited });
  bridge.accounts.add({ username: known });
  const made: (readonly string[])[] = [];
  for (const username of [fresh, invited, known]) {
    await bridge.settled();
    const captcha = service.solve();
    const all = await statementsDuring(() => bridge.send('/api/trial/register', { body: { username, captcha } }));
    made.push(all.slice(0, all.indexOf('commit') + 1));
  }
  expect(made[0]).toHaveLength(6);
  expect(made[1]).toEqual(made[0]);
  expect(made[2]).toEqual(made[0]);
});

test('hCaptcha is told whose widget it is', async () => {
  const other = await openBridgeWith('hcaptcha');
  try {
    expect((await other.send('/api/trial/register', { body: { username: newAddress(), captcha: service.solve() } })).status).toBe(202);
    expect(service.asked.at(-1)?.get('sitekey')).toBe(SITE_KEY);
  } finally {
    await other.close();
  }
});

test('neither the secret nor an answer reaches the log (SECURITY.md 14)', async () => {
  const captcha = service.solve('evil.example');
  await register({ captcha });
  service.behave({ status: 500, body: 'oops' });
  await register({ captcha });
  expect(bridge.log()).toContain('captcha_unavailable');
  expect(bridge.log()).not.toContain(CAPTCHA_SECRET);
  expect(bridge.log()).not.toContain(captcha);
});
