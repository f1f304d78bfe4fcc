import type { ServerResponse } from 'node:http';

/** So many at once; whoever comes then waits a while for a place. undici's own queue knows no end, and keeps the requests of those who went away. */
export interface Room {
  /** `begin` gets a place, which is given back by {@link Room.leave}; without one, `full` hears when nothing came free in time, `gone` when the client left. */
  enter(res: ServerResponse, turn: { begin: () => void; full: () => void; gone: () => void }): void;
  leave(): void;
}

export function createRoom(places: number, waitMilliseconds: number): Room {
  let taken = 0;
  /** First come, first served. */
  const waiting = new Set<() => void>();

  const wait: Room['enter'] = (res, { begin, full, gone }) => {
    if (res.destroyed) return gone();
    const leavesFor = (what: () => void) => (): void => {
      clearTimeout(limit);
      res.off('close', left);
      waiting.delete(called);
      what();
    };
    const called = leavesFor(begin);
    const left = leavesFor(gone);
    const limit = setTimeout(leavesFor(full), waitMilliseconds);
    res.once('close', left);
    waiting.add(called);
  };

  return {
    enter: (res, turn) => {
      if (taken === places) return wait(res, turn);
      taken += 1;
      turn.begin();
    },
    leave: () => {
      if (waiting.size === 0) taken -= 1;
      else for (const next of waiting) return next();
    },
  };
}
