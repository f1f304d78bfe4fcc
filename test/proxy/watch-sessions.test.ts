import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { sessionKey } from '../../proxy/session/live-sessions.ts';
import type { Session, SessionKeeping } from '../../proxy/session/session.service.ts';
import { watchSessions } from '../../proxy/session/watch-sessions.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** A session that is found when the test says so. */
function stage() {
  const forgotten: ((key: string) => void)[] = [];
  const finding: ((session: Session | undefined) => void)[] = [];
  const inAnHour = new Date(Date.now() + 3_600_000);
  const session = { idHash: randomBytes(32), site: 'app.example', roles: ['staff'], groups: [], lastSeenAt: new Date(), endsAt: inAnHour, absoluteEndAt: inAnHour, trial: null } as unknown as Session;
  const keeping = {
    site: 'app.example',
    clock: { now: () => new Date() },
    limits: { idleMilliseconds: 1_800_000 },
    live: { find: () => new Promise((resolve) => finding.push(resolve)) },
    refresher: { keepFresh: async (one: Session) => one },
  } as unknown as SessionKeeping;
  const watch = watchSessions({ onForgotten: (listener) => void forgotten.push(listener) });
  const ended: string[] = [];
  return {
    watch,
    ended,
    begin: () => watch.watch({ keeping, session, mayGoOn: ({ roles }) => roles.includes('staff'), wasUsed: () => false, end: (why) => ended.push(why) }),
    change: () => forgotten.forEach((tell) => tell(sessionKey(session.idHash))),
    /** All looks that are under way find this. */
    find: async (change: Partial<Session> | undefined = {}) => {
      for (const found of finding.splice(0)) found({ ...session, ...change });
      await jest.advanceTimersByTimeAsync(0);
    },
    findNothing: async () => {
      while (finding.length > 0) {
        for (const found of finding.splice(0)) found(undefined);
        await jest.advanceTimersByTimeAsync(0);
      }
    },
    looks: () => finding.length,
  };
}

test('two looks at once leave one timer, and none when it is over', async () => {
  const { watch, begin, change, find, looks } = stage();
  const leave = begin();
  change();
  expect(looks()).toBe(2);
  await find();
  expect([jest.getTimerCount(), watch.size()]).toEqual([1, 1]);
  leave();
  expect([jest.getTimerCount(), watch.size()]).toEqual([0, 0]);
});

test('a look that comes back after it is over begins nothing new', async () => {
  const { watch, begin, find } = stage();
  begin()();
  await find();
  expect([jest.getTimerCount(), watch.size()]).toEqual([0, 0]);
});

test('it ends once, whoever looks', async () => {
  const { watch, ended, begin, change, findNothing } = stage();
  begin();
  change();
  await findNothing();
  expect([ended, jest.getTimerCount(), watch.size()]).toEqual([['session_over'], 0, 0]);
});

test('it ends when a right was taken', async () => {
  const { ended, begin, find } = stage();
  begin();
  await find({ roles: [] });
  expect(ended).toEqual(['not_allowed']);
});
