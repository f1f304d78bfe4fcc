/** How long an app may take. Web-sockets have those of the connection only. */
export interface UpstreamLimits {
  connectMilliseconds: number;
  /** Until the answer's headers are there, from the end of the request. */
  answerMilliseconds: number;
  /** Between two pieces of an answer; long, for event streams that rest. */
  idleMilliseconds: number;
  /** For the request with its answer; undefined: however long. */
  wholeMilliseconds: number | undefined;
}

export const USUAL_LIMITS: UpstreamLimits = { connectMilliseconds: 5_000, answerMilliseconds: 60_000, idleMilliseconds: 10 * 60_000, wholeMilliseconds: undefined };
