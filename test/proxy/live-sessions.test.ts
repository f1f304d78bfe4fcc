import { describe, expect, test } from '@jest/globals';
import { hashToken } from '../../platform/token.ts';
import { liveSessions, sessionKey, type LiveSessionParts, type LiveSessions } from '../../proxy/session/live-sessions.ts';
import type { ReadSession, StoredSession } from '../../proxy/session/session.store.ts';

const ID_HASH = Buffer.alloc(32, 7);
const SECOND = 1_000;
const BEGIN = new Date('2026-01-01T00:00:00Z');

function sessionOf(name: string): StoredSession {
  const end = new Date('2026-01-01T10:00:00Z');
  return { idHash: ID_HASH, site: 'app.example.com', sub: 'user-ada', sid: 'sid', email: 'ada@example.com', name, roles: [], groups: [], trial: null, claims: null, preparing: false, createdAt: BEGIN, lastSeenAt: BEGIN, endsAt: end, absoluteEndAt: end, refreshDueAt: null };
}

/** Memory in front of one row, at a time that the test sets. */
function memory(given: Partial<LiveSessionParts> = {}) {
  const row = { stored: sessionOf('Ada') as StoredSession | undefined, reads: 0, fails: false, now: 100 * SECOND, heardSince: 0 as number | undefined };
  const live = liveSessions({
    read: async () => {
      row.reads += 1;
      if (row.fails) throw new Error('Postgres is away');
      return row.stored && { session: row.stored, fingerprint: 1 };
    },
    findChanged: async () => [],
    heardSince: () => row.heardSince,
    capacity: 10,
    outageMilliseconds: 300 * SECOND,
    now: () => row.now,
    ...given,
  });
  return { live, row };
}

describe('a known session is read again', () => {
  test.each([
    ['not within three minutes while notices are heard', { heard: 0, later: 179 * SECOND, reads: 1 }],
    ['after three minutes, although notices are heard (SECURITY 23)', { heard: 0, later: 180 * SECOND, reads: 2 }],
    ['not within 5 s while notices are not heard', { heard: undefined, later: 4.9 * SECOND, reads: 1 }],
    ['after 5 s while notices are not heard', { heard: undefined, later: 5 * SECOND, reads: 2 }],
    ['at once when it was read before notices were heard again', { heard: 101 * SECOND, later: 2 * SECOND, reads: 2 }],
  ])('%s', async (_rule, { heard, later, reads }) => {
    const { live, row } = memory();
    row.heardSince = heard === undefined ? undefined : 0;
    await live.find(ID_HASH);
    row.heardSince = heard;
    row.now += later;
    await live.find(ID_HASH);
    expect(row.reads).toBe(reads);
  });

  test.each([
    ['a notice', ({ live }: ReturnType<typeof memory>) => live.forget(sessionKey(hashToken('an id')))],
    ['three minutes', ({ row }: ReturnType<typeof memory>) => void (row.now += 180 * SECOND)],
    ['it gave way to another', ({ live }: ReturnType<typeof memory>) => live.find(ID_HASH)],
  ])('by the id of a cookie, after %s as well (SECURITY 23)', async (_what, happens) => {
    const kept = memory({ capacity: 1 });
    await kept.live.find(hashToken('an id'));
    expect([kept.live.known('an id')?.name, kept.live.known('an id')?.name, kept.live.known('another')]).toEqual(['Ada', 'Ada', undefined]);
    await happens(kept);
    expect(kept.live.known('an id')).toBeUndefined();
  });

  test('after a notice', async () => {
    const { live, row } = memory();
    await live.find(ID_HASH);
    row.stored = undefined;
    live.forget(sessionKey(ID_HASH));
    expect(await live.find(ID_HASH)).toBeUndefined();
  });
});

describe('a notice that overtakes a read', () => {
  test('makes it read again: what was on its way may be what was before (SECURITY 23)', async () => {
    const answers: ((found: ReadSession | undefined) => void)[] = [];
    const { live } = memory({ read: () => new Promise((resolve) => answers.push(resolve)) });
    const finding = live.find(ID_HASH);
    live.forget(sessionKey(ID_HASH));
    answers[0]?.({ session: sessionOf('Ada'), fingerprint: 1 });
    await Promise.resolve();
    await Promise.resolve();
    answers[1]?.(undefined);
    expect(await finding).toBeUndefined();
    expect(live.size()).toBe(0);
  });

  test('again and again: the answer is not kept', async () => {
    const told: { live?: LiveSessions } = {};
    const { live } = memory({
      read: async () => {
        told.live?.forget(sessionKey(ID_HASH));
        return { session: sessionOf('Ada'), fingerprint: 1 };
      },
    });
    told.live = live;
    expect(await live.find(ID_HASH)).toBeDefined();
    expect(live.size()).toBe(0);
  });
});

/** A session that is known, and then Postgres goes away. */
async function away() {
  const { live, row } = memory();
  await live.find(ID_HASH);
  row.fails = true;
  row.heardSince = undefined;
  return { live, row };
}

describe('while Postgres is away', () => {
  test('a known session goes on', async () => {
    const { live, row } = await away();
    row.now += 299 * SECOND;
    expect(await live.find(ID_HASH)).toMatchObject({ name: 'Ada' });
  });

  test('not longer than configured', async () => {
    const { live, row } = await away();
    row.now += 300 * SECOND;
    await expect(live.find(ID_HASH)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('an unknown one does not begin', async () => {
    const { live } = await away();
    await expect(live.find(Buffer.alloc(32, 8))).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('one that a notice named before does not go on', async () => {
    const { live } = await away();
    live.forget(sessionKey(ID_HASH));
    await expect(live.find(ID_HASH)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('it is not asked for every request', async () => {
    const { live, row } = await away();
    row.now += 10 * SECOND;
    for (let requests = 0; requests < 20; requests += 1) await live.find(ID_HASH);
    expect(row.reads).toBe(2);
  });
});

test('many requests for one session share one read', async () => {
  const { live, row } = memory();
  await Promise.all(Array.from({ length: 50 }, () => live.find(ID_HASH)));
  expect(row.reads).toBe(1);
});

test('what was last seen here is not forgotten by reading again', async () => {
  const { live, row } = memory();
  const seen = new Date(BEGIN.getTime() + 60 * SECOND);
  const session = await live.find(ID_HASH);
  if (session) session.lastSeenAt = seen;
  row.stored = sessionOf('Ada');
  row.now += 61 * SECOND;
  expect((await live.find(ID_HASH))?.lastSeenAt).toEqual(seen);
});

test('what is being written down is not taken back by reading it meanwhile', async () => {
  const seen = new Date(BEGIN.getTime() + 60 * SECOND);
  const { live, row } = memory({ unwritten: (key) => (key === sessionKey(ID_HASH) ? seen : undefined) });
  await live.find(ID_HASH);
  live.forget(sessionKey(ID_HASH));
  row.stored = sessionOf('Ada');
  expect((await live.find(ID_HASH))?.lastSeenAt).toEqual(seen);
});

test('memory is bounded: the least used gives way', async () => {
  const { live } = memory();
  for (let number = 0; number < 50; number += 1) await live.find(Buffer.alloc(32, number));
  expect(live.size()).toBe(10);
});
