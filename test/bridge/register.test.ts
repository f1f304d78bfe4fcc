import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, afterAll, describe, expect, test } from '@jest/globals';
import { openBridge, type TestBridge } from './support/bridge.ts';
import { statementsDuring } from './support/statements.ts';

const REGISTER = '/api/trial/register';
const ACCEPTED = { status: 'accepted' };
const newAddress = () => `ada.${randomUUID()}@example.com`;
const register = (bridge: TestBridge, body: object, headers: Record<string, string> = {}) => bridge.send(REGISTER, { body, headers });
const refused = (statuses: readonly number[]) => statuses.filter((status) => status === 429).length;
const requestOf = (bridge: TestBridge, address: string) =>
  bridge.db.selectFrom('bridge.sign_up_request').selectAll().where('address', '=', address).executeTakeFirst();

describe('register', () => {
  let bridge: TestBridge;
  beforeAll(async () => {
    bridge = await openBridge({
      env: { REGISTER_LIMIT_PER_CLIENT_PER_MINUTE: '10000', REGISTER_LIMIT_PER_MINUTE: '10000' },
      product: {
        origins: ['https://www.example.com'],
        attributes: [
          { id: 'team', label: 'Team', required: true, max_length: 10 },
          { id: 'role', label: 'Role', required: false, max_length: 10 },
        ],
        consents: [
          { id: 'terms', label: 'Terms', version: '2', required: true },
          { id: 'news', label: 'News', version: '1', required: false },
        ],
      },
    });
  });
  afterAll(() => bridge.close());

  const asked = { attributes: { team: 'one' }, consents: [{ id: 'terms', version: '2' }] };

  test.each([REGISTER, '/api/legacy/trial/register'])('at %s accepts an address', async (path) => {
    const answer = await bridge.send(path, { body: { username: newAddress(), ...asked } });
    expect([answer.status, answer.body]).toEqual([202, ACCEPTED]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
  });

  test('keeps what was given', async () => {
    const username = newAddress();
    const given = { firstname: 'Ada', lastname: 'Lovelace', company: 'Engines', locale: 'fr-FR', next_page: '/start?x=1' };
    await register(bridge, { username: username.toUpperCase(), product: 'app', ...given, ...asked }, { 'x-request-id': 'req-1' });
    expect(await requestOf(bridge, username)).toMatchObject({
      product: 'app',
      first_name: 'Ada',
      last_name: 'Lovelace',
      company: 'Engines',
      locale: 'fr',
      next_page: '/start?x=1',
      attributes: { team: 'one' },
      consents: [{ id: 'terms', version: '2' }],
      request_id: 'req-1',
    });
  });

  test.each([
    ['en', undefined, undefined],
    ['fr', 'fr', 'en'],
    ['fr', undefined, 'de, fr-CA;q=0.9, en;q=0.8'],
    ['en', 'de', 'fr;q=0, *'],
  ])('speaks %s when asked for %s by a browser that speaks %s', async (expected, locale, browser) => {
    const username = newAddress();
    await register(bridge, { username, ...(locale ? { locale } : {}), ...asked }, browser ? { 'accept-language': browser } : {});
    expect(await requestOf(bridge, username)).toMatchObject({ locale: expected });
  });

  test.each<[string, object]>([
    ['no username', {}],
    ['a username that is no text', { username: ['ada@example.com'] }],
    ['an address without a domain', { username: 'ada' }],
    ['an unknown field', { username: 'ada@example.com', admin: true }],
    ['a prototype', JSON.parse('{"username":"ada@example.com","__proto__":{"x":1}}') as object],
    ['an unknown product', { username: 'ada@example.com', product: 'nothing' }],
    ['a name that is too long', { username: 'ada@example.com', firstname: 'A'.repeat(201) }],
    ['a line break in a name', { username: 'ada@example.com', firstname: 'A\r\nBcc: eve@example.com' }],
    ['a locale that is none', { username: 'ada@example.com', locale: '../../etc' }],
    ['a next page elsewhere', { username: 'ada@example.com', next_page: 'https://evil.example' }],
    ['a next page with two slashes', { username: 'ada@example.com', next_page: '//evil.example' }],
    ['a next page with a backslash', { username: 'ada@example.com', next_page: '/\\evil.example' }],
    ['a next page with a tab', { username: 'ada@example.com', next_page: '/\t/evil.example' }],
    ['an undeclared attribute', { username: 'ada@example.com', attributes: { team: 'one', shoe: '42' } }],
    ['an attribute that is too long', { username: 'ada@example.com', attributes: { team: 'one two three' } }],
    ['a required attribute missing', { username: 'ada@example.com', attributes: { role: 'x' } }],
    ['a required attribute that is blank', { username: 'ada@example.com', attributes: { team: ' ' } }],
    ['an undeclared consent', { username: 'ada@example.com', consents: [{ id: 'soul', version: '1' }] }],
    ['an old version of a consent', { username: 'ada@example.com', consents: [{ id: 'terms', version: '1' }] }],
    ['a required consent missing', { username: 'ada@example.com', consents: [{ id: 'news', version: '1' }] }],
    ['a consent twice', { username: 'ada@example.com', consents: [...asked.consents, ...asked.consents] }],
  ])('refuses %s', async (_name, body) => {
    const answer = await register(bridge, { ...asked, ...body });
    expect([answer.status, answer.body['code']]).toEqual([400, 'invalid_request']);
  });

  test.each<[string, object]>([
    ['username', { username: 'ada' }],
    ['username', { username: ['ada@example.com'] }],
    ['product', { product: 'nothing' }],
    ['firstname', { firstname: 'A'.repeat(201) }],
    ['next_page', { next_page: '/api/logout' }],
    ['attributes.team', { attributes: {} }],
    ['attributes.shoe', { attributes: { ...asked.attributes, shoe: '42' } }],
    ['consents.terms', { consents: [] }],
  ])('a refusal names its field: %s', async (field, body) => {
    const answer = await register(bridge, { username: newAddress(), ...asked, ...body });
    expect([answer.status, answer.body['field']]).toEqual([400, field]);
  });

  describe('from a browser of another origin', () => {
    const origin = 'https://www.example.com';

    test('answers the preflight of a listed origin', async () => {
      const answer = await bridge.send(REGISTER, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
      expect(answer.status).toBe(204);
      expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
      expect(answer.headers.get('access-control-allow-methods')).toBe('POST');
    });

    test.each(['https://evil.example', 'https://www.example.com.evil.example', 'http://www.example.com', 'null'])('gives %s no permission', async (other) => {
      for (const method of ['OPTIONS', 'POST']) {
        const body = method === 'POST' ? { username: newAddress(), ...asked } : undefined;
        const answer = await bridge.send(REGISTER, { method, body, headers: { origin: other, 'access-control-request-method': 'POST' } });
        expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([method === 'POST' ? 202 : 204, null]);
      }
    });

    test('lets a listed origin read the answer', async () => {
      const answer = await register(bridge, { username: newAddress(), ...asked }, { origin });
      expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
      expect(answer.headers.get('access-control-expose-headers')).toContain('Retry-After');
    });
  });
});

describe('the limits of register', () => {
  let bridge: TestBridge;
  afterEach(() => bridge.close());
  const attempts = (count: number, headers: () => Record<string, string> | Promise<Record<string, string>> = () => ({})) =>
    Promise.all(Array.from({ length: count }, async () => (await register(bridge, { username: newAddress() }, await headers())).status));

  test('are 10 a minute for a client address, with the wait in a header and in words', async () => {
    bridge = await openBridge();
    expect(refused(await attempts(12))).toBe(2);
    const answer = await register(bridge, { username: newAddress() });
    const seconds = Number(answer.headers.get('retry-after'));
    expect(answer.status).toBe(429);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(answer.body['detail']).toMatch(seconds === 60 ? /in 1 minute\./ : new RegExp(`in ${seconds} seconds?\\.`));
  });

  test('count what everybody sends as well', async () => {
    bridge = await openBridge({ env: { REGISTER_LIMIT_PER_MINUTE: '3', TRUSTED_PROXIES: '127.0.0.0/8' } });
    let client = 0;
    expect(refused(await attempts(5, () => ({ 'x-forwarded-for': `192.0.2.${(client += 1)}` })))).toBe(2);
  });

  test('do not believe X-Forwarded-For of strangers (SECURITY.md 11)', async () => {
    bridge = await openBridge();
    let client = 0;
    expect(refused(await attempts(12, () => ({ 'x-forwarded-for': `192.0.2.${(client += 1)}` })))).toBe(2);
  });

  test.each([
    ['a service token of the proxy', 0, (one: TestBridge) => one.realm.serviceToken('vestibule-proxy', 'trial-manage')],
    ["a person's token of the proxy's client", 2, (one: TestBridge) => one.realm.serviceToken('vestibule-proxy', 'trial-manage', { preferred_username: 'ada@example.com' })],
    ['a service token of another client', 2, (one: TestBridge) => one.realm.serviceToken('operator', 'trial-manage')],
  ])('with %s refuse %i of 12', async (_name, expected, token) => {
    bridge = await openBridge();
    const authorization = `Bearer ${await token(bridge)}`;
    let client = 0;
    expect(refused(await attempts(12, () => ({ authorization, 'x-forwarded-for': `192.0.2.${(client += 1)}` })))).toBe(expected);
  });

  test.each<[string, (one: TestBridge) => Promise<string> | string]>([
    ['has expired', (one) => one.realm.serviceToken('vestibule-proxy', 'trial-manage', { exp: Math.floor(Date.now() / 1000) - 1 })],
    ['is signed by an unknown key', (one) => one.realm.stepToken({ azp: 'vestibule-proxy' }, { kid: 'nobody' })],
    ['is none', () => 'let-me-in'],
  ])('are not applied to a caller whose token %s: it gets 401 and may renew it', async (_name, token) => {
    bridge = await openBridge();
    const username = newAddress();
    const answer = await register(bridge, { username }, { authorization: `Bearer ${await token(bridge)}`, 'x-forwarded-for': '192.0.2.1' });
    expect([answer.status, answer.body['code']]).toEqual([401, 'unauthorized']);
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(await requestOf(bridge, username)).toBeUndefined();
  });

  test('count an IPv6 client by its /64 (SECURITY.md 11)', async () => {
    bridge = await openBridge({ env: { TRUSTED_PROXIES: '127.0.0.1' } });
    let client = 0;
    expect(refused(await attempts(12, () => ({ 'x-forwarded-for': `2001:db8:0:1::${(client += 1)}` })))).toBe(2);
    expect(refused(await attempts(1, () => ({ 'x-forwarded-for': '2001:db8:0:2::1' })))).toBe(0);
  });
});

describe('the work of register', () => {
  test('is the same statements for a new, an invited and a known address', async () => {
    const held = heldAccounts();
    const bridge = await openBridge({ accounts: held.accounts });
    try {
      const [fresh, invited] = [newAddress(), newAddress()];
      await bridge.invite({ address: invited });
      const made: (readonly string[])[] = [];
      for (const username of [fresh, invited, held.known]) made.push((await statementsDuring(() => register(bridge, { username }))).map(shortened));
      expect(made[0]).toEqual(['upsert rate_limit', 'upsert rate_limit', 'begin', 'insert sign_up_request', 'add_job', 'commit']);
      expect(made[1]).toEqual(made[0]);
      expect(made[2]).toEqual(made[0]);
    } finally {
      held.go();
      await bridge.close();
    }
  });
});

/** Accounts that nobody is told about before `go`: jobs wait there, so that what a request does stands alone. */
function heldAccounts() {
  const known = newAddress();
  const gate = Promise.withResolvers<void>();
  const findByAddress = async (username: string) => {
    await gate.promise;
    return username === known ? { id: 'known', username, emailVerified: true, stamps: [] } : undefined;
  };
  return { known, go: gate.resolve, accounts: { findByAddress, findById: async () => undefined, check: async () => {} } };
}

function shortened(text: string): string {
  const kinds: readonly (readonly [RegExp, string])[] = [
    [/rate_limit/, 'upsert rate_limit'],
    [/^insert into "bridge"."sign_up_request"/, 'insert sign_up_request'],
    [/^select \(graphile_worker\.add_job/, 'add_job'],
  ];
  return kinds.find(([pattern]) => pattern.test(text))?.[1] ?? text;
}
