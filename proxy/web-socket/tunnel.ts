import type { RawData, WebSocket } from 'ws';

/** A sender that has more than that under way is asked to wait. */
const MOST_WAITING_BYTES = 1024 * 1024;
/** For the goodbye; after it the connection is cut. */
const CLOSE_LIMIT_MILLISECONDS = 2_000;
/** Reserved: they say how it ended and are never sent (RFC 6455 7.4.1). */
const NOT_SENT = new Set([1005, 1006, 1015]);
const GOING_AWAY = 1001;

export interface Tunnel {
  /** Tells the browser why; the app hears that it goes away. */
  close(code: number): void;
  /** Whether the browser sent something since this was last asked. */
  wasUsed(): boolean;
  onClose(listener: () => void): void;
}

/** Passes messages on as they are, both ways; the end of one is the end of the other, with its code. The app's end comes paused. */
export function joinSockets(client: WebSocket, app: WebSocket): Tunnel {
  let used = false;
  client.on('message', () => {
    used = true;
  });
  pass(client, app);
  pass(app, client);
  app.resume();
  return {
    close: (code) => {
      end(client, code);
      end(app, GOING_AWAY);
    },
    wasUsed: () => {
      const was = used;
      used = false;
      return was;
    },
    onClose: (listener) => client.once('close', listener),
  };
}

function pass(from: WebSocket, to: WebSocket): void {
  from.on('message', (data: RawData, binary: boolean) => {
    if (to.readyState !== to.OPEN) return;
    to.send(data, { binary }, () => {
      if (from.isPaused && to.bufferedAmount < MOST_WAITING_BYTES) from.resume();
    });
    if (to.bufferedAmount >= MOST_WAITING_BYTES) from.pause();
  });
  from.on('error', () => from.terminate());
  from.on('close', (code, reason) => end(to, code, reason));
}

function end(socket: WebSocket, code: number, reason?: Buffer): void {
  if (socket.readyState === socket.CLOSED) return;
  // A paused end never reads the other's goodbye.
  socket.resume();
  if (NOT_SENT.has(code)) socket.close();
  else socket.close(code, reason);
  const cut = setTimeout(() => socket.terminate(), CLOSE_LIMIT_MILLISECONDS);
  socket.once('close', () => clearTimeout(cut));
}
