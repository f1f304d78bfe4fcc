import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { eventReader } from '../../proxy/bridge/event-stream.ts';
import { eventually } from '../support/eventually.ts';
import { scrape } from '../support/exposition.ts';
import { Browser } from './support/browser.ts';
import { startStand, type Replica, type Stand } from './support/stand.ts';

const HOLDS_WITHIN_MS = 1_000;
const HOLDS_UNHEARD_WITHIN_MS = 10_000;
const HOUR_SECONDS = 3_600;
const XHR = { accept: 'application/json', 'sec-fetch-mode': 'cors' };

let stand: Stand;
let other: Replica;
let people = 0;
beforeAll(async () => {
  stand = await startStand({ env: { PROXY_METRICS_PORT: '0' } });
  other = await stand.replica();
  await eventually(() => stand.bridge.feed.listeners() === 2);
});
afterAll(async () => {
  await other.proxy.stop();
  await stand.stop();
});
beforeEach(() => {
  people += 1;
  const until = now() + HOUR_SECONDS;
  stand.provider.person = { sub: `user-${people}`, email: `user-${people}@example.com`, name: 'Ada', trial: { app: 'app-1', endsAt: until, accessUntil: until } };
});
afterEach(async () => {
  stand.bridge.feed.mode = 'well';
  stand.provider.misbehave = {};
  stand.clock.setOffset(0);
  await eventually(() => stand.bridge.feed.listeners() === 2);
});

const now = () => Math.floor(Date.now() / 1000);
const statusOf = async (browser: Browser) => (await browser.send('/', { headers: XHR })).status;
const isRefused = (browser: Browser) => async () => (await statusOf(browser)) === 401;
const expiresAt = async (browser: Browser) => (JSON.parse((await browser.get('/api/session')).body) as { expires_at: number }).expires_at;
const tell = (trial_access_until: number | null, more: { product?: string; version?: number; trial_ends_at?: number; forgotten?: boolean } = {}) => stand.bridge.feed.tell({ user_id: `user-${people}`, trial_access_until, ...more });

/** The newest word that the proxy's database has about this person. */
async function toldVersion(): Promise<number> {
  const client = new Client({ connectionString: stand.database.adminUrl });
  await client.connect();
  const { rows } = await client.query('select max(version)::int as version from proxy.trial_end where user_id = $1', [`user-${people}`]);
  await client.end();
  return (rows[0] as { version: number | null }).version ?? 0;
}

/** `table.column` of every place of the proxy's that holds this text. */
async function placesOf(text: string): Promise<string[]> {
  const client = new Client({ connectionString: stand.database.adminUrl });
  await client.connect();
  const { rows } = await client.query<{ name: string; column: string }>("select table_name as name, column_name as column from information_schema.columns where table_schema = 'proxy'");
  const places = [];
  for (const { name, column } of rows) {
    const found = await client.query(`select 1 from proxy."${name}" where "${column}"::text ~ $1 limit 1`, [`\\m${text}\\M`]);
    if (found.rows.length > 0) places.push(`${name}.${column}`);
  }
  await client.end();
  return places;
}

async function trialOf(browser: Browser): Promise<{ app: string; ends_at: number | null; access_until: number | null }> {
  return (JSON.parse((await browser.get('/api/session')).body) as { trial: { app: string; ends_at: number | null; access_until: number | null } }).trial;
}

async function knownToBoth(): Promise<{ here: Browser; there: Browser }> {
  const here = await stand.signedIn();
  const there = new Browser(other.url);
  for (const [name, value] of here.cookies) there.cookies.set(name, value);
  expect([await statusOf(here), await statusOf(there)]).toEqual([200, 200]);
  return { here, there };
}

