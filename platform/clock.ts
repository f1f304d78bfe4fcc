/** The domain clock. Trials, invitations and the limits of mails live on it; tokens, TLS, job queues and the limits of register live on real time. */
export interface Clock {
  now(): Date;
  /** The real instant at which `instant` will have come, for whoever compares with a clock of its own. */
  toReal(instant: Date): Date;
}

export interface MovableClock extends Clock {
  /** Moves the domain clock to `seconds` ahead of real time. */
  setOffset(seconds: number): void;
  offset(): number;
}

export const systemClock: Clock = { now: () => new Date(), toReal: (instant) => instant };

export function movableClock(): MovableClock {
  let offsetSeconds = 0;
  return {
    now: () => new Date(Date.now() + offsetSeconds * 1000),
    toReal: (instant) => new Date(instant.getTime() - offsetSeconds * 1000),
    setOffset: (seconds) => {
      offsetSeconds = seconds;
    },
    offset: () => offsetSeconds,
  };
}

export function epochSeconds(instant: Date): number {
  return Math.floor(instant.getTime() / 1000);
}
