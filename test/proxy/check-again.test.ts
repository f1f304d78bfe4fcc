import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openDatabase } from '../../platform/database.ts';
import { hashToken } from '../../platform/token.ts';
import { liveSessions, sessionKey } from '../../proxy/session/live-sessions.ts';
import { findChangedSessions } from '../../proxy/session/many-sessions.store.ts';
import { findSession, type StoredSession } from '../../proxy/session/session.store.ts';
import type { Tables } from '../../proxy/db/tables.ts';
import type { Kysely } from 'kysely';
import { asSuperuser } from './support/superuser.ts';
import { startStand, type Stand } from './support/stand.ts';

const SECOND = 1_000;
const BEGIN = new Date('2026-01-01T00:00:00Z');
const idOf = (number: number) => `session-${number}`;
const hashOf = (number: number) => hashToken(idOf(number));
const keyOf = (number: number) => sessionKey(hashOf(number));

function sessionOf(idHash: Buffer): StoredSession {
  const end = new Date('2026-01-01T10:00:00Z');
  return { idHash, site: 'app.example.com', sub: 'user-ada', sid: 'sid', email: 'ada@example.com', name: 'Ada', roles: [], groups: [], trial: null, claims: null, preparing: false, createdAt: BEGIN, lastSeenAt: BEGIN, endsAt: end, absoluteEndAt: end, refreshDueAt: null };
}

/** Memory in front of rows of which those in `changed` are other ones than before. */
async function memory({ sessions = 3 } = {}) {
  const rows = { reads: 0, questions: [] as string[][], changed: [] as string[], fails: false, now: 100 * SECOND, heardSince: 0 as number | undefined, meanwhile: () => {} };
  const live = liveSessions({
    read: async (idHash) => {
      rows.reads += 1;
      return { session: sessionOf(idHash), fingerprint: idHash[0] ?? 0 };
    },
    findChanged: async (asked) => {
      rows.questions.push(asked.map(({ key }) => key).toSorted());
      rows.meanwhile();
      if (rows.fails) throw new Error('Postgres is away');
      return rows.changed;
    },
    heardSince: () => rows.heardSince,
    capacity: 10_000,
    outageMilliseconds: 300 * SECOND,
    now: () => rows.now,
  });
  for (let number = 0; number < sessions; number += 1) await live.find(hashOf(number));
  const everyOneIsKnown = () => Array.from({ length: sessions }, (_, number) => live.known(idOf(number)) !== undefined);
  return { live, rows, everyOneIsKnown };
}

describe('known sessions are checked', () => {
  test('before they are too old, by one question for all, so that no request waits (SECURITY 23)', async () => {
    const { live, rows, everyOneIsKnown } = await memory();
    rows.now += 125 * SECOND;
    await live.checkAgain();
    rows.now += 125 * SECOND;
    expect(everyOneIsKnown()).toEqual([true, true, true]);
    expect([rows.reads, rows.questions]).toEqual([3, [[keyOf(0), keyOf(1), keyOf(2)].toSorted()]]);
  });

  test('one that changed without a notice is read again (SECURITY 23)', async () => {
    const { live, rows, everyOneIsKnown } = await memory();
    rows.changed = [keyOf(1)];
    rows.now += 125 * SECOND;
    await live.checkAgain();
    expect(everyOneIsKnown()).toEqual([true, false, true]);
  });

  test('every second while notices are not heard', async () => {
    const { live, rows, everyOneIsKnown } = await memory();
    rows.heardSince = undefined;
    for (let seconds = 0; seconds < 10; seconds += 2) {
      rows.now += 2 * SECOND;
      await live.checkAgain();
      expect(everyOneIsKnown()).toEqual([true, true, true]);
    }
    expect([rows.reads, rows.questions.length]).toEqual([3, 5]);
  });

  test('not when nobody has asked for them in ten minutes: they get old', async () => {
    const { live, rows, everyOneIsKnown } = await memory();
    for (let seconds = 0; seconds < 700; seconds += 20) {
      rows.now += 20 * SECOND;
      await live.checkAgain();
    }
    expect([rows.questions.flat().length / 3 < 30, everyOneIsKnown()]).toEqual([true, [false, false, false]]);
  });

  test('in several questions when they are many', async () => {
    const { live, rows } = await memory({ sessions: 200 });
    const many = Array.from({ length: 2_300 }, (_, number) => Buffer.from(String(number).padStart(32)));
    for (const idHash of many) await live.find(idHash);
    rows.now += 125 * SECOND;
    await live.checkAgain();
    expect(rows.questions.map((asked) => asked.length)).toEqual([1_000, 1_000, 500]);
  });

  test('a notice that comes meanwhile wins: what it named is not believed again (SECURITY 23)', async () => {
    const { live, rows, everyOneIsKnown } = await memory();
    rows.meanwhile = () => live.forget(keyOf(2));
    rows.now += 125 * SECOND;
    await live.checkAgain();
    expect(everyOneIsKnown()).toEqual([true, true, false]);
  });

  test('and get old when Postgres can’t be asked', async () => {
    const { live, rows, everyOneIsKnown } = await memory();
    rows.fails = true;
    rows.now += 125 * SECOND;
    await live.checkAgain();
    rows.now += 55 * SECOND;
    expect(everyOneIsKnown()).toEqual([false, false, false]);
  });
});

