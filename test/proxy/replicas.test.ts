import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { movableClock } from '../../platform/clock.ts';
import { eventually } from '../support/eventually.ts';
import { openRelay } from '../support/relay.ts';
import { Browser } from './support/browser.ts';
import { startStand, type Replica, type Stand } from './support/stand.ts';
import { asSuperuser } from './support/superuser.ts';

/** What MODEL.md promises for a change while notices are heard, and while they are not. */
const HOLDS_WITHIN_MS = 1_000;
const HOLDS_UNHEARD_WITHIN_MS = 10_000;
const ACCESS_SECONDS = 300;
/** As the connection for notices calls itself. */
const NOTICES = 'vestibule-proxy-notices';
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const ADA = { sub: 'user-ada', email: 'ada@example.com', name: 'Ada Lovelace' };
const XHR = { accept: 'application/json', 'sec-fetch-mode': 'cors' };

let stand: Stand;
let other: Replica;
beforeAll(async () => {
  stand = await startStand();
  other = await stand.replica();
});
afterAll(async () => {
  await other.proxy.stop();
  await stand.stop();
});
afterEach(() => {
  stand.provider.person = ADA;
  stand.provider.misbehave = {};
  stand.clock.setOffset(0);
});

/** The same person at the other replica: a load balancer sends them here and there. */
function atOther(browser: Browser, { url } = other): Browser {
  const same = new Browser(url);
  for (const [name, value] of browser.cookies) same.cookies.set(name, value);
  return same;
}

const statusOf = async (browser: Browser) => (await browser.send('/', { headers: XHR })).status;
const isRefused = (browser: Browser) => async () => (await statusOf(browser)) === 401;

const refreshes = () => stand.provider.tokenRequests.filter((request) => request.get('grant_type') === 'refresh_token').length;
const tell = (token: string, at = stand.url) => new Browser(at).send('/api/logout/back-channel', { method: 'POST', form: { logout_token: token } });
const now = () => Math.floor(Date.now() / 1000);

/** Signed in, and known in the memory of both. */
async function knownToBoth(): Promise<{ here: Browser; there: Browser }> {
  const here = await stand.signedIn();
  const there = atOther(here);
  expect([await statusOf(here), await statusOf(there)]).toEqual([200, 200]);
  return { here, there };
}