describe('what the bridge says of a trial holds in every replica within a second', () => {
  test('an end', async () => {
    const { here, there } = await knownToBoth();
    tell(now());
    await eventually(isRefused(here), HOLDS_WITHIN_MS);
    await eventually(isRefused(there), HOLDS_WITHIN_MS);
  });

  test('an end that is nearer than before', async () => {
    const { here, there } = await knownToBoth();
    const until = now() + 60;
    tell(until);
    await eventually(async () => (await expiresAt(here)) === until, HOLDS_WITHIN_MS);
    expect(await expiresAt(there)).toBe(until);
    expect(stand.app.last().headers['x-trial-ends-at']).not.toBe(String(until));
    await statusOf(here);
    expect(stand.app.last().headers['x-trial-ends-at']).toBe(String(until));
  });

  test('an end that people were told, with days of grace: the app hears of it', async () => {
    const { here, there } = await knownToBoth();
    tell(now() + HOUR_SECONDS, { trial_ends_at: now() - 1 });
    await eventually(async () => (await statusOf(here)) === 200 && stand.app.last().headers['x-trial-state'] === 'grace', HOLDS_WITHIN_MS);
    expect(await statusOf(there)).toBe(200);
  });

  test('more time, for whoever was refused a moment ago too', async () => {
    const { here, there } = await knownToBoth();
    tell(now());
    await eventually(isRefused(there), HOLDS_WITHIN_MS);
    tell(now() + 2 * HOUR_SECONDS);
    await eventually(async () => (await statusOf(here)) === 200, HOLDS_WITHIN_MS);
    expect(await statusOf(there)).toBe(200);
    stand.provider.misbehave = { refresh: { status: 500, body: {} } };
    stand.clock.setOffset(1.4 * HOUR_SECONDS);
    expect(await statusOf(here)).toBe(401);
  });

  test('somebody is erased whose account stays: the session goes on as an ordinary one, and no table has their id for the trial', async () => {
    const { here } = await knownToBoth();
    tell(now() + 60);
    await eventually(async () => (await toldVersion()) > 0);
    tell(null, { forgotten: true });
    await eventually(async () => (await trialOf(here)).access_until === null, HOLDS_WITHIN_MS);
    await eventually(async () => (await toldVersion()) === 0, HOLDS_WITHIN_MS);
    expect(await statusOf(here)).toBe(200);
  });

  test('somebody is erased whose account is gone: no name or address is left, and no id once no session could be left', async () => {
    const { here } = await knownToBoth();
    tell(now());
    await eventually(isRefused(here), HOLDS_WITHIN_MS);
    tell(now(), { forgotten: true });
    // An id alone, so that no sign-in under way opens a session.
    await eventually(async () => (await placesOf(`user-${people}`)).join() === 'trial_end.user_id', HOLDS_WITHIN_MS);
    stand.clock.setOffset(11 * HOUR_SECONDS);
    await stand.proxy.sweep();
    expect(await placesOf(`user-${people}`)).toEqual([]);
  });

  test('no end any more: the app stays theirs, at once and at the next sign-in', async () => {
    const { here } = await knownToBoth();
    const before = await trialOf(here);
    tell(null);
    await eventually(async () => (await trialOf(here)).access_until === null, HOLDS_WITHIN_MS);
    expect(await trialOf(here)).toEqual({ app: before.app, ends_at: null, access_until: null });
    await statusOf(here);
    expect(stand.app.last().headers).toMatchObject({ 'x-trial-app': before.app, 'x-trial-state': '', 'x-trial-ends-at': '' });
    const again = await stand.signedIn();
    expect(await trialOf(again)).toEqual({ app: before.app, ends_at: null, access_until: null });
  });
});

describe('whom it concerns', () => {
  test('nobody else', async () => {
    const { here } = await knownToBoth();
    stand.bridge.feed.tell({ user_id: 'somebody-else', trial_access_until: now() });
    tell(now(), { product: 'another' });
    await eventually(async () => (await toldVersion()) > 0);
    expect(await statusOf(here)).toBe(200);
  });

  test('a sign-in whose token is older: what was told counts', async () => {
    tell(now());
    await eventually(async () => (await toldVersion()) > 0);
    const browser = new Browser(stand.url);
    await browser.follow(await browser.get('/api/login'));
    expect(await statusOf(browser)).toBe(401);
  });

  test('a sign-in that is under way when it is told (SECURITY 23)', async () => {
    stand.provider.misbehave = {
      idToken: async (honest) => {
        tell(now());
        await eventually(async () => (await toldVersion()) > 0);
        return honest;
      },
    };
    const browser = new Browser(stand.url);
    await browser.follow(await browser.get('/api/login'));
    expect(await statusOf(browser)).toBe(401);
  });

  test('a refresh whose token is older', async () => {
    const { here } = await knownToBoth();
    const until = now() + 400;
    tell(until);
    await eventually(async () => (await expiresAt(here)) === until, HOLDS_WITHIN_MS);
    stand.clock.setOffset(301);
    expect(await statusOf(here)).toBe(200);
    expect(await expiresAt(here)).toBe(until);
  });

  test('an older word that comes later changes nothing (SECURITY 23)', async () => {
    const { here } = await knownToBoth();
    const until = now() + 500;
    tell(until, { version: 1_000_000 + people });
    await eventually(async () => (await expiresAt(here)) === until);
    tell(now(), { version: 3 });
    tell(now(), { product: 'another', version: 2_000_000 + people });
    await eventually(async () => (await toldVersion()) === 2_000_000 + people);
    expect(await expiresAt(here)).toBe(until);
  });
});

