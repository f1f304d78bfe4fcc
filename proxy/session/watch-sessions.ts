import { sessionKey, type LiveSessions } from './live-sessions.ts';
import { expiryOf, lookAtSession, type Session, type SessionKeeping } from './session.service.ts';

/** A session is looked at that often at the latest, also to write down that its person was active. */
const LOOK_EVERY_MILLISECONDS = 30_000;
const LOOKS_PER_IDLE_LIMIT = 10;

/** `unknown`: nobody can say any more whether it goes on. */
export type WhyOver = 'session_over' | 'trial_over' | 'not_allowed' | 'unknown';

/** What lasts longer than a request: a web-socket, a long answer. */
export interface Lasting {
  keeping: SessionKeeping;
  /** As it was when this began. */
  session: Session;
  /** Whether somebody who is still signed in may still have it: roles and groups change with a refresh. */
  mayGoOn(session: Session): boolean;
  /** Whether its person did something since this was last asked; that counts as a request. */
  wasUsed(): boolean;
  /** Called once at most. */
  end(why: WhyOver): void;
}

export interface SessionWatch {
  /** Looks at once, then again and again; to be told by what it answers that it is over. */
  watch(lasting: Lasting): () => void;
  size(): number;
}

interface Watched extends Lasting {
  timer?: NodeJS.Timeout;
  isOver: boolean;
}

/** Ends what lasts when its session ends, whoever ended it on whichever replica, at the trial's end, or when a right was taken. */
export function watchSessions(live: Pick<LiveSessions, 'onForgotten'>): SessionWatch {
  const watched = new Map<string, Set<Watched>>();

  const leave = (one: Watched): void => {
    one.isOver = true;
    clearTimeout(one.timer);
    const key = sessionKey(one.session.idHash);
    const ofSession = watched.get(key);
    ofSession?.delete(one);
    if (ofSession?.size === 0) watched.delete(key);
  };

  const end = (one: Watched, why: WhyOver): void => {
    if (one.isOver) return;
    leave(one);
    one.end(why);
  };

  const lookLater = (one: Watched): void => {
    const { clock, limits } = one.keeping;
    const untilEnd = expiryOf(one.session, limits).getTime() - clock.now().getTime();
    // Two looks may be under way.
    clearTimeout(one.timer);
    one.timer = setTimeout(() => void look(one), Math.max(0, Math.min(untilEnd, LOOK_EVERY_MILLISECONDS, limits.idleMilliseconds / LOOKS_PER_IDLE_LIMIT)));
  };

  const look = async (one: Watched): Promise<void> => {
    try {
      const session = await lookAtSession(one.keeping, one.session.idHash, { active: one.wasUsed() });
      if (!session) return end(one, (await isTrialOver(one)) ? 'trial_over' : 'session_over');
      if (!one.mayGoOn(session)) return end(one, 'not_allowed');
      one.session = session;
      if (!one.isOver) lookLater(one);
    } catch {
      end(one, 'unknown');
    }
  };

  live.onForgotten((key) => {
    for (const one of watched.get(key) ?? []) void look(one);
  });

  return {
    watch: (lasting) => {
      const one: Watched = { ...lasting, isOver: false };
      const key = sessionKey(one.session.idHash);
      watched.set(key, (watched.get(key) ?? new Set()).add(one));
      // It may have ended while this began.
      void look(one);
      return () => leave(one);
    },
    size: () => [...watched.values()].reduce((sum, { size }) => sum + size, 0),
  };
}

/** By the end that was told last: it may have come nearer meanwhile. */
async function isTrialOver({ session, keeping: { live, clock } }: Watched): Promise<boolean> {
  const { trial } = (await live.find(session.idHash).catch(() => undefined)) ?? session;
  return trial?.accessUntil != null && clock.now() >= trial.accessUntil;
}
