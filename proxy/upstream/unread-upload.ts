import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** For clients that read no answer before they have sent everything. */
const USUAL_PATIENCE = { milliseconds: 10_000, bytes: 64 * 1024 * 1024 };

/**
 * To be called before the headers of an answer that comes while the upload is under way: nobody reads the rest, so nothing may follow on
 * this connection. Nor is it cut right after the answer, which what is unread would take with it (RFC 9112 9.6).
 */
export function closeAfterAnswer(res: ServerResponse, patience = USUAL_PATIENCE): void {
  const { req, socket } = res;
  res.shouldKeepAlive = false;
  if (!socket) return;
  const destroySoon = socket.destroySoon.bind(socket);
  // How Node ends a connection after its last answer.
  socket.destroySoon = () => (req.complete ? destroySoon() : linger(socket, patience));
}

function linger(socket: Socket, { milliseconds, bytes }: typeof USUAL_PATIENCE): void {
  const most = socket.bytesRead + bytes;
  const cut = setTimeout(() => socket.destroy(), milliseconds);
  // The parser's: the request, which takes nothing any more, would have it pause.
  socket.removeAllListeners('data');
  socket.on('data', () => {
    if (socket.bytesRead > most) socket.destroy();
  });
  socket.on('end', () => socket.destroy());
  socket.on('close', () => clearTimeout(cut));
  socket.end();
  socket.resume();
}