describe('while the feed is down, it holds within 10 s', () => {
  test('when its connection is broken', async () => {
    const { here, there } = await knownToBoth();
    stand.bridge.feed.mode = 'refused';
    tell(now());
    expect(await statusOf(here)).toBe(200);
    stand.bridge.feed.mode = 'well';
    await eventually(isRefused(here), HOLDS_UNHEARD_WITHIN_MS);
    await eventually(isRefused(there), HOLDS_UNHEARD_WITHIN_MS);
  });

  test('when streams bring nothing through', async () => {
    const { here, there } = await knownToBoth();
    stand.bridge.feed.mode = 'silent';
    tell(now());
    await eventually(isRefused(here), HOLDS_UNHEARD_WITHIN_MS);
    await eventually(isRefused(there), HOLDS_UNHEARD_WITHIN_MS);
  });

  test('readyz and metrics say so, and people go on', async () => {
    const { here } = await knownToBoth();
    const metric = async (name: string) => (await scrape(stand.proxy.metricsPort)).sum(`vestibule_proxy_trial_feed_${name}`);
    const state = async () => ((await (await fetch(`http://127.0.0.1:${stand.proxy.metricsPort}/readyz`)).json()) as { dependencies: Record<string, { state: string; required: boolean }> }).dependencies['trial_feed'];
    expect([await state(), await metric('connected')]).toEqual([{ state: 'up', required: false }, 1]);
    stand.bridge.feed.mode = 'refused';
    await eventually(async () => (await state())?.state === 'down', 20_000);
    expect(await statusOf(here)).toBe(200);
    expect([await metric('connected'), Number(await metric('age_seconds')) > 10]).toEqual([0, true]);
    stand.bridge.feed.mode = 'well';
    await eventually(async () => (await state())?.state === 'up');
  });
});

const withLate = async (look: () => Promise<unknown>): Promise<void> => {
  const late = await stand.replica();
  try {
    await look();
  } finally {
    await late.proxy.stop();
  }
};

describe('a replica that starts', () => {
  test('goes on where any of them stood', async () => {
    tell(now() + 700);
    await eventually(async () => (await toldVersion()) > 0);
    const last = await toldVersion();
    await withLate(() => eventually(() => stand.bridge.feed.askedAfter.at(-1)! >= last));
  });

  test('reads everything again when the bridge says that it restarted', async () => {
    const { here } = await knownToBoth();
    const until = now() + 900;
    tell(until, { version: 9_000_000 + people });
    await eventually(async () => (await expiresAt(here)) === until);
    stand.bridge.feed.mode = 'restarted';
    await withLate(() => eventually(() => stand.bridge.feed.mode === 'well'));
    // Older than what was told before, which counts no more.
    const later = now() + 1_000;
    tell(later, { version: 2 });
    await eventually(async () => (await expiresAt(here)) === later);
  });
});

test.each([
  ['whole', ['event: change\nid: 1\ndata: {"a":1}\n\n']],
  ['in pieces', ['event: cha', 'nge\nid: 1\nda', 'ta: {"a":1}\n', '\n']],
])('an event that comes %s', (_how, pieces) => {
  const eventsIn = eventReader();
  expect(pieces.flatMap(eventsIn)).toEqual([{ event: 'change', data: '{"a":1}' }]);
  expect(eventsIn(': alive\n\n')).toEqual([{ event: 'comment', data: '' }]);
});