describe('on the other replica', () => {
  test('a logout holds within a second', async () => {
    const { here, there } = await knownToBoth();
    await here.post('/api/logout', {});
    await eventually(isRefused(there), HOLDS_WITHIN_MS);
  });

  test('a row that is deleted by hand holds within a second', async () => {
    const { here, there } = await knownToBoth();
    await asSuperuser(stand, 'delete from proxy.session');
    await eventually(isRefused(here), HOLDS_WITHIN_MS);
    await eventually(isRefused(there), HOLDS_WITHIN_MS);
  });

  test('a new login under another person ends the first one there too', async () => {
    const { here, there } = await knownToBoth();
    stand.provider.person = { sub: 'user-bob', email: 'bob@example.com', name: 'Bob' };
    const question = await here.follow(await here.get('/api/login'));
    const login = new URL(question.at).searchParams.get('login') ?? '';
    await here.post('/api/login/other-person', { login, choice: 'go_on' });
    await eventually(isRefused(there), HOLDS_WITHIN_MS);
  });

  test('a change that was made while its connection was down holds within 10 s', async () => {
    const { here, there } = await knownToBoth();
    await asSuperuser(stand, `select pg_terminate_backend(pid) from pg_stat_activity where application_name = '${NOTICES}' and datname = current_database()`);
    await asSuperuser(stand, 'delete from proxy.session');
    await eventually(isRefused(here), HOLDS_UNHEARD_WITHIN_MS);
    await eventually(isRefused(there), HOLDS_UNHEARD_WITHIN_MS);
  });

  test('while its connection for notices stays down a logout holds within 10 s, and once it is back within one (SECURITY 23)', async () => {
    const url = new URL(stand.database.proxyUrl);
    const relay = await openRelay(Number(url.port));
    url.port = String(relay.port);
    const deaf = await stand.replica({ PROXY_DATABASE_URL: url.href });
    const told = (what: string) => deaf.log().split(what).length - 1;
    const signedInAtBoth = async (sub: string) => {
      stand.provider.person = { ...ADA, sub };
      const here = await stand.signedIn();
      const there = atOther(here, deaf);
      expect(await statusOf(there)).toBe(200);
      return { here, there };
    };
    try {
      // By what a connection says of itself first: all others of this replica go on.
      relay.inject({ sees: NOTICES, does: 'cut-request', times: Number.POSITIVE_INFINITY });
      await asSuperuser(stand, `select pg_terminate_backend(pid) from pg_stat_activity where application_name = '${NOTICES}' and datname = current_database()`);
      await eventually(() => told('are not heard') === 1);
      const [first, second] = [await signedInAtBoth('user-ada'), await signedInAtBoth('user-max')];
      await first.here.post('/api/logout', {});
      await eventually(isRefused(first.there), HOLDS_UNHEARD_WITHIN_MS);
      expect([await statusOf(second.there), told('are heard again')]).toEqual([200, 0]);
      await relay.mend();
      await eventually(() => told('are heard again') === 1);
      expect(await statusOf(second.there)).toBe(200);
      await second.here.post('/api/logout', {});
      await eventually(isRefused(second.there), HOLDS_WITHIN_MS);
    } finally {
      await deaf.proxy.stop();
      await relay.close();
    }
  });

  test('what another replica saw counts against the idle end', async () => {
    const { here, there } = await knownToBoth();
    for (const minutes of [20, 40]) {
      stand.clock.setOffset(minutes * 60);
      expect(await statusOf(here)).toBe(200);
    }
    await eventually(async () => (await statusOf(there)) === 200, HOLDS_WITHIN_MS);
  });
});

describe('Postgres away', () => {
  test('whoever is signed in goes on, nobody new gets in, readyz says so, and it recovers by itself', async () => {
    const { here } = await knownToBoth();
    const stranger = new Browser(stand.url);
    stranger.cookies.set('vestibule_dev', 'A'.repeat(43));
    const [{ name }] = (await asSuperuser<{ name: string }>(stand, 'select current_database() as name')) as [{ name: string }];
    const elsewhere = new URL(stand.database.adminUrl);
    elsewhere.pathname = '/postgres';
    const admin = new Client({ connectionString: elsewhere.href });
    await admin.connect();
    try {
      await admin.query(`alter database ${name} allow_connections false`);
      await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
      await eventually(async () => (await here.get('/readyz')).status === 503);
      expect(await statusOf(here)).toBe(200);
      expect(await statusOf(stranger)).toBe(503);
      expect((await new Browser(stand.url).get('/api/login')).status).toBeGreaterThanOrEqual(500);
      // Who could not be signed out can try again.
      expect((await here.post('/api/logout', {})).status).toBe(503);
      expect(await statusOf(here)).toBe(200);
    } finally {
      await admin.query(`alter database ${name} allow_connections true`);
      await admin.end();
    }
    await eventually(async () => (await here.get('/readyz')).status === 200);
    await here.post('/api/logout', {});
    await eventually(isRefused(here));
  });
});

describe('Postgres silent', () => {
  test('who is signed in does not wait for it, even where a refresh is due; others hear of it, and it recovers by itself', async () => {
    const url = new URL(stand.database.proxyUrl);
    const relay = await openRelay(Number(url.port));
    url.port = String(relay.port);
    const there = await stand.replica({ PROXY_DATABASE_URL: url.href });
    const known = atOther(await stand.signedIn(), there);
    const stranger = new Browser(there.url);
    stranger.cookies.set('vestibule_dev', 'B'.repeat(43));
    try {
      expect(await statusOf(known)).toBe(200);
      relay.inject({ sees: '', does: 'hold-request', times: Number.POSITIVE_INFINITY });
      stand.clock.setOffset(ACCESS_SECONDS + 1);
      const answers: number[] = [];
      const asking = Promise.all(Array.from({ length: 30 }, async () => answers.push(await statusOf(known))));
      await eventually(async () => answers.length === 30, HOLDS_UNHEARD_WITHIN_MS);
      expect(answers).toEqual(Array(30).fill(200));
      await asking;
      expect(await statusOf(stranger)).toBe(503);
      await relay.mend();
      await eventually(async () => (await statusOf(stranger)) === 401);
    } finally {
      await relay.mend();
      await there.proxy.stop();
      await relay.close();
    }
  });
});

