import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Kysely } from 'kysely';
import { Client } from 'pg';
import { openDatabase } from '../../platform/database.ts';
import type { Tables } from '../../proxy/db/tables.ts';
import { sessionKey } from '../../proxy/session/live-sessions.ts';
import { touchSessions } from '../../proxy/session/many-sessions.store.ts';
import { collectTouches } from '../../proxy/session/touches.ts';
import { eventually } from '../support/eventually.ts';
import { openRelay } from '../support/relay.ts';
import { Browser } from './support/browser.ts';
import { asSuperuser } from './support/superuser.ts';
import { startStand, type Stand } from './support/stand.ts';

const AT = new Date('2026-01-01T00:00:00Z');
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1_000);

describe('who was seen is written down', () => {
  test('together', async () => {
    const writes: number[] = [];
    const touches = collectTouches(async (seen) => (writes.push(seen.size), []));
    for (const key of ['a', 'b', 'a']) touches.add(key, AT);
    await eventually(async () => writes.length === 1, 1_000);
    touches.add('c', AT);
    await eventually(async () => writes.length === 2, 1_000);
    expect(writes).toEqual([2, 1]);
  });

  test('at once at the end, and nothing where nobody was', async () => {
    const writes: number[] = [];
    const touches = collectTouches(async (seen) => (writes.push(seen.size), []));
    touches.add('a', AT);
    await touches.stop();
    await touches.stop();
    expect(writes).toEqual([1]);
  });

  test('at the end or not: nobody hears of a write that failed then', async () => {
    const touches = collectTouches(() => Promise.reject(new Error('Postgres is away')));
    touches.add('a', AT);
    await expect(touches.stop()).resolves.toBeUndefined();
  });

  test('again, everything of a write that failed, after a longer and longer pause, and what came meanwhile with it', async () => {
    const writes: { keys: string[]; at: number }[] = [];
    const touches = collectTouches(async (seen) => {
      writes.push({ keys: [...seen.keys()].toSorted(), at: performance.now() });
      if (writes.length === 1) touches.add('c', AT);
      if (writes.length <= 3) throw new Error('Postgres is away');
      return [];
    });
    for (const key of ['a', 'b']) touches.add(key, AT);
    await eventually(() => writes.length === 1, 1_000);
    expect(['a', 'c'].map(touches.unwritten)).toEqual([AT, AT]);
    await eventually(() => writes.length === 4, 5_000);
    expect(writes.map(({ keys }) => keys.join(''))).toEqual(['ab', 'abc', 'abc', 'abc']);
    const [first = 0, second = 0, third = 0] = writes.slice(1).map(({ at }, before) => at - (writes[before]?.at ?? 0));
    expect(second).toBeGreaterThan(first * 1.5);
    expect(third).toBeGreaterThan(second * 1.5);
  });

  test('again where it was left out, unless seen later meanwhile', async () => {
    const later = new Date(AT.getTime() + 1);
    const writes: [string, Date][][] = [];
    const touches = collectTouches(async (seen) => {
      writes.push([...seen]);
      if (writes.length === 1) touches.add('b', later);
      return writes.length === 1 ? ['a', 'b'] : [];
    });
    for (const key of ['a', 'b', 'c']) touches.add(key, AT);
    await eventually(async () => writes.length === 2, 1_000);
    expect(new Map(writes[1])).toEqual(new Map([['a', AT], ['b', later]]));
  });

  test('and known until then', async () => {
    const writing = Promise.withResolvers<readonly string[]>();
    const touches = collectTouches(() => writing.promise);
    touches.add('a', AT);
    expect(touches.unwritten('a')).toBe(AT);
    const stopped = touches.stop();
    expect(touches.unwritten('a')).toBe(AT);
    writing.resolve([]);
    await stopped;
    expect(touches.unwritten('a')).toBeUndefined();
  });
});

describe('in Postgres', () => {
  let stand: Stand;
  let db: Kysely<Tables>;
  let close: () => Promise<void>;
  beforeAll(async () => {
    stand = await startStand();
    ({ db, close } = openDatabase<Tables>(stand.database.proxyUrl, { poolSize: 1, name: 'test', onError: () => {} }));
    await Promise.all([stand.signedIn(), stand.signedIn()]);
  });
  afterAll(async () => {
    await close();
    await stand.stop();
  });

  const rows = () => asSuperuser<{ id_hash: Buffer; last_seen_at: Date }>(stand, 'select id_hash, last_seen_at from proxy.session order by id_hash');

  test('never an instant before the one that is there', async () => {
    const [one, other] = await rows();
    const late = inSeconds(20);
    await touchSessions(db, new Map([[sessionKey(one!.id_hash), late], [sessionKey(other!.id_hash), inSeconds(-1_000)]]));
    expect((await rows()).map(({ last_seen_at }) => last_seen_at)).toEqual([late, other!.last_seen_at]);
  });

  test('in place: no index knows when somebody was seen', async () => {
    expect(await asSuperuser(stand, `select indexname from pg_indexes where schemaname = 'proxy' and indexdef like '%last_seen_at%'`)).toEqual([]);
  });

  test('a row that a logout has in hand is left out: neither waits for the other', async () => {
    const [one, other] = await rows();
    const logout = new Client({ connectionString: stand.database.adminUrl });
    await logout.connect();
    await logout.query('begin');
    await logout.query('delete from proxy.session where id_hash = $1', [one!.id_hash]);
    const at = inSeconds(30);
    const leftOut = await touchSessions(db, new Map([one!, other!].map(({ id_hash }) => [sessionKey(id_hash), at])));
    expect(leftOut).toEqual([sessionKey(one!.id_hash)]);
    await logout.query('rollback');
    await logout.end();
    expect((await rows()).map(({ last_seen_at }) => last_seen_at)).toEqual([one!.last_seen_at, at]);
  });

  test('when it is back: who was there while it was away is not idle', async () => {
    const url = new URL(stand.database.proxyUrl);
    const relay = await openRelay(Number(url.port));
    url.port = String(relay.port);
    const cutOff = await stand.replica({ PROXY_DATABASE_URL: url.href });
    stand.provider.person = { ...stand.provider.person, sub: 'user-there' };
    const there = new Browser(cutOff.url);
    for (const [name, value] of (await stand.signedIn()).cookies) there.cookies.set(name, value);
    expect((await there.get('/')).status).toBe(200);
    try {
      relay.inject({ sees: 'update proxy.session set last_seen_at', does: 'cut-request', times: 2 });
      stand.clock.setOffset(27 * 60);
      expect((await there.get('/')).status).toBe(200);
      await eventually(async () => (await asSuperuser<{ seen: Date }>(stand, `select last_seen_at as seen from proxy.session where sub = 'user-there'`))[0]!.seen > inSeconds(20 * 60), 5_000);
      stand.clock.setOffset(31 * 60);
      await stand.proxy.sweep();
      expect((await there.get('/')).status).toBe(200);
    } finally {
      stand.clock.setOffset(0);
      await cutOff.proxy.stop();
      await relay.close();
      await asSuperuser(stand, `delete from proxy.session where sub = 'user-there'`);
    }
  });
});
