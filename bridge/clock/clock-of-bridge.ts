import { movableClock, systemClock, type Clock } from '../../platform/clock.ts';
import type { Config } from '../config.ts';

/** The domain clock of the bridge that runs with this configuration, for another process: its own, where it can be moved. */
export async function clockOfBridge({ movableClock: movable, address }: Pick<Config, 'movableClock' | 'address'>): Promise<Clock> {
  if (!movable) return systemClock;
  const clock = movableClock();
  const answer = await fetch(`http://${address.host}:${address.port}/dev/clock`).catch(() => undefined);
  if (answer?.ok) clock.setOffset(((await answer.json()) as { offset_seconds: number }).offset_seconds);
  return clock;
}
