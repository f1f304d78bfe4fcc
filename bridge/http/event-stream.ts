import { once } from 'node:events';
import type { Response } from 'express';

/** A server-sent event; `alive` is a comment that says that the stream is. */
export type StreamEvent = { id?: string; event?: string; data: unknown } | 'alive';

/** Aborts when whoever asked is gone. */
export function untilClosed(res: Response): AbortSignal {
  const closed = new AbortController();
  res.once('close', () => closed.abort());
  return closed.signal;
}

/** Writes as fast as they are read, and no faster. Ends with the events, or with `signal`: nobody waits for a reader that has stopped reading. */
export async function sendEvents(res: Response, events: AsyncIterable<StreamEvent>, signal: AbortSignal): Promise<void> {
  res.status(200).type('text/event-stream');
  // Of nginx: it would gather events before it passes them on.
  res.setHeader('X-Accel-Buffering', 'no');
  for await (const one of events) {
    if (res.write(written(one))) continue;
    await once(res, 'drain', { signal }).catch(() => res.destroy());
  }
  res.end();
}

function written(one: StreamEvent): string {
  if (one === 'alive') return ': alive\n\n';
  return [...(one.event === undefined ? [] : [`event: ${one.event}`]), ...(one.id === undefined ? [] : [`id: ${one.id}`]), `data: ${JSON.stringify(one.data)}`, '', ''].join('\n');
}
