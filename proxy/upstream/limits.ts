/** How long an app may take, and how much it gets at once. */
export interface UpstreamLimits {
  /** Until the app takes the connection, or one is free. */
  connectMilliseconds: number;
  /** Until the answer's headers are there, from the end of the request. */
  answerMilliseconds: number;
  /** Between two pieces of an answer; long, for event streams that rest. */
  idleMilliseconds: number;
  /** For the request with its answer; undefined: however long. */
  wholeMilliseconds: number | undefined;
  /** Requests at the app at once, each on a connection of its own; an event stream takes one for as long as it lasts. */
  connections: number;
}

export const USUAL_LIMITS: UpstreamLimits = { connectMilliseconds: 5_000, answerMilliseconds: 60_000, idleMilliseconds: 10 * 60_000, wholeMilliseconds: undefined, connections: 10_000 };

/** However long nothing moves on a browser's connection while one of these is kept to: it waits for room, for the connection, for the answer; or the answer rests. */
export function longestRest(all: readonly UpstreamLimits[]): number {
  return Math.max(...all.map(({ connectMilliseconds, answerMilliseconds, idleMilliseconds }) => Math.max(2 * connectMilliseconds + answerMilliseconds, idleMilliseconds)));
}