describe('in Postgres', () => {
  let stand: Stand;
  beforeAll(async () => {
    stand = await startStand();
  });
  afterAll(() => stand.stop());

  const CHANGES = ["site = 'x'", "sub = 'x'", "sid = 'x'", "email = 'x'", "name = 'x'", "roles = '{x}'", "groups = '{x}'", "trial_app = 'x'", 'trial_ends_at = now()', 'trial_access_until = now()', "ends_at = ends_at - interval '1 s'", "absolute_end_at = absolute_end_at - interval '1 s'", 'refresh_due_at = now()'];

  test.each(CHANGES)('a session with another %s is another one, although no notice told', async (change) => {
    const { changed } = await knownHere();
    expect(await changed()).toEqual([]);
    await asSuperuser(stand, `alter table proxy.session disable trigger tell_session; update proxy.session set ${change}; alter table proxy.session enable trigger tell_session`);
    expect(await changed()).toHaveLength(1);
  });

  test('a trigger tells of the same columns', async () => {
    const [trigger] = await asSuperuser<{ columns: string[] }>(stand, `select array_agg(attname::text order by attname) as columns from pg_trigger join pg_attribute on attrelid = tgrelid and attnum = any(tgattr::int2[]) where tgname = 'tell_session'`);
    expect(trigger?.columns).toEqual(CHANGES.map((change) => change.split(' ')[0]).toSorted());
  });

  test('one that is gone is another one', async () => {
    const { changed } = await knownHere();
    await asSuperuser(stand, 'alter table proxy.session disable trigger tell_session; delete from proxy.session; alter table proxy.session enable trigger tell_session');
    expect(await changed()).toHaveLength(1);
  });

  test('being seen and the lease of a refresh change nothing', async () => {
    const { changed } = await knownHere();
    await asSuperuser(stand, "update proxy.session set last_seen_at = last_seen_at + interval '1 s', refresh_lease_until = now()");
    expect(await changed()).toEqual([]);
  });

  /** One session as it is stored now, and what has changed about it since. */
  async function knownHere() {
    await asSuperuser(stand, 'delete from proxy.session');
    await stand.signedIn();
    const [row] = await asSuperuser<{ id_hash: Buffer }>(stand, 'select id_hash from proxy.session');
    const ask = async <T>(question: (db: Kysely<Tables>) => Promise<T>): Promise<T> => {
      const { db, close } = openDatabase<Tables>(stand.database.proxyUrl, { poolSize: 1, name: 'test', onError: () => {} });
      return question(db).finally(close);
    };
    const idHash = row?.id_hash ?? Buffer.alloc(0);
    const fingerprint = (await ask((db) => findSession(db, idHash)))?.fingerprint ?? 0;
    return { changed: () => ask((db) => findChangedSessions(db, [{ key: sessionKey(idHash), fingerprint }])) };
  }
});