const rowOf = async (sub: string) => (await asSuperuser<{ lease: Date | null }>(stand, `select refresh_lease_until as lease from proxy.session where sub = '${sub}'`))[0];

describe('refresh', () => {
  test('100 requests at once on two replicas, when the access token has ended: one refresh, all answered', async () => {
    const { here, there } = await knownToBoth();
    const before = refreshes();
    stand.clock.setOffset(ACCESS_SECONDS + 1);
    const statuses = await Promise.all(Array.from({ length: 100 }, (_, number) => statusOf(number % 2 === 0 ? here : there)));
    expect(statuses.every((status) => status === 200)).toBe(true);
    expect(refreshes() - before).toBe(1);
  });

  test('is one replica’s for longer than a slow provider may take over it: four questions, five seconds each', async () => {
    stand.provider.person = { sub: 'user-lee', email: 'lee@example.com', name: 'Lee' };
    const { here } = await knownToBoth();
    let leaseSeconds = 0;
    stand.provider.misbehave = {
      idToken: async (honest) => {
        const [row] = await asSuperuser<{ seconds: number }>(stand, `select extract(epoch from refresh_lease_until - clock_timestamp())::float as seconds from proxy.session where sub = 'user-lee'`);
        leaseSeconds = row?.seconds ?? 0;
        return honest;
      },
    };
    stand.clock.setOffset(ACCESS_SECONDS + 1);
    expect(await statusOf(here)).toBe(200);
    expect(leaseSeconds).toBeGreaterThan(20);
    expect(leaseSeconds).toBeLessThan(23);
  });

  test('is one replica’s, however far ahead the clock of another is', async () => {
    stand.provider.person = { ...ADA, sub: 'user-ahead' };
    const ahead = movableClock();
    const early = await stand.replica({}, ahead);
    const here = await stand.signedIn();
    const there = atOther(here, early);
    try {
      expect(await statusOf(there)).toBe(200);
      const before = refreshes();
      let asked: Promise<number> | undefined;
      stand.provider.misbehave = {
        idToken: async (honest) => {
          asked ??= statusOf(there);
          // The other one has its chance.
          await eventually(() => refreshes() - before === 2, 500).catch(() => {});
          return honest;
        },
      };
      stand.clock.setOffset(ACCESS_SECONDS + 1);
      ahead.setOffset(ACCESS_SECONDS + 26);
      expect([await statusOf(here), await asked, refreshes() - before]).toEqual([200, 200, 1]);
    } finally {
      await early.proxy.stop();
    }
  });

  test('before the end: one starts, and nobody waits for it', async () => {
    const { here, there } = await knownToBoth();
    const before = refreshes();
    stand.clock.setOffset(ACCESS_SECONDS - 10);
    await Promise.all(Array.from({ length: 20 }, (_, number) => statusOf(number % 2 === 0 ? here : there)));
    await eventually(async () => refreshes() - before === 1);
  });

  test('what the provider says then is what the app hears', async () => {
    const { here } = await knownToBoth();
    stand.provider.person = { ...ADA, name: 'Ada King' };
    stand.clock.setOffset(ACCESS_SECONDS + 1);
    await statusOf(here);
    expect(stand.app.last().headers['x-user-name']).toBe('Ada King');
  });

  test('brings a new end of the trial', async () => {
    const begin = now();
    stand.provider.person = { ...ADA, trial: { app: 'app-1', endsAt: begin + 400, accessUntil: begin + 400 } };
    const { here, there } = await knownToBoth();
    stand.provider.person = { ...ADA, trial: { app: 'app-1', endsAt: begin + 900, accessUntil: begin + 900 } };
    stand.clock.setOffset(ACCESS_SECONDS + 1);
    await statusOf(here);
    stand.clock.setOffset(500);
    expect([await statusOf(here), await statusOf(there)]).toEqual([200, 200]);
    stand.clock.setOffset(901);
    expect([await statusOf(here), await statusOf(there)]).toEqual([401, 401]);
  });

  test('invalid_grant ends the session, on the other replica too', async () => {
    const { here, there } = await knownToBoth();
    stand.provider.misbehave = { refresh: { status: 400, body: { error: 'invalid_grant' } } };
    stand.clock.setOffset(ACCESS_SECONDS + 1);
    expect(await statusOf(here)).toBe(401);
    await eventually(isRefused(there), HOLDS_WITHIN_MS);
  });

  test.each([
    ['does not answer', { down: true }],
    ['has a fault', { refresh: { status: 500, body: {} } }],
    ['refuses the client', { refresh: { status: 401, body: { error: 'invalid_client' } } }],
    ['answers nonsense', { refresh: { status: 200, body: { hello: 'world' } } }],
  ])('a provider that %s does not end it, and is asked again later', async (_fault, misbehave) => {
    const { here } = await knownToBoth();
    stand.provider.misbehave = misbehave;
    stand.clock.setOffset(ACCESS_SECONDS + 1);
    expect(await statusOf(here)).toBe(200);
    stand.provider.misbehave = {};
    const before = refreshes();
    await eventually(async () => (await asSuperuser<{ lease: Date | null }>(stand, 'select refresh_lease_until as lease from proxy.session order by created_at desc limit 1'))[0]?.lease === null);
    stand.clock.setOffset(ACCESS_SECONDS + 60);
    expect(await statusOf(here)).toBe(200);
    expect(refreshes() - before).toBe(1);
  });

  test('with tokens that end at once it is not begun by each request', async () => {
    stand.provider.misbehave = { expiresIn: 1 };
    const { here } = await knownToBoth();
    const before = refreshes();
    stand.clock.setOffset(16);
    for (let request = 0; request < 20; request += 1) expect(await statusOf(here)).toBe(200);
    await eventually(async () => refreshes() - before === 1);
    for (let request = 0; request < 20; request += 1) expect(await statusOf(here)).toBe(200);
    expect(refreshes() - before).toBe(1);
  });

  test('while it fails it is not asked again by each request', async () => {
    const { here, there } = await knownToBoth();
    stand.provider.misbehave = { refresh: { status: 500, body: {} } };
    stand.clock.setOffset(ACCESS_SECONDS + 1);
    const before = refreshes();
    await statusOf(here);
    stand.clock.setOffset(ACCESS_SECONDS + 10);
    for (let request = 0; request < 20; request += 1) expect(await statusOf(request % 2 === 0 ? here : there)).toBe(200);
    expect(refreshes() - before).toBe(1);
  });

  test('a session that a new login replaced is over soon, whatever a refresh brings', async () => {
    const { here, there } = await knownToBoth();
    await here.follow(await here.get('/api/login'));
    stand.clock.setOffset(9);
    stand.provider.misbehave = {};
    await asSuperuser(stand, `update proxy.session set refresh_due_at = now() where id_hash in (select id_hash from proxy.session where sub = 'user-ada' order by absolute_end_at limit 1)`);
    const before = refreshes();
    expect(await statusOf(there)).toBe(200);
    await eventually(async () => refreshes() - before === 1);
    stand.clock.setOffset(11);
    await eventually(isRefused(there), HOLDS_WITHIN_MS);
    expect(await statusOf(here)).toBe(200);
  });

  test('tokens that no key of ours opens end it: unrefreshed it would go on for hours', async () => {
    const rekeyed = await stand.replica({ SESSION_ENCRYPTION_KEY: randomBytes(32).toString('base64') });
    const here = await stand.signedIn();
    const there = atOther(here, rekeyed);
    expect(await statusOf(there)).toBe(200);
    stand.clock.setOffset(ACCESS_SECONDS + 1);
    expect(await statusOf(there)).toBe(401);
    expect(rekeyed.log()).toContain('SESSION_ENCRYPTION_KEY and _PREVIOUS are of other keys');
    await eventually(isRefused(here), HOLDS_WITHIN_MS);
    await rekeyed.proxy.stop();
  });

  test('keeps what the answer leaves out: the sid, and the end that the provider set', async () => {
    stand.provider.person = { sub: 'user-kim', email: 'kim@example.com', name: 'Kim' };
    const until = now() + 2 * ACCESS_SECONDS;
    stand.provider.misbehave = { claims: (claims) => ({ ...claims, session_expiry: until }) };
    const { here, there } = await knownToBoth();
    stand.provider.misbehave = { claims: ({ sid: _sid, ...claims }) => claims };
    stand.clock.setOffset(ACCESS_SECONDS + 1);
    expect([await statusOf(here), await statusOf(there)]).toEqual([200, 200]);
    stand.clock.setOffset(until - now());
    expect(await statusOf(here)).toBe(401);
    stand.clock.setOffset(ACCESS_SECONDS + 1);
    expect((await tell(await stand.provider.logoutToken({ sub: undefined }))).status).toBe(200);
    await eventually(isRefused(here), HOLDS_WITHIN_MS);
  });

  test('brings a new end that the provider set', async () => {
    const begin = now();
    stand.provider.misbehave = { claims: (claims) => ({ ...claims, session_expiry: begin + ACCESS_SECONDS + 60 }) };
    const { here } = await knownToBoth();
    stand.provider.misbehave = { claims: (claims) => ({ ...claims, session_expiry: begin + 3 * ACCESS_SECONDS }) };
    stand.clock.setOffset(ACCESS_SECONDS + 1);
    expect(await statusOf(here)).toBe(200);
    stand.clock.setOffset(ACCESS_SECONDS + 61);
    expect(await statusOf(here)).toBe(200);
  });

  describe('whose answer can not be saved at once: the old token is used up', () => {
    test('it is kept, nobody waits for it, and it is saved when Postgres takes it', async () => {
      const url = new URL(stand.database.proxyUrl);
      const relay = await openRelay(Number(url.port));
      url.port = String(relay.port);
      const there = await stand.replica({ PROXY_DATABASE_URL: url.href });
      stand.provider.person = { ...ADA, sub: 'user-kept' };
      const known = atOther(await stand.signedIn(), there);
      expect(await statusOf(known)).toBe(200);
      const before = refreshes();
      try {
        relay.inject({ sees: '"sealed_tokens" = ', does: 'cut-request', times: Number.POSITIVE_INFINITY });
        const isAnsweredAt = async (seconds: number) => {
          stand.clock.setOffset(seconds);
          const begin = performance.now();
          expect([await statusOf(known), refreshes() - before]).toEqual([200, 1]);
          expect(performance.now() - begin).toBeLessThan(3_000);
        };
        await isAnsweredAt(ACCESS_SECONDS + 1);
        const [held] = await asSuperuser<{ lease: string }>(stand, `select refresh_lease_until::text as lease from proxy.session where sub = 'user-kept'`);
        // The lease has lapsed: whoever is to save does not ask with the old token.
        await asSuperuser(stand, `update proxy.session set refresh_lease_until = now() - interval '1 hour' where sub = 'user-kept'`);
        await isAnsweredAt(ACCESS_SECONDS + 60);
        await asSuperuser(stand, `update proxy.session set refresh_lease_until = '${held?.lease}' where sub = 'user-kept'`);
        await relay.mend();
        await eventually(async () => (await rowOf('user-kept'))?.lease === null);
        stand.clock.setOffset(2 * ACCESS_SECONDS);
        expect([await statusOf(known), refreshes() - before]).toEqual([200, 2]);
      } finally {
        await there.proxy.stop();
        await relay.close();
      }
    });

    test('late, it takes the place of nothing that another replica has saved since', async () => {
      const url = new URL(stand.database.proxyUrl);
      const relay = await openRelay(Number(url.port));
      url.port = String(relay.port);
      const there = await stand.replica({ PROXY_DATABASE_URL: url.href });
      stand.provider.person = { ...ADA, sub: 'user-late', name: 'Early' };
      const known = atOther(await stand.signedIn(), there);
      expect(await statusOf(known)).toBe(200);
      try {
        relay.inject({ sees: '"sealed_tokens" = ', does: 'cut-request', times: Number.POSITIVE_INFINITY });
        stand.clock.setOffset(ACCESS_SECONDS + 1);
        expect(await statusOf(known)).toBe(200);
        await asSuperuser(stand, `update proxy.session set refresh_lease_until = null, name = 'Since' where sub = 'user-late'`);
      } finally {
        await relay.mend();
        await there.proxy.stop();
        await relay.close();
      }
      expect(await asSuperuser(stand, `select name from proxy.session where sub = 'user-late'`)).toEqual([{ name: 'Since' }]);
    });

    test('a proxy that stops waits for it', async () => {
      stand.provider.person = { ...ADA, sub: 'user-stop' };
      const leaving = await stand.replica();
      const here = await stand.signedIn();
      const there = atOther(here, leaving);
      expect(await statusOf(there)).toBe(200);
      const answer = Promise.withResolvers<void>();
      stand.provider.misbehave = { idToken: async (honest) => answer.promise.then(() => honest) };
      const before = refreshes();
      stand.clock.setOffset(ACCESS_SECONDS - 10);
      expect(await statusOf(there)).toBe(200);
      await eventually(() => refreshes() - before === 1);
      const stopped = leaving.proxy.stop();
      await eventually(() => there.get('/livez').then(() => false, () => true));
      answer.resolve();
      await stopped;
      expect((await rowOf('user-stop'))?.lease).toBeNull();
      stand.provider.misbehave = {};
      stand.clock.setOffset(2 * ACCESS_SECONDS);
      expect(await statusOf(here)).toBe(200);
    });
  });

  test("somebody else's token is not taken", async () => {
    const { here } = await knownToBoth();
    stand.provider.person = { sub: 'user-bob', email: 'bob@example.com', name: 'Bob' };
    stand.clock.setOffset(ACCESS_SECONDS + 1);
    expect(await statusOf(here)).toBe(200);
    expect(stand.app.last().headers['x-user']).toBe('user-ada');
  });
});

describe('back-channel logout', () => {
  test('ends the sessions of that sid on every replica, and no other', async () => {
    const { here, there } = await knownToBoth();
    stand.provider.person = { sub: 'user-bob', email: 'bob@example.com', name: 'Bob' };
    const bob = await stand.signedIn();
    stand.provider.person = ADA;
    expect((await tell(await stand.provider.logoutToken())).status).toBe(200);
    await eventually(isRefused(here), HOLDS_WITHIN_MS);
    await eventually(isRefused(there), HOLDS_WITHIN_MS);
    expect(await statusOf(bob)).toBe(200);
  });

  test('without sid it ends everything of the person up to then', async () => {
    const { here, there } = await knownToBoth();
    expect((await tell(await stand.provider.logoutToken({ sid: undefined }))).status).toBe(200);
    await eventually(isRefused(here), HOLDS_WITHIN_MS);
    await eventually(isRefused(there), HOLDS_WITHIN_MS);
  });

  test('wins over a sign-in that is under way (SECURITY 23)', async () => {
    stand.provider.person = { sub: 'user-eve', email: 'eve@example.com', name: 'Eve' };
    stand.provider.misbehave = {
      idToken: async (honest) => {
        expect((await tell(await stand.provider.logoutToken(), other.url)).status).toBe(200);
        return honest;
      },
    };
    const browser = new Browser(stand.url);
    await browser.follow(await browser.get('/api/login'));
    expect(await statusOf(browser)).toBe(401);
  });

  test.each(['here', 'on the other replica', 'at a provider that names no sessions'])('so does a logout by the person, %s (SECURITY 23)', async (where) => {
    stand.provider.person = { sub: `user-${where.length}`, email: 'eve@example.com', name: 'Eve' };
    const honest = where.endsWith('sessions') ? { claims: ({ sid: _sid, ...claims }: Record<string, unknown>) => claims } : {};
    stand.provider.misbehave = honest;
    const { here, there } = await knownToBoth();
    const tab = new Browser(stand.url);
    stand.provider.misbehave = {
      ...honest,
      idToken: async (honest) => {
        expect((await (where === 'here' ? here : there).post('/api/logout', {}, { origin: stand.url })).status).toBe(303);
        return honest;
      },
    };
    await tab.follow(await tab.get('/api/login'));
    expect(await statusOf(tab)).toBe(401);
    stand.provider.misbehave = honest;
    await tab.follow(await tab.get('/api/login'));
    expect(await statusOf(tab)).toBe(200);
  });

  test('a token works once (replay)', async () => {
    const token = await stand.provider.logoutToken();
    expect((await tell(token)).status).toBe(200);
    expect((await tell(token, other.url)).status).toBe(400);
  });

  test.each<[string, () => Promise<string>]>([
    ['no token', async () => ''],
    ['not a token', async () => 'a.b.c'],
    ['alg none', () => stand.provider.logoutToken({}, { alg: 'none' })],
    ["another's key", () => stand.provider.logoutToken({}, { alg: 'other-key' })],
    ['another issuer', () => stand.provider.logoutToken({ iss: 'https://evil.example' })],
    ['another audience', () => stand.provider.logoutToken({ aud: 'another-client' })],
    ['expired', () => stand.provider.logoutToken({ exp: now() - 60 })],
    ['without exp', () => stand.provider.logoutToken({ exp: undefined })],
    ['issued long ago', () => stand.provider.logoutToken({ iat: now() - 3_600 })],
    ['issued in the future', () => stand.provider.logoutToken({ iat: now() + 600 })],
    ['without iat', () => stand.provider.logoutToken({ iat: undefined })],
    ['without jti', () => stand.provider.logoutToken({ jti: undefined })],
    ['with a nonce', () => stand.provider.logoutToken({ nonce: 'n' })],
    ['without events, as an ID token is (SECURITY 15)', () => stand.provider.logoutToken({ events: undefined })],
    ['another event', () => stand.provider.logoutToken({ events: { 'http://example.com/event': {} } })],
    ['an event that is no object', () => stand.provider.logoutToken({ events: { [EVENT]: true } })],
    ['neither sid nor sub', () => stand.provider.logoutToken({ sid: undefined, sub: undefined })],
    ['the type of an access token', () => stand.provider.logoutToken({}, { typ: 'at+jwt' })],
  ])('%s: 400, and nobody is signed out', async (_rule, token) => {
    const here = await stand.signedIn();
    const reply = await tell(await token());
    expect([reply.status, reply.json()['error'], reply.headers.get('cache-control')]).toEqual([400, 'invalid_request', 'no-store']);
    expect(await statusOf(here)).toBe(200);
  });

  test("the provider's keys out of reach: an error that makes it try again, and the token is not used up", async () => {
    const fresh = await startStand();
    const here = await fresh.signedIn();
    await fresh.provider.rotateKeys();
    const token = await fresh.provider.logoutToken();
    fresh.provider.misbehave = { down: true };
    // Keys are looked for once a second at most.
    await eventually(async () => (await tell(token, fresh.url)).status >= 500);
    fresh.provider.misbehave = {};
    expect((await tell(token, fresh.url)).status).toBe(200);
    await eventually(isRefused(here));
    await fresh.stop();
  });
});

test('session_expiry of the provider ends the session on the second (IPSIE)', async () => {
  const until = now() + 600;
  stand.provider.misbehave = { claims: (claims) => ({ ...claims, session_expiry: until }) };
  const here = await stand.signedIn();
  stand.clock.setOffset(until - now() - 2);
  expect(await statusOf(here)).toBe(200);
  stand.clock.setOffset(until - now());
  expect(await statusOf(here)).toBe(401);
});
